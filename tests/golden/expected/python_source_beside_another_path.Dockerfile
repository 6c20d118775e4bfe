FROM python:3.13-slim-trixie
ENV PYTHONPATH=/opt/python:/srv
COPY --from=context-2743815f4c3c files/ /opt/python
