FROM python:3.13-slim-trixie
COPY --from=run-sh-fb82bac6358d files/run.sh /usr/local/bin/run.sh
COPY --from=main-py-a18788cb915e files/main.py /app.py
