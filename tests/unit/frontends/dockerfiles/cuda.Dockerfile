ARG CUDA_VERSION=12.4.1
ARG PYTHON_VERSION=3.12
FROM nvidia/cuda:${CUDA_VERSION}-devel-ubuntu20.04 AS base
ARG CUDA_VERSION=12.4.1
ARG PYTHON_VERSION=3.12
ARG TARGETPLATFORM
ENV DEBIAN_FRONTEND=noninteractive

RUN echo 'tzdata tzdata/Areas select America' | debconf-set-selections \
    && apt-get update -y \
    && if [ "$TARGETPLATFORM" = "linux/arm64" ]; then echo arm; fi
RUN ldconfig /usr/local/cuda-$(echo $CUDA_VERSION | cut -d. -f1,2)/compat/
ARG torch_cuda_arch_list='7.0 7.5 8.0 8.6 8.9 9.0+PTX'
ENV TORCH_CUDA_ARCH_LIST=${torch_cuda_arch_list}

FROM base AS build
COPY requirements/build.txt requirements/build.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m pip install -r requirements/build.txt
ARG USE_SCCACHE
RUN --mount=type=bind,source=.git,target=.git \
    if [ "$USE_SCCACHE" != "1" ]; then python3 setup.py bdist_wheel --dist-dir=dist; fi

FROM nvidia/cuda:${CUDA_VERSION}-base-ubuntu22.04 AS final
RUN --mount=type=bind,from=build,src=/workspace/dist,target=/vllm-workspace/dist \
    python3 -m pip install dist/*.whl --verbose
ENTRYPOINT ["python3", "-m", "vllm.entrypoints.openai.api_server"]
