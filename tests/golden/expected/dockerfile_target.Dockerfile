FROM python:3.13-slim-trixie AS build
WORKDIR /src
COPY --from=context-ad38b89e68f4 files/src/ ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m compileall -q . &&     mkdir -p /out && cp -r . /out/app

FROM python:3.13-slim-trixie AS test
COPY --from=build /out/app /app
RUN python /app/hello.py
