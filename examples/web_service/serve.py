import functools
import http.server
import os

handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="/srv/site")
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), handler).serve_forever()
