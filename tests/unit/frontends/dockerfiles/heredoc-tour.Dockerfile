# syntax=docker/dockerfile:1.4
FROM debian:bookworm
ENV NAME=world
RUN <<EOF
apt-get update
apt-get install -y vim
EOF
RUN <<'PY'
#!/usr/bin/env python3
import sys
print("hello", sys.argv)
PY
RUN python3 <<EOF > /out && echo done
print("Hello")
EOF
RUN cat <<ONE && cat <<-TWO
first $NAME
ONE
	second
	TWO
COPY <<robots.txt <<"humans.txt" /usr/share/nginx/html/
User-agent: *
Disallow: /$NAME
robots.txt
made by $NAME \o/
humans.txt
COPY --chown=1000:1000 --chmod=755 <<EOF /usr/local/bin/start
#!/bin/sh
exec echo "hi \$NAME ${NAME:-nobody}"
EOF
ADD <<EOF local.txt /mixed/
inline
EOF
