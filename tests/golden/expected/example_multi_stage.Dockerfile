FROM python:3.13-slim-trixie AS build
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked <<'EOF'
set -ex
rm -f /etc/apt/apt.conf.d/docker-clean
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o APT::Keep-Downloaded-Packages=true gcc libc6-dev
rm -f /var/log/apt/*.log /var/log/apt/eipp.log.xz /var/log/dpkg.log /var/log/alternatives.log /var/log/fontconfig.log /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old
EOF
COPY --from=answer-c-7cd0e9f36f22 files/answer.c /src/answer.c
RUN gcc -O2 -static -o /src/answer /src/answer.c

FROM scratch
COPY --from=build --link /src/answer /answer
USER 65534:65534
ENTRYPOINT ["/answer"]
