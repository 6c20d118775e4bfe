FROM python:3.13-slim-trixie
ARG IB_VALUE_b9af77b6dae0
ARG IB_VALUE_af9081672dd5
ENV CERT="${IB_VALUE_b9af77b6dae0}" \
    RETURN="${IB_VALUE_af9081672dd5}" \
    TAB="a	b"
