"""Images that other machines built, in a registry, under their keys; and the layers of those that were built last.

The key says what an image is, so whoever built it first has built it for all:
``REF:key-sha256-<key>`` is asked for before anything is built, and what was
built is pushed there. (Not ``sha256-<key>``: registries and those who clean them
up take such a tag for a signature of an image that is gone, and remove it.)

A registry can only save work. Whatever it does, or does not, the build goes on;
the person is told once, and it is left alone for the rest of the build.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

from imagebuilder.cache.branches import Branches, branches, tag
from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid
from imagebuilder.engine.imagetools import Imagetools, Manifest, RegistryError
from imagebuilder.ir import checks
from imagebuilder.ir.stage import Stage

LOOK_UP_TIMEOUT = 10.0
NAME_TIMEOUT = 120.0
_PUSH_AT_LEAST = 120.0
# Bytes per second: slower than this, building anew would be as quick.
_PUSH_AT_LEAST_AS_FAST_AS = 1_000_000

Warn = Callable[[Diagnostic], None]


class Tools(Protocol):
    """What is asked of a registry; see :class:`imagebuilder.engine.imagetools.Imagetools`."""

    def manifest(self, ref: str, timeout: float) -> Manifest | None: ...

    def read(self, ref: str, timeout: float) -> bool: ...

    def name(self, source: str, target: str, timeout: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Found:
    """An image in the registry. ``ref`` names it by its digest; ``size`` is in bytes, as it is sent."""

    ref: str
    digest: str
    size: int


class Registry:
    """One repository as a cache, for the builds of one call; safe to use from several threads."""

    def __init__(self, ref: str, tools: Callable[[], Tools], where: Branches) -> None:
        """
        Args:
            tools: called when the registry is first asked.

        Raises:
            CompileError: ``ref`` is not a repository.
        """
        self.ref = repository(ref)
        self._tools = tools
        self._branches = where
        self._usable = True
        self._lock = Lock()

    @property
    def usable(self) -> bool:
        """False once it has failed."""
        return self._usable

    def tag(self, key: str) -> str:
        """The name of the image of that key."""
        return f"{self.ref}:key-{key.replace(':', '-')}"

    def find(self, key: str, warn: Warn) -> Found | None:
        """The image of that key, if the registry has it and can be asked."""
        if not self._usable:
            return None
        try:
            found = self._tools().manifest(self.tag(key), LOOK_UP_TIMEOUT)
            if found is None:
                return None
            if not found.is_image:
                raise RegistryError(f"{self.tag(key)} is not an image")
        except RegistryError as error:
            self.fail(warn, self._unusable(error))
            return None
        return Found(f"{self.ref}@{found.digest}", found.digest, found.size)

    def layers(self, name: str, warn: Warn) -> tuple[str, ...]:
        """The layer caches for a snapshot of that name that are there and answer.

        The builder must not be sent to one that hangs: it would wait for ever, and with it every other build that
        has a step in common. So what it reads first is read here before.
        """
        if not self._usable:
            return ()
        from concurrent.futures import ThreadPoolExecutor

        refs = [f"{self.ref}:{tag(branch, name)}" for branch in self._branches.read]
        found = []
        with ThreadPoolExecutor(max_workers=len(refs)) as pool:
            asked = [pool.submit(self._has_layers, ref) for ref in refs]
            for ref, answer in zip(refs, asked, strict=True):
                try:
                    if answer.result():
                        found.append(ref)
                except RegistryError as error:
                    self.fail(warn, self._unusable(error))
        return tuple(found) if self._usable else ()

    def _has_layers(self, ref: str) -> bool:
        tools = self._tools()
        found = tools.manifest(ref, LOOK_UP_TIMEOUT)
        if found is None or not found.layers:
            return found is not None
        return tools.read(f"{self.ref}@{found.layers}", LOOK_UP_TIMEOUT)

    def written(self, name: str) -> str | None:
        """Where the layers of a snapshot of that name go, or None: one place for several would keep the last one's."""
        return f"{self.ref}:{tag(self._branches.own, name)}" if self._branches.own else None

    def not_pushed(self, said: str, warn: Warn) -> None:
        """Tell of a push that failed with that message."""
        error = RegistryError.said(said)
        message = f"the image was built, and could not be pushed to the cache {self.ref}: {error.reason}"
        self.fail(warn, Diagnostic("IB642", message, help=error.help, severity="warning"))

    def name(self, found: str, target: str) -> None:
        """Give an image of this registry a name of the person's choosing.

        Raises:
            RegistryError: the registry would not.
        """
        self._tools().name(found, target, NAME_TIMEOUT)

    def fail(self, warn: Warn, told: Diagnostic) -> None:
        """Leave the registry alone from now on; the first that fails is told of."""
        with self._lock:
            first, self._usable = self._usable, False
        if first:
            warn(told)

    def _unusable(self, error: RegistryError) -> Diagnostic:
        message = f"the build goes on without the cache {self.ref}: {error.reason}"
        return Diagnostic("IB641", message, help=error.help, severity="warning")


def push_limit(size: int) -> float:
    """Seconds that a push may take, of an image of so many bytes."""
    return _PUSH_AT_LEAST + size / _PUSH_AT_LEAST_AS_FAST_AS


def leaks(stage: Stage) -> Diagnostic | None:
    """Why an image must not leave this machine: a build argument that holds a secret is in its history."""
    from imagebuilder.lint import secrets_pushed

    found = secrets_pushed(stage)
    if found is None:
        return None
    return Diagnostic(
        "IB643",
        f"the image is not pushed: {found.message}, and whoever pulls it could read it",
        found.place,
        help=found.help,
        severity="warning",
        hidden=found.hidden,
    )


def repository(ref: str) -> str:
    """The name of a repository, as it is.

    Raises:
        CompileError: it is none, or names one image of it.
    """
    last = ref.rpartition("/")[2]
    try:
        checks.image_reference(ref)
    except Invalid as error:
        raise CompileError(
            Diagnostic("IB640", f"not a repository for the cache: {ref!r}", help=error.help or "such as HOST/NAME")
        ) from None
    if ":" in last or "@" in last or "/" not in ref:
        help = "give HOST/NAME, such as ghcr.io/team/app-cache, without a tag: each image gets one of its own"
        raise CompileError(Diagnostic("IB640", f"not a repository for the cache: {ref!r}", help=help))
    return ref


def connect(ref: str, home: Path, builder: str | None = None) -> Registry:
    """The cache of that name, asked through buildx with its login where it is one of ours, else with Docker's.

    Raises:
        CompileError: it is no repository.
    """

    def tools() -> Tools:
        from imagebuilder.diagnostics import EngineError
        from imagebuilder.engine.buildx import find_program
        from imagebuilder.registries import Registries
        from imagebuilder.store import Store

        try:
            return Imagetools(find_program(home), home / "buildx", builder, Registries(Store(home)).docker_config)
        except EngineError as error:
            raise RegistryError(error.diagnostics[0].message, error.diagnostics[0].help) from None

    return Registry(ref, tools, branches(os.environ, Path.cwd()))
