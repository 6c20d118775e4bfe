"""What the template of each operation is given: its values as Dockerfile text, its flags in order."""

from __future__ import annotations

import posixpath
from types import SimpleNamespace
from typing import Any, Protocol

from imagebuilder.backends.dockerfile import ca, quote
from imagebuilder.backends.dockerfile.link import LinkRule
from imagebuilder.backends.dockerfile.sources import FOLDER, LAYER, Context, Text
from imagebuilder.diagnostics import Invalid
from imagebuilder.ir import heredoc
from imagebuilder.ir.ops import (
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Label,
    Mount,
    Run,
    Shell,
    Source,
    StopSignal,
    User,
    Volume,
    Workdir,
    WriteFiles,
)
from imagebuilder.ir.packages import Layer
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.ir.words import Expansion, Word

_MOUNT_FIELDS = (
    "id",
    "source",
    "target",
    "sharing",
    "env",
    "required",
    "readonly",
    "mode",
    "uid",
    "gid",
    "size",
)
_DEFAULT_SHELL: tuple[str, ...] = ("/bin/sh", "-c")


class Origins(Protocol):
    """How an instruction names what it reads from; see :class:`~imagebuilder.backends.dockerfile.sources.Sources`."""

    def name(self, origin: Source, step: Step) -> str: ...

    def mounted(self, step: Step, origin: Source, source: Word | None) -> Word | None: ...

    def copied(
        self, step: Step, origin: Source | None, sources: tuple[Word, ...], *, parents: bool = False, main: bool = False
    ) -> tuple[Word, ...]: ...

    def text(self, name: str, content: str) -> Context: ...

    def layer(self, op: Layer) -> Context: ...


