"""Images whose name may stand for another image tomorrow."""

from __future__ import annotations

from collections.abc import Iterator

from imagebuilder.diagnostics import Diagnostic, Place
from imagebuilder.ir.ops import BaseImage, Copy, CopyFrom, ImageSource, Op, Run
from imagebuilder.ir.stage import Stage, ordered
from imagebuilder.lint.saying import said


def images_without_versions(target: Stage) -> Iterator[Diagnostic]:
    """A base, or an image that is copied or mounted from, without a tag or with ``latest``, and without a digest.

    The tag of ``debian_slim`` is of this project's choosing; other tags that move, such as ``edge``, were chosen
    by the author.
    """
    for stage in ordered(target):
        if isinstance(stage.base, BaseImage) and _floats(stage.base.ref):
            yield _warning(stage.base.ref, stage.place, base=True)
        for step in stage.steps:
            for ref in dict.fromkeys(_sources(step.op)):
                if _floats(ref):
                    yield _warning(ref, step.place, base=False)


def _sources(op: Op) -> Iterator[str]:
    match op:
        case Copy(origin=ImageSource(ref=ref)):
            yield ref
        case CopyFrom(source=str(ref)):
            yield ref
        case Run():
            yield from (mount.origin.ref for mount in op.mounts if isinstance(mount.origin, ImageSource))


def _floats(ref: str) -> bool:
    return ref != "scratch" and "@" not in ref and _tag(ref) in ("", "latest")


def _tag(ref: str) -> str:
    # A colon before the last slash is that of a port.
    return ref.rpartition("/")[2].partition(":")[2]


def _warning(ref: str, place: Place | None, *, base: bool) -> Diagnostic:
    what = f"'{ref}' is whatever was pushed last" if _tag(ref) else f"'{ref}' has no tag, which means 'latest'"
    name = ref.removesuffix(":latest")
    if base:
        pinned = said(
            place,
            python=f"Image.base('{name}:VERSION')",
            dockerfile=f"FROM {name}:VERSION",
            snap=f"from base {name}:VERSION",
        )
    else:
        pinned = f"{name}:VERSION"
    digest = f"docker buildx imagetools inspect {name} --format '{{{{.Manifest.Digest}}}}'"
    help = f"name a version: {pinned}; or its digest, {name}@sha256:…, which this shows:\n{digest}"
    return Diagnostic("IB901", what, place, help=help, severity="warning")
