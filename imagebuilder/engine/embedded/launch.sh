#!/bin/sh
# Started by engine.py as process 1 of a mount and a PID namespace of its own:
#   launch.sh ROOTFS DATA RUN
# The root of the mount namespace must BE the root file system: under a plain
# chroot, `docker exec` would drop its caller into the host's files, because
# entering a namespace also enters its real root.
set -eu
root=$1 data=$2 run=$3
umask 022

mount --make-rprivate /
mount --bind "$root" "$root"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
mkdir -m 700 "$root/run/imagebuilder"
mkdir -p "$root/var/lib/docker" "$root/.old"
mount --bind "$run" "$root/run/imagebuilder"
mount --bind "$data" "$root/var/lib/docker"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
if [ -d /lib/modules ]; then
    mkdir -p "$root/usr/lib/modules"
    mount --bind /lib/modules "$root/usr/lib/modules"
fi

cd "$root"
pivot_root . .old
cd /
umount -l /.old

# A daemon outlives its caller, so it keeps none of the caller's environment but
# the proxies: tokens have no business in it. docker-init reaps what containers leave.
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root LANG=C.UTF-8 \
    ${HTTP_PROXY+HTTP_PROXY="$HTTP_PROXY"} ${http_proxy+http_proxy="$http_proxy"} \
    ${HTTPS_PROXY+HTTPS_PROXY="$HTTPS_PROXY"} ${https_proxy+https_proxy="$https_proxy"} \
    ${NO_PROXY+NO_PROXY="$NO_PROXY"} ${no_proxy+no_proxy="$no_proxy"} \
    docker-init -- dockerd
