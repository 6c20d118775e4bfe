FROM python:3.12-slim-bookworm
RUN --mount=type=cache,target=/root/.cache/pip,sharing=shared \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore python -m pip install numpy pandas
WORKDIR /home/data
