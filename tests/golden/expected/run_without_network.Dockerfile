FROM python:3.13-slim-trixie
RUN --network=none \
    echo alone
