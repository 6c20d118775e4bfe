FROM python:3.13-slim-trixie
RUN ["python3", "-c", "import sys; print(sys.argv)", "$HOME", "a \"b\"", "\\", "ü"]
