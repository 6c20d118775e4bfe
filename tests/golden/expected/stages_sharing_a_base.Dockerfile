FROM python:3.13-slim-trixie AS build
ENV SHARED=1
RUN echo shared >/shared
RUN echo left >/left

FROM python:3.13-slim-trixie AS build-2
ENV SHARED=1
RUN echo shared >/shared
RUN echo right >/right

FROM python:3.13-slim-trixie
ENV SHARED=1
RUN echo shared >/shared
COPY --from=build /left /left
COPY --from=build-2 /right /right
