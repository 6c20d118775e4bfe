"""Declarations and stretches that may be folded."""

from __future__ import annotations

from imagebuilder.lsp.names import names_of
from imagebuilder.lsp.outline import Symbol, folds, symbols

TEXT = '''# One
# Two
snap 1
use "./common.snap" as common
param profile: one of ["cpu", "gpu"] = "cpu"
secret A B
image tools from scratch {
    # alone
    apt_install [
        git
    ]
    run_commands """
        make {
    """
}
matrix release=["a", "b"] other=[c] {
    image inner from tools
    snapshot "x{release}" from inner { user a }
}
when profile == gpu {
    snapshot "y" from tools
}
'''


def shown(found: tuple[Symbol, ...]) -> list[object]:
    return [(each.name.kind, each.name.name, shown(each.children)) for each in found]


def test_symbols() -> None:
    assert shown(symbols(TEXT)) == [
        ("use", "common", []),
        ("param", "profile", []),
        ("secret", "A", []),
        ("secret", "B", []),
        ("image", "tools", []),
        ("axis", "release", []),
        ("axis", "other", [("image", "inner", []), ("snapshot", "x{release}", [])]),
        ("snapshot", "y", []),
    ]


def test_a_symbol_has_its_block() -> None:
    tools = symbols(TEXT)[4]
    assert TEXT[tools.begin : tools.end].startswith("image tools from scratch {")
    assert TEXT[tools.begin : tools.end].endswith('"""\n}')
    assert TEXT[tools.name.begin : tools.name.end] == "tools"


def test_folds() -> None:
    found = [(kind, TEXT.count("\n", 0, begin), TEXT.count("\n", 0, end)) for kind, begin, end in folds(TEXT)]
    assert sorted(found, key=lambda each: each[1]) == [
        ("comment", 0, 1),
        ("block", 6, 14),
        ("list", 8, 10),
        ("text", 11, 13),
        ("block", 15, 18),
        ("block", 19, 21),
    ]


def test_what_a_text_declares_that_does_not_parse() -> None:
    text = 'snap 1\nparam x: int = 1\nimage a from\nimage b from scratch {\n    env A="\n    [\nimage c from scratch\nsecret\nsecret S'
    assert [(name.kind, name.name) for name in names_of(text).all] == [
        ("param", "x"),
        ("image", "b"),
        ("image", "c"),
        ("secret", "S"),
    ]


def test_choices_and_types() -> None:
    found = {name.name: name for name in names_of(TEXT + "param l: list[int] = []\nparam s: size = 1GiB\n").all}
    assert (found["profile"].type, found["profile"].choices) == ("one of", ("cpu", "gpu"))
    assert (found["l"].type, found["s"].type) == ("list[int]", "size")
    assert found["release"].choices == ("a", "b")
