"""Commands that change nothing of what comes after them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from imagebuilder.diagnostics import Diagnostic, Place
from imagebuilder.ir.ops import Op, Run, RunCommands
from imagebuilder.ir.stage import Stage, ordered
from imagebuilder.lint.saying import said
from imagebuilder.lint.shell import Command, commands

_GUARDS = (("exit",), ("true",), (":",), ("false",))


def lost_cd(target: Stage) -> Iterator[Diagnostic]:
    """A step whose last command is ``cd``: the next one starts in the working folder again."""
    for stage in ordered(target):
        for step in stage.steps:
            folder = _last_cd(step.op)
            if folder is None:
                continue
            yield Diagnostic(
                "IB905",
                f"'{f'cd {folder}'.rstrip()}' is lost: the next step starts in the working folder again",
                step.place,
                help=f"{_instead(folder, step.place)} sets the folder for all that follows",
                severity="warning",
            )


def _instead(folder: str, place: Place | None) -> str:
    is_path = folder.startswith("/") and _plain(folder)
    return said(
        place,
        python=f".workdir({posixpath.normpath(folder)!r})" if is_path else ".workdir()",
        dockerfile=f"WORKDIR {folder}" if _plain(folder) else "WORKDIR",
        snap=f"workdir {folder}" if is_path else "workdir",
    )


def _plain(folder: str) -> bool:
    return bool(folder) and folder not in ("-", "~") and not any(c in folder for c in " $`~*'\"\n\\")


def _last_cd(op: Op) -> str | None:
    """Where it goes, empty where it does not say; None where the last command is another."""
    match op:
        case Run(command=str(text)) if not text.startswith("#!"):
            return _in_text(text)
        case RunCommands() if not str(op.commands[0]).startswith("#!"):
            last = op.commands[-1]
            if isinstance(last, str):
                return _in_text(last)
            return _folder(last) if len(op.commands) > 1 else None
    return None


def _in_text(text: str) -> str | None:
    found = commands(text)
    while len(found) > 1 and found[-2].end == "||" and found[-1].words[:1] in _GUARDS:
        found.pop()
    # What a here-document hides, or a subshell holds, is not the end of this shell.
    if not found or "<<" in text or not _stands_alone(found):
        return None
    return _folder(found[-1].words)


def _stands_alone(found: list[Command]) -> bool:
    before = found[-2].end if len(found) > 1 else ""
    return before in ("", "\n", ";", "&&") and found[-1].end in ("", "\n", ";", "||")


def _folder(words: tuple[str, ...]) -> str | None:
    if not words or words[0] != "cd":
        return None
    rest = [word for word in words[1:] if word not in ("--", "-P", "-L")]
    return " ".join(rest) if len(rest) <= 1 else None
