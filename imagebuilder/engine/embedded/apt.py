"""What this machine's apt knows (its mirrors), and mmdebstrap, which builds on it."""

from __future__ import annotations

import os
import re
import shutil
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagebuilder import command
from imagebuilder.engine.embedded.layout import OnLine, failure

MIRROR = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
MIRROR_ENV = "IMAGEBUILDER_DEBIAN_MIRROR"
SOURCES = Path("/etc/apt")
NEEDED_BYTES = 2_000_000_000

_SUITES = (
    "bullseye", "bookworm", "trixie", "forky", "duke", "sid",
    "stable", "testing", "unstable", "oldstable", "oldoldstable",
)  # fmt: skip
_SUITE = re.compile(rf"({'|'.join(_SUITES)})([-/].*)?")
_LINE = re.compile(r"^\s*deb\s+(?:\[[^]]*\]\s*)?(\S+)\s+(\S+)")

# Everything a killed builder leaves dies with it: its processes and its mounts
# live in namespaces that end when this process does.
_CONTAINED = (
    "setpriv", "--pdeathsig", "KILL",
    "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
)  # fmt: skip


@dataclass(frozen=True)
class Mirrors:
    """The URIs of Debian's archive and of its security archive."""

    main: str = MIRROR
    security: str = SECURITY

    def sources(self, suite: str) -> list[str]:
        """The lines of a sources.list for one suite, with its updates where it has any."""
        lines = [f"deb {self.main} {suite} main"]
        if suite not in ("sid", "unstable", "testing"):
            lines += [
                f"deb {self.main} {suite}-updates main",
                f"deb {self.security} {suite}-security main",
            ]
        return lines


def find_mirrors(root: Path = SOURCES) -> Mirrors:
    """The mirrors this machine installs Debian from; the public ones where it names none.

    The environment variable ``IMAGEBUILDER_DEBIAN_MIRROR`` overrides the archive;
    the security archive is then taken to lie beside it.
    """
    if override := os.environ.get(MIRROR_ENV, "").strip().rstrip("/"):
        return Mirrors(override, f"{override}-security")
    main = security = None
    for uri, suite in _entries(root):
        found = _SUITE.fullmatch(suite)
        if found is None or not uri.startswith(("http://", "https://")):
            continue
        if (found[2] or "") in ("-security", "/updates"):
            security = security or uri.rstrip("/")
        elif found[2] is None:
            main = main or uri.rstrip("/")
    return Mirrors(main or MIRROR, security or SECURITY)


def _entries(root: Path) -> Iterable[tuple[str, str]]:
    """(URI, suite) of every binary source, in the order apt reads them."""
    parts = sorted((root / "sources.list.d").glob("*")) if (root / "sources.list.d").is_dir() else []
    for file in [root / "sources.list", *parts]:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if file.suffix == ".list":
            for line in text.splitlines():
                if found := _LINE.match(line):
                    yield found[1], found[2]
        elif file.suffix == ".sources":
            yield from _deb822(text)


def _deb822(text: str) -> Iterable[tuple[str, str]]:
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", lines):
        fields: dict[str, list[str]] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields.setdefault(name, []).extend(line.split())
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.split()
        if fields.get("enabled", ["yes"])[:1] == ["no"] or "deb" not in fields.get("types", []):
            continue
        for uri in fields.get("uris", []):
            for suite in fields.get("suites", []):
                yield uri, suite


def settings() -> list[str]:
    """The apt settings an image must share to use this machine's mirror.

    A frozen mirror has Release files past their date; a machine that installs
    from one has switched the check off, and so must whatever uses its mirror.
    """
    if shutil.which("apt-config") is None:
        return []
    done = command.run(["apt-config", "dump", "Acquire::Check-Valid-Until", "Acquire::Check-Date"])
    return sorted(line for line in done.stdout.decode().splitlines() if re.search(r'"(false|no|0)";$', line))


def require_space(path: Path) -> None:
    """Raises: EngineError (IB514) where less than 2 GB are free."""
    free = shutil.disk_usage(path).free
    if free < NEEDED_BYTES:
        raise failure(
            "IB514",
            f"{free / 1e9:.1f} GB are free below {path}, and 2 GB are needed",
            "free some space, or set IMAGEBUILDER_HOME to a folder on a larger disk",
        )


def ensure_mmdebstrap(on_line: OnLine) -> None:
    """Install mmdebstrap where it is missing.

    Raises:
        EngineError: IB513 without apt, IB516 where apt cannot install it.
    """
    if shutil.which("mmdebstrap"):
        return
    if shutil.which("apt-get") is None:
        raise failure(
            "IB513",
            "there is no apt-get here, and the embedded engine is made from Debian's packages",
            "install Docker Engine another way and set DOCKER_HOST",
        )
    on_line("installing mmdebstrap with apt-get")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    updated = command.run(["apt-get", "update"], env=env)
    done = command.run(["apt-get", "install", "-y", "--no-install-recommends", "mmdebstrap"], env=env)
    if done.returncode or shutil.which("mmdebstrap") is None:
        said = (updated.stderr + done.stderr).decode(errors="replace").strip().splitlines()
        raise failure(
            "IB516",
            "apt-get could not install mmdebstrap",
            "can this machine reach its mirrors? `apt-get update` says more",
            said[-8:],
        )


def mmdebstrap(arguments: Sequence[str], *, env: dict[str, str] | None = None, on_line: OnLine, cwd: Path) -> None:
    """Run mmdebstrap, each of its lines to ``on_line``.

    Raises:
        EngineError: IB515 with its last lines where it fails.
    """
    argv = [*_CONTAINED, "mmdebstrap", *arguments]
    settings = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", **(env or {})}
    tail: deque[str] = deque(maxlen=12)
    with Path(os.devnull).open("wb") as nowhere:
        process = command.spawn(argv, env=settings, stdout=nowhere, stderr=command.PIPE, cwd=cwd)
    try:
        for raw in process.stderr or ():
            line = raw.decode(errors="replace").rstrip().removeprefix("I: ")
            if line:
                tail.append(line)
                on_line(line)
        code = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stderr:
            process.stderr.close()
    if code:
        raise failure(
            "IB515",
            f"mmdebstrap ended with exit code {code}",
            f"the mirror in use is named by {MIRROR_ENV} or by the machine's apt sources; can it be reached?",
            tail,
        )
