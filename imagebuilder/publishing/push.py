"""Pushing a snapshot's image: the very bytes that the engine has, with what is said of them beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

from imagebuilder.cache.registry import Registry, Warn, leaks
from imagebuilder.compiler import Plan
from imagebuilder.diagnostics import BuildError, CompileError, Diagnostic, EngineError, Interrupted, Invalid
from imagebuilder.engine.contents import read
from imagebuilder.engine.imagetools import RegistryError
from imagebuilder.engine.protocol import Cancel, Engine
from imagebuilder.ir import checks
from imagebuilder.locks import lock
from imagebuilder.publishing.annotations import said_of
from imagebuilder.publishing.attested import Predicate, attested
from imagebuilder.publishing.provenance import kept, predicate_type
from imagebuilder.publishing.sbom import PREDICATE, sbom
from imagebuilder.registries import Registries
from imagebuilder.sandbox import Sandboxes
from imagebuilder.store import Snapshot, Store

Tell = Callable[[str], None]

_LOADED = "docker.io/imagebuilder/publishing"
_LONG_AGO = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Publication:
    """What is pushed under which name. ``lock`` is the file that answered the plan; ``attest`` asks for what is said
    of the image; ``undated`` is the time of an image that does not tell when it was made."""

    plan: Plan
    ref: str
    lock: Path | None
    attest: bool
    undated: str


def push(
    wanted: Publication,
    snapshot: Snapshot,
    *,
    shared: Registry | None,
    engine: Callable[[], Engine],
    store: Store,
    cancel: Cancel | None,
    warn: Warn,
    tell: Tell,
) -> str:
    """Push a snapshot's image.

    Args:
        shared: the cache, where it has this image: then nothing of it has to be sent again.
        engine: called where one is needed; an image of the cache that gets a name alone needs none.

    Returns:
        ``REPOSITORY@DIGEST`` of what the name stands for now, or the name where nobody said the digest.

    Raises:
        BuildError: the registry would not.
        Interrupted: Ctrl-C.
    """
    ref = wanted.ref
    try:
        if shared is not None and _named(shared, wanted):
            tell(f"pushed as {ref}")
            return ref
        image = snapshot.image if "@" in snapshot.image else snapshot.digest
        logins = Registries(store)
        if "@" in image:
            engine().fetch(image, logins.header(image))
        with (
            _alone(ref, store, cancel, tell),
            _complete(wanted, image, snapshot.id, engine(), store, warn, tell) as source,
        ):
            tell(f"pushing to {ref}")
            digest = engine().push(source, ref, logins.header(ref), size=snapshot.size, cancel=cancel)
    except RegistryError as error:
        _failed(ref, error)
    except EngineError as error:
        told = error.diagnostics[0]
        # Of an engine that is gone the registry has said nothing.
        if told.code in ("IB644", "IB645", "IB541"):
            _failed(ref, RegistryError(told.message, told.help))
        raise
    except KeyboardInterrupt:
        raise _interrupted() from None
    if cancel is not None and cancel.is_set:
        raise _interrupted()
    tell(f"pushed as {ref}" + (f", {digest}" if digest else ""))
    return f"{repository(ref)}@{digest}" if digest else ref


def pushable(ref: str) -> str:
    """The name that an image may be pushed under, with the tag that it means; CompileError where it is none."""
    try:
        checks.image_reference(ref)
    except Invalid as error:
        raise CompileError(error.at(None)) from None
    if "@" in ref:
        help = "give NAME:TAG; the digest is what comes of it"
        raise CompileError(Diagnostic("IB125", f"an image is pushed under a name, not a digest: {ref!r}", help=help))
    return ref if ":" in ref.rpartition("/")[2] else f"{ref}:latest"


def refuse_secrets(plan: Plan) -> None:
    """CompileError where the image would hold what looks like a secret."""
    if leak := leaks(plan.stage):
        raise CompileError(replace(leak, severity="error"))


def repository(ref: str) -> str:
    """Without its tag.

    >>> repository("127.0.0.1:5000/app:1"), repository("127.0.0.1:5000/app")
    ('127.0.0.1:5000/app', '127.0.0.1:5000/app')
    """
    name, _, tag = ref.rpartition(":")
    return ref if not name or "/" in tag else name


def _named(shared: Registry, wanted: Publication) -> bool:
    """Give what the cache has the name; whether that is all."""
    try:
        shared.name(shared.tag(wanted.plan.key), wanted.ref)
    except RegistryError:
        # With attestations it only saved sending layers.
        if not wanted.attest:
            raise
    return not wanted.attest


@contextmanager
def _alone(ref: str, store: Store, cancel: Cancel | None, tell: Tell) -> Iterator[None]:
    """Hold a repository: its names stand for one image at a time in the engine, and are taken away after a push."""

    def still() -> None:
        if cancel is not None and cancel.is_set:
            raise _interrupted()

    name = f"push-{sha256(repository(ref).encode()).hexdigest()[:40]}"
    with lock(store.locks / name, lambda: tell(f"waiting for another push to {repository(ref)}"), still):
        yield


@contextmanager
def _complete(
    wanted: Publication, image: str, snapshot: str, engine: Engine, store: Store, warn: Warn, tell: Tell
) -> Iterator[str]:
    """What the engine is asked to push: the image, or an index of it that is gone with the block."""
    manifest = engine.manifest(image) if wanted.attest else None
    if manifest is None:
        if wanted.attest:
            warn(_bare())
        yield image
        return
    created = "" if manifest.created == wanted.undated else manifest.created
    sandboxes = Sandboxes(store.home, lambda: engine.containers, lambda: "")
    with sandboxes.unstarted(image) as id, engine.containers.export(id) as archive:
        contents = read(archive)
    said = [Predicate(PREDICATE, sbom(contents, repository(wanted.ref), manifest.digest, _seconds(manifest.created)))]
    recorded = kept(store.provenance_path(snapshot))
    if recorded is None:
        tell("without provenance: the image was built elsewhere, or by a builder that recorded none")
    else:
        said.append(Predicate(predicate_type(recorded), recorded))
    told = said_of(wanted.plan, wanted.lock, _seconds(created) if created else "")
    whole = attested(manifest, wanted.plan.platform, repository(wanted.ref), said, told)
    loaded = f"{_LOADED}:{whole.digest.removeprefix('sha256:')[:32]}"
    if (left := engine.image(loaded)) is not None:
        # A push of it was killed; the name that it was pushed by is there, too.
        for name in left.tags:
            if repository(name) == _familiar(repository(wanted.ref)):
                engine.untag(name)
    engine.load([whole.archive(loaded)])
    try:
        yield loaded
    finally:
        engine.untag(loaded)


def _familiar(repository: str) -> str:
    """As the engine says it.

    >>> _familiar("docker.io/library/app"), _familiar("ghcr.io/team/app")
    ('app', 'ghcr.io/team/app')
    """
    return repository.removeprefix("docker.io/").removeprefix("library/")


def _seconds(time: str) -> str:
    """A time as SPDX has it: without fractions of a second."""
    date, _, rest = time.partition(".")
    return f"{date}Z" if rest else time or _LONG_AGO


def _bare() -> Diagnostic:
    message = "the image is pushed without SBOM, provenance and annotations: this engine's image store has no manifests"
    help = 'Docker Engine 28 with containerd\'s image store has ("features": {"containerd-snapshotter": true})'
    return Diagnostic("IB646", message, help=help, severity="warning")


def _failed(ref: str, error: RegistryError) -> NoReturn:
    message = f"the image could not be pushed as {ref}: {error.reason}"
    help = f"{error.help}{'' if error.help.endswith('?') else '.'} The snapshot is there; the same command tries again."
    raise BuildError(Diagnostic("IB644", message, help=help)) from None


def _interrupted() -> Interrupted:
    return Interrupted(Diagnostic("IB601", "interrupted while the image was pushed; the snapshot is there"))
