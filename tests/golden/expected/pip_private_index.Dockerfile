FROM python:3.13-slim-trixie
RUN --mount=type=cache,target=/root/.cache/pip,sharing=shared \
    --mount=type=secret,id=PIP_INDEX_URL,env=PIP_INDEX_URL,required=true \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore python -m pip install internal
