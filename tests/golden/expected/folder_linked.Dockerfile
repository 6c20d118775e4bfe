FROM python:3.13-slim-trixie
COPY --from=app-12c331e49ded --link --chown=1000 files/ /app/code
