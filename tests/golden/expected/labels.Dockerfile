FROM python:3.13-slim-trixie
ARG IB_VALUE_d3365076501b
LABEL "--flag"=1 \
    org.opencontainers.image.title="it's a title" \
    ${IB_VALUE_d3365076501b}=x \
    "with blank"="\$HOME"
