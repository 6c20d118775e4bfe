FROM python:3.13-slim-trixie
HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=5s --start-interval=1s --retries=2 CMD ["python", "-c", "print('well')"]
