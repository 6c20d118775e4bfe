FROM python:3.13-slim-trixie
RUN --mount=type=secret,id=TOKEN,env=TOKEN,required=true \
    --mount=type=secret,id=OTHER,target=/run/other,required=true <<'EOF'
set -e
test -n "$TOKEN"
test -s /run/other
EOF
