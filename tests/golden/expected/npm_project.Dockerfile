FROM node:22-slim
COPY --from=web-1228f8f96cf2 files/ /app
RUN --mount=type=cache,target=/root/.npm,sharing=locked <<'EOF'
set -ex
cd /app
if [ -f package-lock.json ]; then npm ci --omit=dev; else npm install --omit=dev; fi
EOF
WORKDIR /app
