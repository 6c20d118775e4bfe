# check=skip=UndefinedVar

FROM python:3.13-slim-trixie
ENV CONF="${XDG:-/etc}/app \$5" \
    PATH="/opt/bin:${PATH}"
