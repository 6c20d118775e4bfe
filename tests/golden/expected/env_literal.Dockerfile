FROM python:3.13-slim-trixie
ENV BLANKS="  a  " \
    EMPTY="" \
    PRICE="\$5" \
    QUOTES="it's \"so\"" \
    SLASHES="C:\\new\\" \
    UNI="日本 ü"
