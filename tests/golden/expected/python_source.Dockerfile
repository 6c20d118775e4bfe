# check=skip=UndefinedVar

FROM python:3.13-slim-trixie
COPY --from=context-12b54db13806 files/ /opt/python
ENV PYTHONPATH="/opt/python${PYTHONPATH:+:${PYTHONPATH}}"
RUN python -c 'from files.lib import solo'
