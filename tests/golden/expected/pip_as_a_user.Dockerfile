FROM python:3.13-slim-trixie
RUN useradd --create-home app
USER app
RUN PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore python -m pip install six