class Views:
    """``values`` takes what Dockerfile text cannot hold; without it, that is refused."""

    def __init__(self, sources: Origins, values: quote.Values | None, with_ca: bool) -> None:
        self._sources = sources
        self._values = values
        self._ca = with_ca
        self._shell = _DEFAULT_SHELL
        self._shells: dict[Stage, tuple[str, ...]] = {}

    def enter(self, stage: Stage) -> None:
        """The views that follow are of this stage, which starts with the shell of the one that it stands on."""
        self._shell = self._shells.get(stage.base, _DEFAULT_SHELL) if isinstance(stage.base, Stage) else _DEFAULT_SHELL
        self._stage = stage
        self._shells[stage] = self._shell

    def view(self, step: Step, rule: LinkRule | None) -> Any:
        """The template's ``op`` for a step; without a rule, only what says ``link`` is linked."""
        op = step.op
        match op:
            case Run():
                return self._run(step, op)
            case Copy():
                return self._copy(step, op, rule)
            case Add():
                return self._add(step, op)
            case WriteFiles():
                return self._write_files(op)
            case Env():
                return SimpleNamespace(pairs=[f"{self._word(n)}={self._word(v)}" for n, v in op.variables])
            case Label():
                return SimpleNamespace(pairs=[f"{self._label(n)}={self._word(v)}" for n, v in op.labels])
            case Cmd() | Entrypoint():
                return SimpleNamespace(command=self._command(op.command))
            case Healthcheck():
                return self._healthcheck(op)
            case Shell():
                self._shell = self._shells[self._stage] = op.words
            case Workdir():
                return SimpleNamespace(path=self._word(op.path))
            case User():
                return SimpleNamespace(name=self._word(op.name))
            case StopSignal():
                return SimpleNamespace(signal=self._word(op.signal))
            case Arg():
                return SimpleNamespace(name=op.name, default=None if op.default is None else self._word(op.default))
            case Expose():
                return SimpleNamespace(ports=" ".join(quote.ports(port, self._values) for port in op.ports))
            case Layer():
                context = self._sources.layer(op)
                return SimpleNamespace(paths=quote.paths((f"{context.name}/{FOLDER}/{LAYER}", "/"), self._values))
            case Volume():
                return SimpleNamespace(paths=quote.paths(op.paths, self._values))
        return op

    def _word(self, value: Word) -> str:
        return quote.word(value, self._values)

    def _label(self, name: Word) -> str:
        if isinstance(name, str) and "=" in name:
            # BuildKit parts name and value at the first '=', quoted or not.
            return quote.held(name, self._values)
        return self._word(name)

    def _command(self, command: str | tuple[str, ...]) -> str | tuple[str, ...]:
        """Shell text that cannot stand on one line is written as the vector that the shell's form means."""
        if isinstance(command, str) and not quote.is_one_line(command):
            return (*self._shell, command)
        return command

    def _run_flags(self, step: Step, op: Run) -> list[str]:
        flags = [self._mount(step, mount) for mount in op.mounts]
        if self._ca and op.network != "none":
            flags += ca.FLAGS
        if op.network != "default":
            flags.append(f"--network={op.network}")
        if op.security:
            flags.append(f"--security={op.security}")
        return flags

    def _run(self, step: Step, op: Run) -> SimpleNamespace:
        command = op.command
        if isinstance(command, str) and command.startswith("#!") and "\n" not in command:
            # In a here-document, BuildKit would run it as a script.
            command = self._command(command)
        in_lines = isinstance(command, str) and not quote.is_one_line(command)
        name = quote.delimiter(command) if isinstance(command, str) else ""
        flags = self._run_flags(step, op)
        return SimpleNamespace(flags=flags, heredoc=in_lines, command=command, delimiter=name)

    def _mount(self, step: Step, mount: Mount) -> str:
        fields = [f"type={mount.type}"]
        source: Word | None = mount.source
        if mount.origin is not None:
            if name := self._sources.name(mount.origin, step):
                fields.append(f"from={name}")
            source = self._sources.mounted(step, mount.origin, source)
        for name in _MOUNT_FIELDS:
            value = source if name == "source" else getattr(mount, name)
            if isinstance(value, bool):
                fields.append(f"{name}={'true' if value else 'false'}")
            elif value is not None:
                fields.append(f"{name}={quote.field(value)}")
        return "--mount=" + ",".join(fields)

    def piece(self, step: Step, op: Copy, context: Context, rule: LinkRule) -> Any:
        """The template's ``op`` for one part of a folder that is copied in parts."""
        return self._copy(step, op, rule, context.name)

    def _copy(self, step: Step, op: Copy, rule: LinkRule | None, name: str = "") -> SimpleNamespace:
        name = name or self._sources.name(op.origin, step)
        flags = [f"--from={name}"] if name else []
        if op.link if rule is None else rule.allows(op):
            flags.append("--link")
        if op.parents:
            flags.append("--parents")
        flags += self._ownership(op)
        sources = self._sources.copied(step, op.origin, op.sources, parents=op.parents)
        return SimpleNamespace(flags=flags, paths=quote.paths((*sources, op.dest), self._values))

    def _add(self, step: Step, op: Add) -> SimpleNamespace:
        flags = []
        sources = self._sources.copied(step, op.origin, op.sources, main=True)
        if op.checksum:
            flags.append(f"--checksum={quote.flag(op.checksum)}")
        if op.keep_git_dir:
            flags.append("--keep-git-dir=true")
        if op.unpack is not None:
            flags.append(f"--unpack={'true' if op.unpack else 'false'}")
        flags += [*self._link(op), *self._ownership(op)]
        return SimpleNamespace(flags=flags, paths=quote.paths((*sources, op.dest), self._values))

    def _link(self, op: Add | WriteFiles) -> list[str]:
        return ["--link"] if op.link else []

    def _ownership(self, op: Copy | Add | WriteFiles) -> list[str]:
        flags = []
        if op.chown:
            flags.append(f"--chown={quote.flag(op.chown)}")
        if op.chmod:
            flags.append(f"--chmod={quote.flag(op.chmod)}")
        return flags + [f"--exclude={quote.flag(pattern)}" for pattern in getattr(op, "exclude", ())]

    def _write_files(self, op: WriteFiles) -> SimpleNamespace:
        (name, content), *others = op.files
        if not others and isinstance(content, str) and not heredoc.fits(content):
            context = self._sources.text(name or posixpath.basename(str(op.dest)), content)
            assert isinstance(context.content, Text)
            return SimpleNamespace(
                flags=[f"--from={context.name}", *self._link(op), *self._ownership(op)],
                files=[],
                dest=quote.paths((f"{FOLDER}/{context.content.name}", op.dest), self._values),
            )
        return self._heredocs(op)

    def _heredocs(self, op: WriteFiles) -> SimpleNamespace:
        flags = [*self._link(op), *self._ownership(op)]
        files = []
        for name, content in op.files:
            expanded = isinstance(content, Expansion)
            body = quote.heredoc_body(content, self._values) if isinstance(content, Expansion) else content
            if body and not body.endswith("\n"):
                raise Invalid("IB143", f"a text without a line end cannot be one of several: {name!r}", "end it in \\n")
            delimiter = name or quote.delimiter(body)
            opening = f"<<{delimiter}" if expanded else f"<<'{delimiter}'"
            files.append(SimpleNamespace(opening=opening, body=body, delimiter=delimiter))
        return SimpleNamespace(flags=flags, files=files, dest=quote.heredoc_destination(op.dest, self._values))

    def _healthcheck(self, op: Healthcheck) -> SimpleNamespace:
        names = ("interval", "timeout", "start_period", "start_interval", "retries")
        flags = [f"--{n.replace('_', '-')}={getattr(op, n)}" for n in names if getattr(op, n) is not None]
        return SimpleNamespace(flags=flags, command=self._command(op.command))
