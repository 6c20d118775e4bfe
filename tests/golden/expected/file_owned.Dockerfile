FROM python:3.13-slim-trixie
COPY --from=run-sh-29bfe05d9d5f --chown=1000:1000 --chmod=0700 run.sh /srv/run
