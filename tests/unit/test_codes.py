"""Every diagnostic code has one meaning, written down in one place, and every meaning is in use."""

from __future__ import annotations

import ast
import re
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

import imagebuilder
from imagebuilder.diagnostics import CODES, Diagnostic, Note, Span

PACKAGE = Path(imagebuilder.__file__).parent
CATALOGUES = (
    "imagebuilder.diagnostics", "imagebuilder.engine.embedded", "imagebuilder.frontends.dockerfile",
    "imagebuilder.frontends.snap", "imagebuilder.lint",
)  # fmt: skip
CODE = re.compile(r"IB\d{3}")


def catalogued() -> list[str]:
    return [code for name in CATALOGUES for code in import_module(name).CODES]


def is_catalogue(node: ast.AST) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id == "CODES" for target in targets)


def codes_in(node: ast.AST) -> list[str]:
    """The codes that the code names, other than in a catalogue."""
    if is_catalogue(node):
        return []
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
        return [node.value]
    return [code for child in ast.iter_child_nodes(node) for code in codes_in(child)]


def used() -> dict[str, list[str]]:
    """Each code and the files that raise it."""
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for code in codes_in(ast.parse(path.read_text())):
            found.setdefault(code, []).append(path.relative_to(PACKAGE).as_posix())
    return found


def test_the_scan_finds_codes() -> None:
    assert {"IB600", "IB601", "IB602"} <= set(used())
    assert used()["IB500"] == ["engine/api.py"]


def test_every_code_in_use_is_catalogued() -> None:
    missing = {code: files for code, files in used().items() if code not in catalogued()}
    assert not missing, f"give these a meaning in CODES: {missing}"


def test_every_catalogued_code_is_in_use() -> None:
    assert sorted(set(catalogued()) - set(used())) == []


def test_no_code_has_two_meanings() -> None:
    assert [code for code, times in Counter(catalogued()).items() if times > 1] == []


@pytest.mark.parametrize("name", CATALOGUES)
def test_a_catalogue_reads_well(name: str) -> None:
    codes = import_module(name).CODES
    assert list(codes) == sorted(codes), "in order, so that a gap and a double are seen"
    for code, title in codes.items():
        assert CODE.fullmatch(code)
        assert title == title.strip() and title[-1] not in ".:" and len(title) < 80, title
    assert [title for title, times in Counter(codes.values()).items() if times > 1] == []


def test_no_file_names_a_code_that_is_not_raised() -> None:
    """Documents and tests cannot keep a code alive, or speak of one that is gone."""
    known = set(catalogued())
    root = PACKAGE.parent
    for path in [*root.glob("*.md"), *PACKAGE.rglob("*.py"), *root.joinpath("tests").rglob("*.py")]:
        named = set(re.findall(r"\bIB\d{3}\b", path.read_text()))
        assert named <= known, f"{path.name} names {sorted(named - known)}"


def test_a_terminal_is_told_nothing_by_what_is_quoted(tmp_path: Path) -> None:
    """A spec or a log may be a stranger's. The carets stay below what they mean."""
    file = tmp_path / "x"
    file.write_text("ab\x1b]0;title\x07 \x9b31m \u202e here\n")
    notes = (Note("the last lines of its log:\n\x1b[2Jgone\tand\rover"),)
    found = Diagnostic("IB600", "m\x1b[1m", Span(str(file), 1, 21, 1, 25), notes, "\x7f").render()
    *_, line, carets, note, log, help = found.split("\n")
    assert line == "1 | ab␛]0;title␇ \ufffd31m \ufffd here" and carets.index("^") == line.index("here") == 24
    assert note.endswith("its log:") and log.strip() == "␛[2Jgone\tand␍over" and help.endswith("help: ␡")


@pytest.mark.parametrize(("column", "shown"), [(1, "Y"), (80, "x"), (5000, "…"), (9999, "…"), (0, "x")])
def test_of_a_long_line_a_part_is_shown(tmp_path: Path, column: int, shown: str) -> None:
    """A whole document may be one line."""
    file = tmp_path / "x"
    file.write_text("x" * (column - 1) + "Y" * (column > 0) + "x" * (10_000 - column))
    rendered = Diagnostic("IB100", "m", Span(str(file), 1, column, 1, column + 1)).render().split("\n")
    line = rendered[3]
    assert line[4] == shown and len(line) < 260
    if column:
        assert rendered[4].index("^") == line.index("Y") and rendered[4].count("^") == 1


def test_a_diagnostic_is_drawn_with_its_code() -> None:
    for code in CODES:
        assert Diagnostic(code, "message").render() == f"error[{code}]: message"
