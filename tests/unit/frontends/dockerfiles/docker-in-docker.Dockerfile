FROM docker:24-cli

RUN set -eux; \
	apk add --no-cache \
		btrfs-progs \
		e2fsprogs \
# pigz: https://github.com/moby/moby/pull/35697 (faster gzip implementation)
		pigz \
		xfsprogs \
		zfs \
	;

ENV DIND_COMMIT 65cfcc28ab37cb75e1560e4b4738719c07c6618e
RUN wget -O /usr/local/bin/dind "https://raw.githubusercontent.com/docker/docker/${DIND_COMMIT}/hack/dind"; \
	chmod +x /usr/local/bin/dind

COPY dockerd-entrypoint.sh /usr/local/bin/
VOLUME /var/lib/docker
EXPOSE 2375 2376
ENTRYPOINT ["dockerd-entrypoint.sh"]
CMD []
