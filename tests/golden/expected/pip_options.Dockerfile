FROM python:3.13-slim-trixie
RUN --mount=type=cache,target=/root/.cache/pip,sharing=shared <<'EOF'
set -ex
PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore python -m pip install --find-links=/wheels --index-url=https://index.example.org/simple --extra-index-url=https://other.example.org/simple --pre --no-deps --no-compile \
    certifi \
    idna \
    'requests[socks]>=2,<3' \
    six
EOF
