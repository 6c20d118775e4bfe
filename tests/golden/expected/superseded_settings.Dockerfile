FROM python:3.13-slim-trixie
ENV A=1
CMD ["two"]
ENV A=2
