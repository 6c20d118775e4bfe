FROM python:3.13-slim-trixie AS uv
RUN --mount=type=cache,target=/root/.cache/pip,sharing=shared \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore python -m pip install --target=/opt/uv uv==0.13.9

FROM python:3.13-slim-trixie
RUN --mount=type=bind,from=uv,source=/opt/uv/bin,target=/run/uv \
    --mount=type=cache,target=/root/.cache/uv,sharing=shared \
    --mount=type=bind,from=files-d4dbea623ab5,source=files,target=/run/requirements/0 <<'EOF'
set -ex
export UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
/run/uv/uv pip install --system --compile-bytecode -r /run/requirements/0/requirements.txt certifi
EOF
