FROM python:3.13-slim-trixie
COPY --from=app-dcac40b3e38a files/ /srv/app
