ARG REGISTRY=docker.io/library
ARG DISTRO=debian
ARG VERSION=12.5
ARG FLAVOUR=slim
ARG FULL=${REGISTRY}/${DISTRO}:${VERSION%.*}${FLAVOUR:+-$FLAVOUR}
FROM ${FULL} AS common
ARG VERSION
ARG DISTRO=overridden BUILD_ID
LABEL version="${VERSION}" distro=$DISTRO build="${BUILD_ID:-none}"

FROM common AS variant-minimal
ENV EXTRAS=""
FROM common AS variant-full
ENV EXTRAS="git vim"

ARG VARIANT=minimal
FROM variant-minimal AS final
ARG VERSION
ENV DIR=etc-$VERSION
COPY config/${VERSION%%.*}/ /etc/app/
COPY $DIR/* /etc/app.d/
WORKDIR /srv/${VERSION}
