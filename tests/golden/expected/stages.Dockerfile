FROM python:3.13-slim-trixie AS build
COPY --from=app-de89d909eb7c files/ /src
RUN python -m compileall -q /src

FROM python:3.13-slim-trixie
COPY --from=build /src /app
COPY --from=build --chmod=0755 /src/main.py /main.py
