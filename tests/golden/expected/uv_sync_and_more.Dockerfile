FROM python:3.13-slim-trixie AS uv
RUN --mount=type=cache,target=/root/.cache/pip,sharing=shared \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore python -m pip install --target=/opt/uv uv==0.13.9

FROM python:3.13-slim-trixie
RUN --mount=type=bind,from=uv,source=/opt/uv/bin,target=/run/uv \
    --mount=type=cache,target=/root/.cache/uv,sharing=shared \
    --mount=type=bind,from=locked-d238c425af5e,source=files,target=/run/project <<'EOF'
set -ex
export UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
UV_PROJECT_ENVIRONMENT=/opt/venv /run/uv/uv sync --project=/run/project --frozen --no-install-project --compile-bytecode
EOF
ENV PATH="/opt/venv/bin:${PATH}" \
    VIRTUAL_ENV=/opt/venv
RUN --mount=type=cache,target=/root/.cache/pip,sharing=shared \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PATH="$(echo "$PATH" | sed s#/opt/venv/bin:##)" python -m pip --python=/opt/venv install six
RUN --mount=type=bind,from=uv,source=/opt/uv/bin,target=/run/uv \
    --mount=type=cache,target=/root/.cache/uv,sharing=shared <<'EOF'
set -ex
export UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
/run/uv/uv pip install --python=/opt/venv --compile-bytecode idna
EOF
