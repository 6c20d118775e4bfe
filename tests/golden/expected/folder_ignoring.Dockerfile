FROM python:3.13-slim-trixie
COPY --from=app-53271a57b68b files/ /srv/app
