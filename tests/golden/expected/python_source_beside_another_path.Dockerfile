FROM python:3.13-slim-trixie
ENV PYTHONPATH=/srv
COPY --from=context-b7e585dae6e7 files/ /opt/python
ENV PYTHONPATH="/opt/python:${PYTHONPATH}"
COPY --from=context-d7bbf4f5cf41 files/ /opt/python
RUN python -c 'from files.lib import solo, tools'
