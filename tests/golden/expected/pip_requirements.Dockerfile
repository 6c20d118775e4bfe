FROM python:3.13-slim-trixie
RUN --mount=type=cache,target=/root/.cache/pip,sharing=shared \
    --mount=type=bind,from=files-d4dbea623ab5,source=files,target=/run/requirements \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore python -m pip install -r /run/requirements/requirements.txt
