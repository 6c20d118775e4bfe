FROM python:3.13-slim-trixie AS wheels
COPY --from=context-21c06d63b674 files/requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip wheel --wheel-dir /wheels -r requirements.txt

FROM python:3.13-slim-trixie
ARG VERSION=1.0
ENV APP_VERSION="${VERSION}" \
    PATH="/opt/app/bin:${PATH}"
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    python -m pip install --no-index --no-cache-dir --root-user-action=ignore /wheels/*.whl
WORKDIR /opt/app
COPY --from=context-330b6cb0ab3a files/app ./
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
