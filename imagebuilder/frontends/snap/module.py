"""One file with its parameters: the images and snapshots that it describes.

The order of images in a file has no meaning: what an image needs is evaluated
before it, and images that need one another are refused. A branch that is not
taken is still looked at, as far as that is possible without values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Note, Span, did_you_mean
from imagebuilder.frontends import image as fluent
from imagebuilder.frontends.snap import blocks
from imagebuilder.frontends.snap.bounds import MAX_DEPTH, too_deep
from imagebuilder.frontends.snap.conditions import holds
from imagebuilder.frontends.snap.declarations import twice
from imagebuilder.frontends.snap.matrix import Matrices
from imagebuilder.frontends.snap.nodes import Image, Item, Matrix, Snapshot, Source, When
from imagebuilder.frontends.snap.places import span
from imagebuilder.frontends.snap.scope import Scope, Silent
from imagebuilder.frontends.snap.text import is_word, text
from imagebuilder.frontends.snap.verbs import FACTORIES, RESERVED, is_factory, verbs
from imagebuilder.ir import checks
from imagebuilder.ir.resources import Resources

# How many images of a cycle are shown.
MAX_RING = 10


@dataclass(frozen=True, slots=True)
class SnapshotSpec:
    """A snapshot that a file describes. ``name`` may hold a tag."""

    name: str
    image: fluent.Image
    resources: Resources
    place: Span


@dataclass(slots=True)
class Cell:
    """Images that see one another: those of the file, or of one cell of a matrix."""

    scope: Scope
    parent: Cell | None = None
    images: dict[str, Image] = field(default_factory=dict)
    snapshots: list[Snapshot] = field(default_factory=list)
    made: dict[str, fluent.Image] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def home(self, name: str) -> Cell | None:
        """The nearest cell that has an image of the name."""
        cell: Cell | None = self
        while cell is not None and name not in cell.images:
            cell = cell.parent
        return cell

    def names(self) -> Iterator[str]:
        """All images that are seen from here."""
        cell: Cell | None = self
        while cell is not None:
            yield from cell.images
            cell = cell.parent


@dataclass(slots=True)
class Module:
    """A file, evaluated. ``images`` lacks those that were refused, whose names are in ``broken``."""

    path: str
    images: Mapping[str, fluent.Image]
    broken: set[str]
    snapshots: list[SnapshotSpec]
    unused: tuple[Diagnostic, ...] = ()


class Evaluation:
    """Collects every independent mistake in ``errors`` instead of ending at the first."""

    def __init__(self, scope: Scope, uses: Mapping[str, Module | None], errors: list[Diagnostic]) -> None:
        self._scope = scope
        self._uses = uses
        self._errors = errors
        self._elsewhere: dict[str, Span] = {}
        self._matrices = Matrices(errors)
        self._named: set[str] = set()
        self._snapshots: dict[str, SnapshotSpec] = {}
        self._left: list[tuple[list[Item], Cell]] = []

    def run(self, items: list[Item]) -> Module:
        cell = Cell(self._scope)
        pending = [cell]
        self._collect(items, cell, pending)
        for each in pending:
            for name in each.images:
                self._make(each, name)
            for snapshot in each.snapshots:
                self._snapshot(each, snapshot)
        for left, each in self._left:
            self._untaken(left, each)
        # As they stand in the file: a matrix is gone through last.
        snapshots = sorted(self._snapshots.values(), key=lambda each: (each.place.line, each.place.column))
        return Module(self._scope.file, cell.made, cell.broken, snapshots)

    # What there is ------------------------------------------------------------------------------

    def _collect(self, items: list[Item], cell: Cell, pending: list[Cell]) -> None:
        file = self._scope.file
        for item in items:
            match item:
                case Image():
                    self._add_image(item, cell)
                case Snapshot():
                    cell.snapshots.append(item)
                    self._named.add(str(item.name).strip("\"'"))
                case When():
                    if item.depth > MAX_DEPTH:
                        self._errors.append(too_deep(file, item))
                        continue
                    taken, left = self._branches(item, cell.scope)
                    self._collect(taken, cell, pending)
                    self._left.append((left, cell))
                    self._note_images(left)
                case Matrix():
                    if item.depth > MAX_DEPTH:
                        self._errors.append(too_deep(file, item))
                        continue
                    for scope in self._matrices.cells(item, cell.scope):
                        inner = Cell(scope, cell)
                        pending.append(inner)
                        self._collect(item.body, inner, pending)

    def _add_image(self, item: Image, cell: Cell) -> None:
        name = str(item.name)
        place = span(self._scope.file, item.name)
        if name in RESERVED:
            help = f"`from {name}` is what an image starts from; choose another name"
            self._errors.append(Diagnostic("IB818", f"{name!r} cannot be an image's name", place, help=help))
        elif (home := cell.home(name)) is not None:
            self._errors.append(twice(f"the image {name!r}", place, span(self._scope.file, home.images[name].name)))
        else:
            cell.images[name] = item

    def _branches(self, item: When, scope: Scope) -> tuple[list[Item], list[Item]]:
        """The branch that is taken, and the others; nothing is taken where the condition is refused."""
        left: list[Item] = []
        rest: When | None = item
        while rest is not None:
            try:
                if holds(rest.condition, scope):
                    return rest.body, [*left, *rest.otherwise]
            except CompileError as error:
                self._errors += error.diagnostics
                return [], [*left, *rest.body, *rest.otherwise]
            left += rest.body
            chained = len(rest.otherwise) == 1 and isinstance(rest.otherwise[0], When)
            if not chained:
                return rest.otherwise, left
            rest = rest.otherwise[0]
        raise AssertionError

    def _note_images(self, items: list[Item]) -> None:
        waiting = list(items)
        while waiting:
            item = waiting.pop()
            if isinstance(item, Image):
                self._elsewhere.setdefault(str(item.name), span(self._scope.file, item.name))
            elif isinstance(item, When):
                waiting += [*item.body, *item.otherwise]
            elif isinstance(item, Matrix):
                waiting += item.body

    def _untaken(self, items: list[Item], cell: Cell) -> None:
        waiting = [(item, self._scope_of(cell).untaken()) for item in items]
        while waiting:
            item, scope = waiting.pop()
            match item:
                case Image() | Snapshot():
                    with self._noting():
                        if isinstance(item, Snapshot):
                            scope.check(item.name)
                        blocks.check_source(item.source, scope)
                    self._errors += blocks.problems(item.body, scope, isinstance(item, Snapshot))
                case When():
                    with self._noting():
                        holds(item.condition, scope)
                    waiting += [(each, scope) for each in (*item.body, *item.otherwise)]
                case Matrix():
                    for inner in islice(self._matrices.cells(item, scope), 1):
                        waiting += [(each, inner) for each in item.body]

    def _check_statements(self, item: Image | Snapshot, cell: Cell) -> None:
        self._errors += blocks.problems(item.body, self._scope_of(cell), isinstance(item, Snapshot))

    # Images -------------------------------------------------------------------------------------

    def _make(self, cell: Cell, name: str) -> None:
        """Evaluate an image after those that it needs, without recursion: a chain may be long."""
        stack: list[tuple[Cell, str, Iterator[tuple[str, Span]]]] = []
        active: dict[tuple[int, str], Span] = {}

        def enter(home: Cell, wanted: str, place: Span) -> None:
            active[id(home), wanted] = place
            stack.append((home, wanted, iter(list(self._needs(home, wanted)))))

        if name not in cell.made and name not in cell.broken:
            enter(cell, name, span(self._scope.file, cell.images[name].name))
        while stack:
            here, current, rest = stack[-1]
            for needed, place in rest:
                home = here.home(needed)
                if home is None or needed in home.made or needed in home.broken:
                    continue
                if (id(home), needed) in active:
                    self._cycle(stack, home, needed, place)
                    continue
                enter(home, needed, place)
                break
            else:
                stack.pop()
                del active[id(here), current]
                if current not in here.broken:
                    self._evaluate(here, current)

    def _needs(self, cell: Cell, name: str) -> Iterator[tuple[str, Span]]:
        item = cell.images[name]
        if is_word(item.source.name) and not is_factory(item.source.name, len(item.source.arguments)):
            yield str(item.source.name), span(self._scope.file, item.source.name)
        for token in blocks.image_words(item.body):
            yield str(token), span(self._scope.file, token)

    def _cycle(
        self, stack: list[tuple[Cell, str, Iterator[tuple[str, Span]]]], home: Cell, needed: str, place: Span
    ) -> None:
        path = [(cell, name) for cell, name, _ in stack]
        ring = path[path.index((home, needed)) :]
        # Of a long ring, its ends.
        shown = ring if len(ring) <= MAX_RING else [*ring[: MAX_RING - 1], ring[-1]]
        words = [name for _, name in shown]
        if len(ring) > len(shown):
            words.insert(-1, f"… ({len(ring) - len(shown)} more) …")
        names = " → ".join([*words, needed])
        notes = tuple(Note(f"{name} is here", span(self._scope.file, cell.images[name].name)) for cell, name in shown)
        self._errors.append(Diagnostic("IB815", f"images that need one another: {names}", place, notes))
        for cell, name in ring:
            cell.broken.add(name)

    def _evaluate(self, cell: Cell, name: str) -> None:
        before = len(self._errors)
        item = cell.images[name]
        made: fluent.Image | None = None
        silent = False
        try:
            base = self._base(item.source, cell, name)
            made, _ = blocks.build(base, item.body, self._scope_of(cell), self._errors, snapshot=False)
        except Silent:
            silent = True
            self._check_statements(item, cell)
        except CompileError as error:
            self._errors += error.diagnostics
            self._check_statements(item, cell)
        if silent or made is None or len(self._errors) > before:
            cell.broken.add(name)
        else:
            cell.made[name] = made

    def _snapshot(self, cell: Cell, item: Snapshot) -> None:
        scope = self._scope_of(cell)
        file = scope.file
        place = span(file, item.name)
        try:
            name = text(item.name, scope.text, file)
            try:
                name = checks.snapshot_name(name)
            except Invalid as error:
                raise CompileError(error.at(place)) from None
            if name in self._snapshots:
                raise CompileError(self._same_snapshot(name, place, cell))
        except Silent:
            name = ""
        except CompileError as error:
            self._errors += error.diagnostics
            name = ""
        try:
            base = self._base(item.source, cell, name)
            before = len(self._errors)
            made, resources = blocks.build(base, item.body, scope, self._errors, snapshot=True)
            if name and len(self._errors) == before:
                self._snapshots[name] = SnapshotSpec(name, made, resources, place)
        except Silent:
            self._check_statements(item, cell)
        except CompileError as error:
            self._errors += error.diagnostics
            self._check_statements(item, cell)

    def _same_snapshot(self, name: str, place: Span, cell: Cell) -> Diagnostic:
        first = self._snapshots[name].place
        if first != place or cell.parent is None:
            return twice(f"the snapshot {name!r}", place, first)
        axes = [axis for axis in cell.scope.params if axis not in self._scope.params]
        parted = name + (":" if ":" not in name else "-") + "-".join(f"{{{axis}}}" for axis in axes)
        message = f"several cells of the matrix make the snapshot {name!r}"
        return Diagnostic("IB814", message, place, help=f'its parameters belong into the name: "{parted}"')

    def _scope_of(self, cell: Cell) -> Scope:
        return replace(cell.scope, images=_Seen(self, cell))

    def _base(self, source: Source, cell: Cell, name: str) -> fluent.Image:
        found = blocks.base(source, self._scope_of(cell), name)
        self._scope.budget.start(len(found.stage.steps), span(self._scope.file, source.name))
        return found

    def image(self, cell: Cell, name: str, place: Span, taken: bool) -> fluent.Image:
        """The image of a name; ``taken`` is whether the statement that asks is carried out."""
        alias, dot, inner = name.partition(".")
        if dot and alias.isidentifier() and inner.isidentifier():
            return self._imported(alias, inner, place)
        home = cell.home(name)
        if home is not None:
            if name in home.made:
                return home.made[name]
            raise Silent
        if name in self._elsewhere:
            if not taken:
                raise Silent
            note = Note("it is here, in a branch that is not taken", self._elsewhere[name])
            raise CompileError(Diagnostic("IB812", f"no image {name!r} with these parameters", place, (note,)))
        known = [*cell.names(), *FACTORIES]
        hint = did_you_mean(name, known)
        if name in verbs():
            hint = f"{name} is an operation; an image starts from {', '.join(FACTORIES)} or a named image"
        elif theirs := [alias for alias, module in self._uses.items() if module and name in module.images]:
            hint = f"did you mean {f'{theirs[0]}.{name}'!r}?"
        elif name in self._named:
            hint = f"{name} is a snapshot; what others stand on is an image: image {name} from …"
        elif not hint and name in self._uses:
            hint = f"it is an imported file; one of its images is {name}.NAME"
        raise CompileError(Diagnostic("IB812", f"no image {name!r}", place, help=hint or _registry(name)))

    def _imported(self, alias: str, name: str, place: Span) -> fluent.Image:
        if alias not in self._uses:
            hint = did_you_mean(alias, list(self._uses)) or f'import it: use "./{alias}.snap" as {alias}'
            raise CompileError(Diagnostic("IB817", f"no imported file {alias!r}", place, help=hint))
        module = self._uses[alias]
        if module is None or name in module.broken:
            raise Silent
        if name not in module.images:
            hint = did_you_mean(name, list(module.images)) or f"it has: {', '.join(module.images) or 'none'}"
            raise CompileError(Diagnostic("IB812", f"{Path(module.path).name} has no image {name!r}", place, help=hint))
        return module.images[name]

    def _noting(self) -> blocks.Noting:
        return blocks.Noting(self._errors)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The images that a cell sees; see :class:`~imagebuilder.frontends.snap.scope.Images`."""

    evaluation: Evaluation
    cell: Cell
    taken: bool = True

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.cell.home(name) is not None

    def __call__(self, name: str, place: Span) -> fluent.Image:
        return self.evaluation.image(self.cell, name, place, self.taken)

    def untaken(self) -> _Seen:
        return replace(self, taken=False)


def _registry(name: str) -> str:
    tagged = name if re.search(r"[:@]", name) else f"{name}:TAG"
    return f"one of a registry is written: from base {tagged}, or in quotes in copy_from"
