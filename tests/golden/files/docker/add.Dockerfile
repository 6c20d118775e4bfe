FROM python:3.13-slim-trixie
ADD src /app/
ADD --chown=1000:1000 src/hello.py /app/copy.py
COPY src/*.py src/sub* /flat/
ONBUILD RUN echo built
MAINTAINER someone@example.org
