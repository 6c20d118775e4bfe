FROM python:3.13-slim-trixie
WORKDIR "/srv/my app"
USER 1000:1000
WORKDIR /srv/-x
USER root
