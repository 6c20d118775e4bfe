FROM python:3.13-slim-trixie
COPY --from=run-sh-fb82bac6358d --chown=1000:1000 --chmod=0700 files/run.sh /srv/run
