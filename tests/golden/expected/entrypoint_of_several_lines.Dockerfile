FROM python:3.13-slim-trixie
ENTRYPOINT ["/bin/sh", "-c", "set -e\necho 'first'\nexec sleep infinity"]
