FROM python:3.13-slim-trixie
RUN --mount=type=cache,target=/root/.cache/pip,sharing=shared \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore python -m pip install certifi idna 'six>=1.16'
