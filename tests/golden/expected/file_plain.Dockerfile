FROM python:3.13-slim-trixie
COPY --from=run-sh-29bfe05d9d5f run.sh /usr/local/bin/run.sh
COPY --from=main-py-859602712c5b main.py /app.py
