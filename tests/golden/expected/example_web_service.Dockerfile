FROM python:3.13-slim-trixie
RUN useradd --system --uid 10001 --no-create-home web
COPY --from=site-f9de1e55d702 files/ /srv/site
COPY --from=serve-py-518c023c1cc2 files/serve.py /srv/serve.py
ENV PORT=8080 \
    PYTHONUNBUFFERED=1
EXPOSE 8080
USER web
WORKDIR /srv
HEALTHCHECK --interval=2s --timeout=3s --start-period=1s --retries=3 CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/', timeout=2)"]
STOPSIGNAL SIGINT
CMD ["python", "serve.py"]
