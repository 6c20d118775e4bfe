FROM python:3.13-slim-trixie
ENV GREETING="Hello from an image that Python described"
COPY --from=greet-py-7c64a1e75d14 --link greet.py /app/greet.py
RUN python /app/greet.py
CMD ["python", "/app/greet.py"]
