# check=skip=JSONArgsRecommended

FROM python:3.13-slim-trixie
RUN echo one &&     echo two
ENV WINDOWS="C:\\temp"
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN true | true
STOPSIGNAL 9
VOLUME ["/data", "\"/with blank\""]
CMD python -c 'print("shell form")'
