"""One call to an engine over a Unix socket, TCP or ssh: the status that it answered, and the body.

Every function raises OSError or ValueError where no answer comes, and TimeoutError where none comes in time.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from imagebuilder.engine.endpoint import Endpoint

if TYPE_CHECKING:
    import http.client

_CONNECT_TIMEOUT = 10.0


def exchange(
    endpoint: Endpoint,
    method: str,
    path: str,
    body: bytes | Iterable[bytes] | None,
    headers: dict[str, str],
    timeout: float,
) -> tuple[int, bytes]:
    with connection(endpoint, timeout) as connected:
        connected.request(method, path, body, headers)
        response = connected.getresponse()
        return response.status, response.read()


def ask(endpoint: Endpoint, path: str, timeout: float) -> tuple[int, bytes]:
    """GET what shows by itself whether it is whole, such as JSON."""
    url = urlsplit(endpoint.host)
    if url.scheme != "unix":
        return exchange(endpoint, "GET", path, None, {}, timeout)
    # By hand, since to import http.client (with ssl and email) takes longer than to ask whether an image is there.
    # In HTTP 1.0 an answer is a head and whatever comes until the end.
    with _unix_socket(url.path) as connected:
        connected.settimeout(timeout)
        connected.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode("ascii"))
        head, _, body = b"".join(iter(lambda: connected.recv(1 << 16), b"")).partition(b"\r\n\r\n")
    line = head.partition(b"\r\n")[0].decode("iso-8859-1")
    protocol, _, status = line.partition(" ")
    if line and not (protocol.startswith("HTTP/") and status[:3].isdigit()):
        raise ValueError(line)
    if not body:
        raise ConnectionResetError("Remote end closed connection without response")
    return int(status[:3]), body


@contextmanager
def connection(endpoint: Endpoint, timeout: float) -> Iterator[http.client.HTTPConnection]:
    """A connection for one call, or for one that it is turned into a stream by."""
    import http.client

    url = urlsplit(endpoint.host)
    process = None
    if url.scheme == "unix":
        connected = http.client.HTTPConnection("localhost", timeout=timeout)
        connected.sock = _unix_socket(url.path)
        connected.sock.settimeout(timeout)
    elif url.scheme == "ssh":
        from imagebuilder import command

        ours, theirs = socket.socketpair()
        remote = ["ssh", *(["-p", str(url.port)] if url.port else []), "-T", "--"]
        where = f"{url.username}@{url.hostname}" if url.username else str(url.hostname)
        process = command.spawn(
            [*remote, where, "docker", "system", "dial-stdio"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
        )
        theirs.close()
        connected = http.client.HTTPConnection("localhost", timeout=timeout)
        connected.sock = ours
        ours.settimeout(timeout)
    elif url.scheme in ("tcp", "http", "https"):
        host = url.hostname or "localhost"
        if endpoint.tls or url.scheme == "https":
            connected = http.client.HTTPSConnection(
                host, url.port or 2376, timeout=timeout, context=endpoint.ssl_context()
            )
        else:
            connected = http.client.HTTPConnection(host, url.port or 2375, timeout=timeout)
    else:
        raise ValueError(f"{url.scheme or 'no'} scheme is not unix, tcp or ssh")
    try:
        yield connected
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connected.close()
        if process is not None:
            process.terminate()
            process.wait()


def _unix_socket(path: str) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connected.settimeout(_CONNECT_TIMEOUT)
    try:
        connected.connect(path)
    except OSError:
        connected.close()
        raise
    return connected
