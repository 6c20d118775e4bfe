FROM python:3.13-slim-trixie
ENV PYTHONPATH=/srv
COPY --from=context-2743815f4c3c files/ /opt/python
ENV PYTHONPATH="/opt/python:${PYTHONPATH}"
COPY --from=context-7b88686b236b files/ /opt/python
RUN python -c 'from files.lib import solo, tools'
