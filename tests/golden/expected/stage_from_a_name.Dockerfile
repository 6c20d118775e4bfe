FROM scratch
COPY --from=python:3.13-slim-trixie --link /etc/debian_version /etc/debian_version
