"""A failure of the builder, told at the author's line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imagebuilder.diagnostics import CompileError, Diagnostic, Note, Place
from imagebuilder.engine.imagetools import refused
from imagebuilder.engine.protocol import BuildFailed, WrongBase
from imagebuilder.ir.ops import Run
from imagebuilder.ir.packages import AptRun

if TYPE_CHECKING:
    from imagebuilder.backends.dockerfile import Dockerfile

_NOT_THERE = re.compile(
    r"E: (Version '(?P<version>[^']+)' for '(?P<name>[^']+)' was not found|Unable to locate package (?P<other>\S+))"
)
# How BuildKit says that a COPY source is missing, with the name of a cache record.
_CHECKSUM = re.compile(r"^failed to compute cache key: failed to calculate checksum of ref \S+: (?=\")")


def explain_failure(failure: BuildFailed, dockerfile: Dockerfile, name: str) -> Diagnostic:
    """The builder's failure, at the author's line."""
    instruction = dockerfile.at_line(failure.line) or dockerfile.at_name(failure.step)
    step = instruction.step if instruction else None
    place = instruction.place if instruction else None
    op = instruction.op if instruction else None
    verb = getattr((step.intent or step.op) if step else None, "verb", "")
    if op is not None and failure.exit_code is not None and isinstance(op, Run):
        command = op.command if isinstance(op.command, str) else " ".join(op.command)
        if isinstance(op, AptRun) and (gone := _not_there(failure.log)):
            return _superseded(gone, place, failure.log)
        notes = [Note(f"the command was:\n{command}")]
        if failure.log:
            notes.append(Note("the last lines of its log:\n" + "\n".join(failure.log)))
        return Diagnostic(
            "IB600",
            f"{verb} failed with exit code {failure.exit_code}",
            place,
            tuple(notes),
            f"`imagebuilder snapshot logs {name}` shows the whole log",
        )
    if isinstance(failure, WrongBase):
        return Diagnostic(
            "IB603",
            f"the image {failure.ref} is for {failure.has}, and the build is for {failure.wanted}",
            place,
            help=f"build for {failure.has}, or where a registry has the image for {failure.wanted}",
        )
    hint, message = "", _CHECKSUM.sub("", failure.message)
    if message != failure.message:
        hint = "is the path right? it is looked up where the call copies from"
    if "failed to resolve source metadata" in failure.message or "pull access denied" in failure.message:
        base = step is None and instruction is not None
        hint = _about_base(instruction.text) if base and instruction else "is the name right?"
        if instruction and "@sha256:" in instruction.text:
            hint = (
                "can its registry be reached? where a lock says this digest, `imagebuilder lock TARGET --upgrade` takes"
                " what the tag is now"
            )
        if refused(failure.message):
            hint += " a private one wants a login: `imagebuilder registry add`, and `imagebuilder registry test` of one"
    notes = [Note(f"from the Dockerfile's line {failure.line}: {instruction.text}")] if instruction else []
    return Diagnostic("IB602", f"the builder failed: {message}", place, tuple(notes), hint)


def _not_there(log: Sequence[str]) -> list[str]:
    """The packages of a lock, as ``name=version``, that apt does not find."""
    found = (_NOT_THERE.match(line) for line in log)
    return [f"{match['name']}={match['version']}" if match["version"] else match["other"] for match in found if match]


def _superseded(gone: Sequence[str], place: Place | None, log: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "IB678",
        f"apt_install: the lock says {', '.join(gone)}, which no archive of the image has any more",
        place,
        (Note("apt says:\n" + "\n".join(line for line in log if line.startswith("E: "))),),
        "`imagebuilder lock` of the target takes what is there now; an archive of snapshots, as a source of apt that"
        " the spec adds before it, keeps what was",
    )


def _about_base(text: str) -> str:
    """What may help where the base of ``FROM …`` is not to be had."""
    from imagebuilder.engine.embedded.recipes import parse

    ref = next((word for word in text.split()[1:] if not word.startswith("--")), "")
    try:
        honest = parse(ref, stand_in=True).honest
    except CompileError:
        return "is the name right, and can its registry be reached?"
    if honest:
        return f"is the name right? where no registry can be reached, `imagebuilder base build {ref}` makes it"
    return (
        "is the name right? where no registry can be reached, "
        f"`imagebuilder base build --stand-in {ref}` puts another Python of Debian's under that name, to try things"
    )
