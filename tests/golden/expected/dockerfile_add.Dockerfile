# check=skip=MaintainerDeprecated

FROM python:3.13-slim-trixie
ADD context-7efa11ac78ad/files/src /app/
ADD --chown=1000:1000 context-7efa11ac78ad/files/src/hello.py /app/copy.py
COPY --from=context-7efa11ac78ad --link files/src/*.py files/src/sub* /flat/
ONBUILD RUN echo built
MAINTAINER someone@example.org
