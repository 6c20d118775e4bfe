FROM python:3.13-slim-trixie AS wheels
COPY --from=context-49b6dcbd3c6e files/requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip wheel --wheel-dir /wheels -r requirements.txt

FROM python:3.13-slim-trixie
ARG VERSION=1.0
ENV APP_VERSION="${VERSION}" \
    PATH="/opt/app/bin:${PATH}"
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    python -m pip install --no-index --no-cache-dir --root-user-action=ignore /wheels/*.whl
WORKDIR /opt/app
COPY --from=context-b55f44dbbd82 files/app ./
RUN <<'EOF'
set -e
python -m compileall -q .
mkdir bin
printf '#!/bin/sh\nexec python /opt/app/main.py "$@"\n' > bin/app
chmod +x bin/app
EOF
USER nobody
HEALTHCHECK --interval=30s CMD ["app", "--check"]
ENTRYPOINT ["app"]
CMD ["--greet", "world"]
LABEL org.opencontainers.image.version=1.0
