# check=skip=MaintainerDeprecated

FROM python:3.13-slim-trixie AS build
WORKDIR /src
COPY --from=context-ad38b89e68f4 files/src/ ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m compileall -q . &&     mkdir -p /out && cp -r . /out/app

FROM python:3.13-slim-trixie
ADD context-ad38b89e68f4/files/src /app/
ADD --chown=1000:1000 context-ad38b89e68f4/files/src/hello.py /app/copy.py
COPY --from=context-ad38b89e68f4 --link files/src/*.py files/src/sub* /flat/
ONBUILD RUN echo built
MAINTAINER someone@example.org
RUN --mount=type=cache,target=/root/.cache/pip,sharing=shared \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore python -m pip install six
COPY --from=build /out/app /more
