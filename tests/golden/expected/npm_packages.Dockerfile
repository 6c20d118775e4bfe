FROM node:22-slim
RUN --mount=type=cache,target=/root/.npm,sharing=locked \
    --mount=type=tmpfs,target=/run/npm <<'EOF'
set -ex
export TMPDIR=/run/npm PYTHONDONTWRITEBYTECODE=1 npm_config_cache=/root/.npm npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false npm_config_logs_max=0
npm install --global is-number typescript@5
rm -rf ~/.cache/node-gyp
EOF
