FROM gcr.io/cloud-builders/bazel@sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b AS build
COPY . /src
RUN cd /src && bazel build //cmd:server
FROM gcr.io/distroless/base-debian12@sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35
COPY --from=build /src/bazel-bin/cmd/server_/server /server
HEALTHCHECK NONE
ENTRYPOINT ["/server"]
CMD ["--port=8080"]
