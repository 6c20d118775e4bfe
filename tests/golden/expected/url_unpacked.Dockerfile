FROM python:3.13-slim-trixie
ADD --checksum=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef --unpack=true https://example.org/app.tar.gz /opt/app/
