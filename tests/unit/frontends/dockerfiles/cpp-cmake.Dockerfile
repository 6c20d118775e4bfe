FROM ubuntu:22.04 AS toolchain
ARG DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends \
      cmake ninja-build g++ ccache \
 && rm -rf /var/lib/apt/lists/*

FROM toolchain AS build
ARG BUILD_TYPE=Release
WORKDIR /build
COPY CMakeLists.txt .
COPY cmake/ cmake/
COPY src/ src/
RUN --mount=type=cache,target=/root/.ccache cmake -G Ninja -DCMAKE_BUILD_TYPE=${BUILD_TYPE} . \
 && ninja

FROM toolchain AS test
COPY --from=build /build /build
RUN cd /build && ctest

FROM ubuntu:22.04 AS release
COPY --from=build /build/app /usr/bin/app
ENTRYPOINT /usr/bin/app --serve
