FROM python:3.13-slim-trixie
RUN python -m venv /venv && for n in 1 2 3; do cp -r /venv /packages$n; done
COPY --from=src-06838f4a57cd files/ /app
RUN python -m compileall -q /app
USER 1000
CMD ["python", "/app/main.py"]
