"""What a registry has, asked of by ``docker buildx imagetools``: no daemon is needed, and nothing is pulled.

Buildx brings Docker's own credentials, their helpers and the proxy along. It is
a process of its own, which is ended when its time is over: a registry that
takes a connection and says nothing would hold the builder for good, and every
other build of that builder with it.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from imagebuilder import command
from imagebuilder.diagnostics import ImagebuilderError

_IMAGES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
_LAYERS = "application/vnd.buildkit.cacheconfig.v0"
_CONFIGS = ("application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json")
# Of a repository that nobody has pushed to yet, registries say one or the other.
_ABSENT = re.compile(r"(?:not found|name unknown|manifest unknown|repository name not known to registry)\W*$", re.I)
_REFUSED = re.compile(r"\b(?:401|403)\b|unauthorized|forbidden|denied|no basic auth|authorization failed", re.I)
_FULL = re.compile(r"\b(?:413|507)\b|too large|insufficient storage|no space left|quota", re.I)
_LONGEST = 300
# More than any store of images holds; what says so is damaged, or wants to be.
_LARGEST = 1 << 50

Login = Callable[[list[str]], AbstractContextManager[Path | None]]


def _nothing(refs: list[str]) -> AbstractContextManager[Path | None]:
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a name stands for in a registry.

    ``size`` is the bytes of the layers as they are sent, 0 where it is a list for several platforms.
    ``is_image`` tells it from what else registries keep, such as a layer cache, whose list of layers is ``layers``.
    """

    digest: str
    size: int
    is_image: bool
    layers: str = ""


class RegistryError(Exception):
    """The registry did not do what it was asked for; ``help`` says what to do about it."""

    def __init__(self, reason: str, help: str = "can it be reached from here?") -> None:
        super().__init__(reason)
        self.reason = reason
        self.help = help

    @classmethod
    def said(cls, reason: str) -> RegistryError:
        """From the message of the registry or of who asked it."""
        if refused(reason):
            return cls(shorten(reason), "`imagebuilder registry add` or `docker login` says who asks")
        if _FULL.search(reason):
            return cls(shorten(reason), "it has no room for this, or takes no layers of this size")
        return cls(shorten(reason))


class Imagetools:
    """See the module."""

    def __init__(self, program: Path, config: Path, builder: str | None = None, login: Login = _nothing) -> None:
        """
        Args:
            program: buildx.
            config: buildx's state folder. With a builder of the person's own, theirs is used instead, and
                what that builder knows of registries holds.
            login: gives, for as long as its block lasts, Docker's configuration with the logins of those images,
                or None where the person's own is right.
        """
        self._program = program
        self._login = login
        self._builder = builder
        self._env: Mapping[str, str] = {"DOCKER_CLI_HINTS": "false"}
        if builder is None:
            self._env = {**self._env, "BUILDX_CONFIG": str(config), "BUILDX_BUILDER": ""}

    def manifest(self, ref: str, timeout: float) -> Manifest | None:
        """What the registry has under a name, or None; ``timeout`` is in seconds.

        Raises:
            RegistryError: it cannot be asked.
        """
        raw = self._inspected(ref, timeout)
        return None if raw is None else _manifest(raw)

    def read(self, ref: str, timeout: float) -> bool:
        """Have the registry send what it has under a digest, be it a manifest or not; whether there is something.

        Raises:
            RegistryError: as :meth:`manifest`.
        """
        return self._inspected(ref, timeout) is not None

    def _inspected(self, ref: str, timeout: float) -> bytes | None:
        code, out, err = self._call(["inspect", "--raw", "--", ref], [ref], timeout)
        if code == 0:
            return out
        if _ABSENT.search(err) and not refused(err):
            return None
        raise RegistryError.said(err)

    def name(self, source: str, target: str, timeout: float) -> None:
        """Give what the registry has under ``source`` another name, there or in another repository.

        Raises:
            RegistryError: it would not.
        """
        words = ["--tag", target, "--", source]
        # Without the option, which older ones do not know, a single image becomes a list of one.
        code, _, err = self._call(["create", "--prefer-index=false", *words], [source, target], timeout)
        if code and "unknown flag" in err:
            code, _, err = self._call(["create", *words], [source, target], timeout)
        if code:
            raise RegistryError.said(err)

    def _call(self, words: list[str], refs: list[str], timeout: float) -> tuple[int, bytes, str]:
        builder = [f"--builder={self._builder}"] if self._builder is not None else []
        argv = [str(self._program), "imagetools", words[0], *builder, *words[1:]]
        try:
            with self._login(refs) as folder:
                env = self._env if folder is None else {**self._env, "DOCKER_CONFIG": str(folder)}
                done = command.run(argv, env=env, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise RegistryError(f"no answer within {timeout:g} s") from None
        except ImagebuilderError as error:
            raise RegistryError(error.diagnostics[0].message, error.diagnostics[0].help) from None
        return done.returncode, done.stdout, done.stderr.decode(errors="replace").strip()


def refused(said: str) -> bool:
    """Whether a registry's message is that of one that wants another login."""
    return _REFUSED.search(said) is not None


def shorten(said: str) -> str:
    """The last line of what buildx said, without its own marks."""
    line = next((each for each in reversed(said.splitlines()) if each.strip()), "no reason given")
    line = re.sub(r"^ERROR: (?:failed to build: )?(?:failed to solve: )?", "", line.strip())
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


def _manifest(raw: bytes) -> Manifest:
    try:
        found: Any = json.loads(raw)
        config = found.get("config") or {}
        kind = found.get("mediaType") or (_IMAGES[2] if config else _IMAGES[3])
        layers = found.get("layers") or ()
        size = sum(int(layer["size"]) for layer in layers)
        if not 0 <= size <= _LARGEST:
            raise ValueError(size)
        is_image = kind in _IMAGES and (config.get("mediaType") in _CONFIGS if config else "manifests" in found)
        # Older builders put it into a list, among the layers.
        parts = [config, *(found.get("manifests") or ())]
        listed = next((str(part.get("digest", "")) for part in parts if part.get("mediaType") == _LAYERS), "")
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise RegistryError("what it has under that name is no manifest") from None
    return Manifest("sha256:" + sha256(raw).hexdigest(), size, is_image, listed)
