FROM node:22-slim
RUN --mount=type=cache,target=/root/.npm,sharing=locked \
    npm install --global is-number typescript@5
