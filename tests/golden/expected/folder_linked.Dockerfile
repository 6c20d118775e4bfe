FROM python:3.13-slim-trixie
COPY --from=app-de89d909eb7c --link --chown=1000 files/ /app/code
