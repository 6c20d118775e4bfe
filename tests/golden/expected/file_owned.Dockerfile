FROM python:3.13-slim-trixie
COPY --from=run-sh-6d548af935d7 --chown=1000:1000 --chmod=0700 files/run.sh /srv/run
