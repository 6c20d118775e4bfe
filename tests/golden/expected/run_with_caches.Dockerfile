FROM python:3.13-slim-trixie
RUN --mount=type=cache,target=/var/cache/app,sharing=locked \
    --mount=type=cache,target=/var/cache/more,sharing=locked \
    touch /var/cache/app/x
