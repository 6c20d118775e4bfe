"""The ``.snap`` language as a front end; see :func:`load`.

In the order of the modules: ``grammar`` and ``tree`` (text to nodes), ``syntax``
with ``structure`` and ``complaints`` (what does not parse), ``text``, ``params``
and ``values`` (words to values), ``verbs`` and ``bind`` (words to the arguments
of the fluent method), ``conditions``, ``declarations``, ``blocks``, ``module``
and ``files`` (names, branches, images, other files). Beside them, ``layout``,
``printer`` and ``format``: the same text in its one form.

Whatever a statement says is said to :class:`~imagebuilder.Image`, by the method
of the same name, so the two front ends cannot come to differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.frontends.image import Image
from imagebuilder.frontends.snap.files import Loader, project_of
from imagebuilder.frontends.snap.module import SnapshotSpec

__all__ = ["CODES", "SnapFile", "SnapshotSpec", "load"]

CODES = {
    # Text.
    "IB801": "the .snap file cannot be read",
    "IB802": "a character that no text file holds",
    "IB803": "the .snap file is too large",
    "IB804": "the language's version is not in the first line",
    "IB805": "an unknown version of the language",
    "IB806": "a bracket or quote that is not closed",
    "IB807": "a bracket that closes nothing",
    "IB808": "a statement that cannot be read",
    "IB809": "something that does not belong to this level of a file",
    # Names.
    "IB810": "an unknown operation",
    "IB811": "an unknown parameter",
    "IB812": "an unknown image",
    "IB813": "a secret that is not declared",
    "IB814": "a name that is defined twice",
    "IB815": "images that need one another",
    "IB816": "files that use one another",
    "IB817": "an unknown imported file",
    "IB818": "a name that is taken by the language",
    # Strings.
    "IB820": "a parameter in a key",
    "IB821": "an unknown escape",
    "IB822": "a lone brace in a string",
    "IB823": "a variable where parameters are interpolated",
    # Types and values.
    "IB830": "a value that does not fit its type",
    "IB831": "a value that is not among the choices",
    "IB832": "a parameter without a value",
    "IB833": "a value for a parameter that does not exist",
    "IB834": "not a type of parameters",
    "IB835": "one value where several are taken, or the reverse",
    "IB836": "a comparison that can never hold",
    # Arguments.
    "IB840": "an operation's argument is missing",
    "IB841": "too many words for an operation",
    "IB842": "an unknown option",
    "IB843": "an option that is given twice",
    "IB844": "words that may be one command or several",
    "IB845": "a value that is not glued to its name",
    "IB846": "a statement in a block that takes none such",
    # Files.
    "IB850": "a file outside of the project",
    "IB851": "a used file that does not exist",
    "IB852": "more than the language's bounds allow",
    # Formatting.
    "IB860": "a form that would change what the file says",
}


@dataclass(frozen=True, slots=True)
class SnapFile:
    """What a file describes: its snapshots in order, and its images by name.

    ``unused`` are warnings about what it declares and nothing uses.
    """

    path: str
    snapshots: tuple[SnapshotSpec, ...]
    images: Mapping[str, Image]
    unused: tuple[Diagnostic, ...] = ()


def load(
    path: Path | str, *, params: Mapping[str, str] | None = None, project: Path | None = None, source: str | None = None
) -> SnapFile:
    """The snapshots and images of a file.

    Args:
        params: values of its parameters, as text.
        project: the folder that ``use`` does not leave; None is the repository, or the file's own folder.
        source: its text, where that is not what the file holds.

    Raises:
        CompileError: one diagnostic for each independent mistake.
    """
    loader = Loader(project or project_of(Path(path)))
    module = loader.load(str(path), source, {name: (value, None) for name, value in (params or {}).items()})
    if loader.errors:
        raise CompileError(distinct(loader.errors))
    assert module is not None
    return SnapFile(str(path), tuple(module.snapshots), module.images, module.unused)


def distinct(errors: list[Diagnostic]) -> list[Diagnostic]:
    """Each mistake once, in the order of the text: a branch, or a matrix, may come by one several times."""
    found: dict[tuple[str, str], Diagnostic] = {}
    files: dict[str, int] = {}
    for error in errors:
        place = error.place.resolve() if error.place is not None else None
        files.setdefault(place.file if place else "", len(files))
        found.setdefault((error.code, f"{place}" if place else error.message), error)

    def position(error: Diagnostic) -> tuple[int, int, int]:
        place = error.place.resolve() if error.place is not None else None
        return (files[place.file], place.line, place.column) if place else (-1, 0, 0)

    return sorted(found.values(), key=position)
