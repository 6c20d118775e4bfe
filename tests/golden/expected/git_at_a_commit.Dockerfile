FROM python:3.13-slim-trixie
ADD https://example.org/app.git#0123456789abcdef0123456789abcdef01234567 /src
