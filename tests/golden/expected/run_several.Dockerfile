FROM python:3.13-slim-trixie
RUN <<'EOF'
set -ex
cd /tmp
for n in 1 2; do
  echo $n >$n
done
echo 'it'"'"'s' '$5'
EOF
