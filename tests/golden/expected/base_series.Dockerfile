FROM python:3.11-slim-bookworm
RUN python3 --version
