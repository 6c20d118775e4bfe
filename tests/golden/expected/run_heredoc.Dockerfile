FROM python:3.13-slim-trixie
RUN <<'EOF_1'
set -ex
cat <<EOF >/note
home is $HOME
EOF
grep -q home /note
EOF_1
