"""Pushing an image that an engine has: by Docker's own client, or with a login of ours."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from imagebuilder import command
from imagebuilder.diagnostics import Diagnostic, EngineError
from imagebuilder.engine.imagetools import RegistryError
from imagebuilder.engine.protocol import Cancel
from imagebuilder.engine.redact import of_login, redactor

if TYPE_CHECKING:
    from imagebuilder.engine.api import Api

_AT_LEAST = 600.0
# Bytes per second: what is slower than this does not move any more.
_AT_LEAST_AS_FAST_AS = 20_000
_NOBODY = "e30="


def push(api: Api, home: Path, image: str, ref: str, login: str | None, size: int, cancel: Cancel | None) -> str:
    """See :meth:`imagebuilder.engine.protocol.Engine.push`."""
    from imagebuilder.engine.buildx import find_docker

    with _named(api, image, ref):
        client = None if login is not None else find_docker(home)
        if client is None:
            # A registry may say again what it was told.
            said = redactor(of_login(login or _NOBODY))(api.push_failure(ref, login or _NOBODY))
        else:
            said = _by_client(api, client, ref, _AT_LEAST + size / _AT_LEAST_AS_FAST_AS, cancel)
        if said:
            error = RegistryError.said(said)
            raise EngineError(Diagnostic("IB644", error.reason, help=error.help))
        digests = (api.image(ref) or {}).get("RepoDigests") or ()
    repository = ref.rpartition(":")[0].removeprefix("docker.io/").removeprefix("library/")
    return next((found.partition("@")[2] for found in digests if found.partition("@")[0] == repository), "")


@contextmanager
def _named(api: Api, image: str, ref: str) -> Iterator[None]:
    """Let the image have the name for the block; after it the name stands for what it did before."""
    before = api.image(ref)
    api.tag(image, ref)
    try:
        yield
    finally:
        if before is None:
            api.untag(ref)
        else:
            api.tag(before["Id"], ref)


def _by_client(api: Api, client: Path, ref: str, limit: float, cancel: Cancel | None) -> str:
    """Why it failed; empty where it did not. The client knows whose credentials the registry wants."""
    process = command.spawn(
        [client, "push", "--quiet", ref],
        env=dict(api.endpoint.env),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        dies_with_parent=True,
    )
    cancel = cancel or Cancel()
    try:
        with cancel.watching(process.terminate):
            _, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        return f"it had not ended after {limit:g} s"
    finally:
        process.kill()
        process.communicate()
    if process.returncode == 0 or cancel.is_set:
        return ""
    return err.decode(errors="replace").strip() or f"docker push ended with {process.returncode}"
