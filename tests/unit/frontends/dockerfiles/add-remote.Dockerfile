FROM alpine AS fetch
ARG TINI_VERSION=v0.19.0
ADD --chmod=755 https://github.com/krallin/tini/releases/download/${TINI_VERSION}/tini /tini
ADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://example.com/linux-0.01.tar.gz /
ADD --keep-git-dir=true https://github.com/moby/buildkit.git#v0.10.1 /buildkit
ADD git@github.com:moby/moby.git /moby
ADD --unpack=false rootfs.tar.xz extra/ https://example.com/file.txt /files/
FROM scratch
ADD rootfs.tar.xz /
CMD ["/bin/sh"]
