FROM python:3.13-slim-trixie
ENV GREETING="Hello from an image that Python described"
COPY --from=greet-py-bdb0122237a5 --link files/greet.py /app/greet.py
RUN python /app/greet.py
USER nobody
CMD ["python", "/app/greet.py"]
