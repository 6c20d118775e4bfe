FROM python:3.13-slim-trixie
RUN python -m venv /venv && for n in 1 2 3; do cp -r /venv /packages$n; done
COPY --from=src-037ffe65efb3 files/ /app
RUN python -m compileall -q /app
USER 1000
CMD ["python", "/app/main.py"]
