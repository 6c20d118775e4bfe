"""Names: a registry's address as people write it, and whose an image is."""

from __future__ import annotations

import re
from collections.abc import Iterable

from imagebuilder.diagnostics import Invalid
from imagebuilder.ir import checks
from imagebuilder.store import Registry

HUB = "docker.io"
# All of them are Docker Hub to Docker, or to those who copy an address from it.
_HUB_NAMES = ("", HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com")
# What Docker's own configuration calls it.
_HUB_KEY = "https://index.docker.io/v1/"
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::[0-9]{1,5})?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def registry_name(name: str) -> str:
    """
    Raises:
        Invalid: it is none.
    """
    if not _NAME.fullmatch(name):
        raise Invalid("IB721", f"not a registry's name: {name[:80]!r}", "up to 63 letters, digits, '.', '_' and '-'")
    return name


def address(url: str) -> tuple[str, str]:
    """``[http://]host[:port]`` of an address, and the path after it.

    >>> address("https://europe-docker.pkg.dev/my-project/images/")
    ('europe-docker.pkg.dev', 'my-project/images')
    >>> address("")
    ('docker.io', '')

    Raises:
        Invalid: it is no registry's.
    """
    scheme, _, rest = url.strip().rpartition("://")
    if "@" in rest:
        # Not shown: what stands before the @ may be a password.
        raise Invalid("IB721", "a user or password inside a registry's address", "give --username and the password")
    host, _, path = rest.partition("/")
    host = host.lower()
    path = path.strip("/")
    if path in ("v1", "v2"):
        path = ""
    if host in _HUB_NAMES:
        host, scheme = HUB, ""
    if scheme.lower() not in ("", "http", "https") or not _HOST.fullmatch(host):
        raise Invalid(
            "IB721", f"not a registry's address: {url[:200]!r}", "such as ghcr.io or registry.example.com:5000"
        )
    if not _is_host(host):
        help = f"add its port, such as {host}:443, or its domain"
        raise Invalid("IB721", f"Docker would take {host!r} for a user of Docker Hub", help)
    return ("http://" if scheme.lower() == "http" else "") + host, path


def project_path(project: str, host: str) -> str:
    """
    Raises:
        Invalid: no image can lie in it.
    """
    found = project.strip("/").removeprefix(f"{host}/")
    try:
        if found:
            checks.image_reference(f"{host}/{found}/x")
    except Invalid:
        help = "what stands between the host and the image's own name, such as team or my-project/images"
        raise Invalid("IB721", f"not a project: {project[:200]!r}", help) from None
    return found


def split(ref: str) -> tuple[str, str]:
    """The host and the repository of an image, as Docker reads its name.

    >>> split("python:3.12")
    ('docker.io', 'library/python')
    >>> split("ghcr.io/team/app@sha256:…")
    ('ghcr.io', 'team/app')
    """
    name = ref.partition("@")[0]
    host, slash, path = name.partition("/")
    if not slash or not _is_host(host):
        host, path = HUB, name
    folder, slash, last = path.rpartition("/")
    path = folder + slash + last.partition(":")[0]
    host = host.lower()
    if host in _HUB_NAMES:
        host = HUB
        path = path if "/" in path else f"library/{path}"
    return host, path


def belongs(ref: str, registries: Iterable[Registry]) -> Registry | None:
    """The registry whose host and project the image's name begins with; of several the one with the longest project."""
    host, path = split(ref)
    mine = [r for r in registries if r.host == host and (not r.project or f"{path}/".startswith(f"{r.project}/"))]
    return max(mine, key=lambda r: len(r.project), default=None)


def config_key(host: str) -> str:
    """Under which name Docker's configuration has a host's login."""
    return _HUB_KEY if host == HUB else host


def host_of_key(key: str) -> str:
    """The host of a name in Docker's configuration, which may be an address: ``https://ghcr.io/v2/``."""
    host = key.rpartition("://")[2].partition("/")[0].lower()
    return HUB if host in _HUB_NAMES else host


def is_loopback(host: str) -> bool:
    """Whether it is this machine, which Docker asks without TLS, too."""
    name = host.rpartition(":")[0] or host
    return name == "localhost" or name.startswith("127.")


def _is_host(word: str) -> bool:
    return "." in word or ":" in word or word == "localhost" or word != word.lower()
