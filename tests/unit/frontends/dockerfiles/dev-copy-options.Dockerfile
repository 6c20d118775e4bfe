# syntax=docker/dockerfile:1.20
FROM node:22 AS all
WORKDIR /repo
COPY --parents ./packages/./*/package.json package.json ./
COPY --exclude=*.md --exclude=**/*_test.js --link . .
FROM all
COPY --from=0 /repo/dist /dist
COPY --from=all --link=false /repo/a /repo/b /c/
