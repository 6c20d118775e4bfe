"""Files: reading them, and what they ``use``.

A file is evaluated once for each set of values it is used with. What it uses
must lie inside of the project, so that a spec from a stranger reads nothing
else; links are followed before that is decided.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from imagebuilder import collector
from imagebuilder.diagnostics import CompileError, Diagnostic, Note, Span, did_you_mean
from imagebuilder.files import is_folder, open_regular
from imagebuilder.frontends.image import Image
from imagebuilder.frontends.snap.bounds import MAX_DEPTH, MAX_FILES, MAX_SIZE, Budget
from imagebuilder.frontends.snap.declarations import check_header, misplaced, parameters, secrets, twice, with_values
from imagebuilder.frontends.snap.mistakes import Enough, Mistakes
from imagebuilder.frontends.snap.module import Evaluation, Module
from imagebuilder.frontends.snap.nodes import File, Matrix, Use, When
from imagebuilder.frontends.snap.params import Value
from imagebuilder.frontends.snap.places import span
from imagebuilder.frontends.snap.scope import Scope
from imagebuilder.frontends.snap.syntax import parse_file
from imagebuilder.frontends.snap.text import text
from imagebuilder.frontends.snap.unused import unused

NAMES = ("IB811", "IB812", "IB813", "IB817", "IB833")
Given = Mapping[str, tuple[Value | str, Span | None]]


@dataclass(slots=True)
class Loader:
    """``project`` is the folder that ``use`` does not leave; ``unsaved`` are texts in place of files, by real path."""

    project: Path
    unsaved: Mapping[Path, str] = field(default_factory=dict)
    errors: Mistakes = field(default_factory=Mistakes)
    _budget: Budget = field(default_factory=Budget)
    _parsed: dict[Path, File | None] = field(default_factory=dict)
    _modules: dict[tuple[Path, str], Module | None] = field(default_factory=dict)

    @property
    def files(self) -> frozenset[Path]:
        """The files that were read, or tried to, by their real paths."""
        return frozenset(self._parsed)

    def load(self, path: str, source: str | None, given: Given) -> Module | None:
        """:meth:`module`, of the file that a person names."""
        with collector.paused(), suppress(Enough):
            return self.module(path, source, given)
        return None

    def module(
        self, path: str, source: str | None, given: Given, chain: tuple[tuple[Path, Span], ...] = ()
    ) -> Module | None:
        """The file, evaluated; None where it cannot be, which ``errors`` then says.

        Args:
            path: as it is shown to people.
            source: its text; None reads it.
        """
        real = Path(os.path.realpath(path))
        key = (real, repr(sorted((name, value) for name, (value, _) in given.items())))
        if key in self._modules:
            return self._modules[key]
        self._modules[key] = None
        place = chain[-1][1] if chain else None
        again = real in self._parsed
        if not again:
            self._parsed[real] = self._parse(path, self.unsaved.get(real) if source is None else source, place)
        file = self._parsed[real]
        if file is not None:
            if again:
                self._budget.repeat(len(file.text), place)
            self._modules[key] = self._evaluate(file, real, given, chain)
        return self._modules[key]

    def _parse(self, path: str, source: str | None, place: Span | None) -> File | None:
        try:
            file, errors = parse_file(path, read(path, place) if source is None else source)
        except CompileError as error:
            self.errors += error.diagnostics
            return None
        self._budget.read(len(file.text))
        self.errors += errors
        if not file.lost:
            self.errors += check_header(file)
        file.damaged = bool(errors)
        return file

    def _evaluate(self, file: File, real: Path, given: Given, chain: tuple[tuple[Path, Span], ...]) -> Module | None:
        errors = Mistakes()
        module: Module | None = None
        try:
            module = self._sound(file, real, given, chain, errors)
        except Enough:
            file.damaged = True
        # A name may be missing only because the item that declares it could not be read.
        self.errors += [error for error in errors if not (file.lost and error.code in NAMES)]
        return None if file.damaged else module

    def _sound(
        self, file: File, real: Path, given: Given, chain: tuple[tuple[Path, Span], ...], errors: Mistakes
    ) -> Module:
        # Relative paths start beside the name that was given, not beside what a link leads to.
        root = Path(os.path.abspath(file.path)).parent  # noqa: PTH100 - resolve() would follow symbolic links
        scope = Scope(
            file.path, root, {}, secrets(file, errors), _NoImages(), budget=self._budget, project=self.project
        )
        params, broken = parameters(file, scope, given, errors, chain[-1][1] if chain else None)
        scope = replace(scope, params=params, broken=broken)
        errors += _misplaced(file)
        uses = self._uses(file, scope, root, (*chain, (real, Span(file.path, 1))), errors)
        module = Evaluation(scope, uses, errors).run(file.items)
        if not chain and not errors:
            module.unused = tuple(unused(file, scope))
        return module

    def _uses(
        self, file: File, scope: Scope, root: Path, chain: tuple[tuple[Path, Span], ...], errors: list[Diagnostic]
    ) -> dict[str, Module | None]:
        found: dict[str, Module | None] = {}
        places: dict[str, Span] = {}
        for item in file.items:
            if not isinstance(item, Use):
                continue
            alias, place = str(item.alias), span(file.path, item.alias)
            if alias in places:
                errors.append(twice(f"the name {alias!r}", place, places[alias]))
                continue
            places[alias] = place
            found[alias] = None
            given = with_values(item.values, scope, errors)
            try:
                target = self._target(item, scope, root, chain)
                here = span(file.path, item.path)
                found[alias] = self.module(target, None, given, (*chain[:-1], (chain[-1][0], here)))
            except CompileError as error:
                errors += error.diagnostics
        return found

    def _target(self, item: Use, scope: Scope, root: Path, chain: tuple[tuple[Path, Span], ...]) -> str:
        place = span(scope.file, item.path)
        written = text(item.path, scope.text, scope.file)
        if not written or "\0" in written:
            raise CompileError(Diagnostic("IB851", f"not the path of a file: {written!r}", place))
        if Path(written).is_absolute():
            raise CompileError(
                Diagnostic(
                    "IB850",
                    f"an absolute path: {written!r}",
                    place,
                    help="it starts at this file's folder: ./common.snap",
                )
            )
        target = os.path.normpath(root / written)
        shown = os.path.normpath(Path(scope.file).parent / written)
        real = Path(os.path.realpath(target))
        scope.inside(written, place, target)
        for index, (file, _) in enumerate(chain):
            if file == real:
                ring = chain[index:]
                names = " → ".join([*(each.name for each, _ in ring), real.name])
                notes = tuple(Note(f"{each.name} uses the next one here", at) for each, at in ring[:-1])
                raise CompileError(Diagnostic("IB816", f"files that use one another: {names}", place, notes))
        if len(chain) > MAX_DEPTH:
            raise CompileError(Diagnostic("IB852", f"files that use one another in more than {MAX_DEPTH} steps", place))
        if len(self._modules) >= MAX_FILES:
            raise CompileError(Diagnostic("IB852", f"more than {MAX_FILES} files, or files with other values", place))
        if real not in self.unsaved and not _is_file(target):
            folder = Path(target).parent
            known = {each.stem for each in folder.glob("*.snap")} if is_folder(folder) else set()
            near = did_you_mean(Path(target).stem, sorted(known - {Path(scope.file).stem}))
            near = re.sub(r"'(.*)'", r"'\1.snap'", near)
            raise CompileError(
                Diagnostic(
                    "IB851", f"there is no file {written!r}", place, help=near or "it starts at this file's folder"
                )
            )
        return shown


def _misplaced(file: File) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    waiting = [item for item in file.items if isinstance(item, When | Matrix)]
    while waiting:
        block = waiting.pop()
        inner = [*block.body, *(block.otherwise if isinstance(block, When) else ())]
        found += misplaced(inner, file)
        waiting += [item for item in inner if isinstance(item, When | Matrix)]
    return found


class _NoImages:
    """Declarations mention none."""

    def __contains__(self, name: object) -> bool:
        return False

    def __call__(self, name: str, place: Span) -> Image:
        raise AssertionError(name)

    def untaken(self) -> _NoImages:
        return self


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:
        # A name that is too long, for example: reading it says so.
        return True


def read(path: str, place: Span | None = None) -> str:
    """
    Raises:
        CompileError: the file cannot be read, is too large, or is not UTF-8.
    """
    try:
        with open_regular(Path(path)) as file:
            data = file.read(MAX_SIZE + 1)
    except (OSError, ValueError) as error:
        shown = path if len(path) <= 80 else f"{path[:77]}…"
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise CompileError(Diagnostic("IB801", f"cannot read {shown!r}: {reason}", place)) from None
    return decode(path, data, place)


def decode(path: str, data: bytes, place: Span | None = None) -> str:
    """``place`` is the `use` that asks for the file."""
    if len(data) > MAX_SIZE:
        raise CompileError(
            Diagnostic(
                "IB803", f"{path!r} has more than {MAX_SIZE:,} bytes", place, help="`use` parts a spec into files"
            )
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = len(data[: error.start].rpartition(b"\n")[2].decode(errors="replace")) + 1
        raise CompileError(
            Diagnostic("IB802", "not a text in UTF-8", Span(path, line, column), help="save the file as UTF-8")
        ) from None


def project_of(path: Path) -> Path:
    """The nearest folder above that is a repository's, or the file's own."""
    folder = Path(os.path.realpath(path)).parent
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)
