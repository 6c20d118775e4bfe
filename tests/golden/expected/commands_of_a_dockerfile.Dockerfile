FROM python:3.13-slim-trixie
ARG A=1
ENV B="${A:-2}" \
    C="single \$A"
COPY --from=context-6d548af935d7 files/run.sh /run.sh
RUN echo $B
