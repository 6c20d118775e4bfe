# check=skip=MaintainerDeprecated

FROM python:3.13-slim-trixie
ADD context-ad38b89e68f4/files/src /app/
ADD --chown=1000:1000 context-ad38b89e68f4/files/src/hello.py /app/copy.py
COPY --from=context-ad38b89e68f4 --link files/src/*.py files/src/sub* /flat/
ONBUILD RUN echo built
MAINTAINER someone@example.org
