FROM python:3.13-slim-trixie
EXPOSE 8080 53/udp 9000-9010
VOLUME ["/data", "\"/with blank\""]
STOPSIGNAL SIGINT
