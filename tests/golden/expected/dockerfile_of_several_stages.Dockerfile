FROM python:3.13-slim-trixie AS build
WORKDIR /src
COPY --from=context-ad38b89e68f4 files/src/ ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m compileall -q . &&     mkdir -p /out && cp -r . /out/app

FROM python:3.13-slim-trixie
ARG VERSION=2.0
ENV VERSION="${VERSION}" \
    PATH="/opt/bin:${PATH}"
LABEL org.opencontainers.image.version="${VERSION}" \
    note="it's \"quoted\""
COPY --from=build --chmod=755 /out/app /app
COPY <<EOF /etc/motd
version ${VERSION}
costs \$5
EOF
RUN <<'EOF'
set -e
echo "$VERSION" >/version
EOF
USER 1000:1000
EXPOSE 8080/tcp
HEALTHCHECK --interval=30s CMD ["python", "/app/hello.py"]
ENTRYPOINT ["python"]
CMD ["/app/hello.py"]
