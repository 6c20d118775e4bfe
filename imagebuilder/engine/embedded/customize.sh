#!/bin/sh
# Run by mmdebstrap as a hook: customize.sh ROOT, with PYTHON=3.11 or empty; the
# exact version goes into the file FACTS.
# Makes Debian's Python look as it does in the official image, where scripts and
# people expect it: under /usr/local/bin, and free to be installed into.
set -eu
root=$1

if [ -n "${PYTHON:-}" ]; then
    ln -s "/usr/bin/python$PYTHON" "$root/usr/local/bin/python$PYTHON"
    ln -s "python$PYTHON" "$root/usr/local/bin/python3"
    ln -s python3 "$root/usr/local/bin/python"
    cat >"$root/usr/local/bin/pip" <<PIP
#!/usr/local/bin/python$PYTHON
import sys
from pip._internal.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
PIP
    chmod 755 "$root/usr/local/bin/pip"
    for name in pip3 "pip$PYTHON"; do
        cp -p "$root/usr/local/bin/pip" "$root/usr/local/bin/$name"
    done
    chroot "$root" python3 -c 'import platform; print(platform.python_version())' >"$FACTS"
    rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
    # Headers, as the official image has them, without the compiler they ask for.
    chroot "$root" sh -c "cd /tmp && apt-get download -qq libpython$PYTHON-dev && dpkg-deb -x libpython*.deb dev"
    cp -a "$root/tmp/dev/usr/include/." "$root/usr/include/"
    rm -rf "$root"/tmp/*
    find "$root/usr/lib" "$root/usr/share" -depth -name __pycache__ -type d -exec rm -rf {} +
fi
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb \
    "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old "$root"/etc/apt/apt.conf.d/99mmdebstrap \
    "$root"/etc/resolv.conf "$root"/etc/hostname
if [ -n "${APT_SETTINGS:-}" ]; then
    printf '%s\n' "$APT_SETTINGS" >"$root/etc/apt/apt.conf.d/90imagebuilder"
fi
# An image keeps no package files, as the official one does not.
cat >"$root/etc/apt/apt.conf.d/docker-clean" <<'CLEAN'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
CLEAN
