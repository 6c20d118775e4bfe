ARG AIRFLOW_VERSION="2.8.1"
ARG PYTHON_BASE_IMAGE="python:3.8-slim-bookworm"
FROM scratch as scripts
COPY <<"EOF" /install_os_dependencies.sh
#!/usr/bin/env bash
set -euo pipefail
if [[ "$#" != 1 ]]; then
    echo "ERROR! There should be 'runtime' or 'dev' parameter passed as argument.".
    exit 1
fi
EOF

COPY <<"EOF" /common.sh
#!/usr/bin/env bash
COLOR_BLUE=$'\e[34m'
echo "${COLOR_BLUE}"
EOF

FROM ${PYTHON_BASE_IMAGE} as airflow-build-image
SHELL ["/bin/bash", "-o", "pipefail", "-o", "errexit", "-o", "nounset", "-o", "nolog", "-c"]
ARG PYTHON_BASE_IMAGE
ENV PYTHON_BASE_IMAGE=${PYTHON_BASE_IMAGE} \
    DEBIAN_FRONTEND=noninteractive LANGUAGE=C.UTF-8 LANG=C.UTF-8
ARG ADDITIONAL_DEV_APT_COMMAND=""
COPY --from=scripts install_os_dependencies.sh /scripts/docker/
RUN bash /scripts/docker/install_os_dependencies.sh dev
LABEL org.apache.airflow.distro="debian" \
  org.apache.airflow.module="airflow" \
  org.opencontainers.image.version="${PYTHON_BASE_IMAGE}"
ENTRYPOINT ["/usr/bin/dumb-init", "--", "/entrypoint"]
