FROM python:3.13-slim-trixie
COPY --from=run-sh-6d548af935d7 files/run.sh /usr/local/bin/run.sh
COPY --from=main-py-7eb8fba8ba52 files/main.py /app.py
