"""Ignore patterns: skipping whole folders changes nothing, and whatever stands in a line is a pattern or refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from imagebuilder.context import read_tree
from imagebuilder.context.patterns import IgnoreRules, ignore_lines, source_regex
from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.ops import LocalSource
from tests.property.unit.trees import TREES, File, Node, on_disk


def is_pattern(line: str) -> bool:
    try:
        return bool(IgnoreRules([line]).rules)
    except Invalid:
        return False


PIECES = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        ".a",
        "é",
        "*",
        "**",
        "?",
        "/",
        "[a]",
        "[^a]",
        "[a-b]",
        "[[]",
        "[/a]",
        "\\/",
        "\\a",
        "\\*",
        ".",
        "a b",
    ]
)
PATTERNS = st.builds(
    lambda sign, pieces: sign + "".join(pieces),
    st.sampled_from(["", "", "!"]),
    st.lists(PIECES, min_size=1, max_size=6),
)
RULES = st.lists(PATTERNS.filter(is_pattern), min_size=1, max_size=5)
LINES = st.lists(
    PIECES | st.sampled_from([*"[]^-!\\#", "\ufeff", "\0", "\n", "..", "//"]) | st.characters(), max_size=10
).map("".join)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", ".a", "é", "a b", "\n", "]"]), min_size=1, max_size=4).map("/".join)


def judged(
    root: Path, rules: IgnoreRules, prefix: str = "", above: tuple[bool, ...] = ()
) -> Iterator[tuple[str, bool]]:
    """Every path and whether it is ignored; no folder is skipped."""
    for child in root.iterdir():
        path = prefix + child.name
        yield path, rules.ignores(path, above)
        if child.is_dir() and not child.is_symlink():
            yield from judged(child, rules, path + "/", rules.matches(path, above))


def with_parents(paths: set[str]) -> set[str]:
    return {"/".join(parts[:n]) for path in paths for parts in [path.split("/")] for n in range(1, len(parts) + 1)}


@settings(max_examples=250, deadline=None)
@given(TREES, RULES)
@example({"a": {"b": {"a": File(b"")}, "é": File(b"")}}, ["a", "!a/b/a"])
@example({"a": {"b": {"a": File(b"")}, "é": File(b"")}}, ["**", "!**/b/*"])
@example({"a b": {"a": File(b"")}}, ["*", "!*b"])
@example({"ab": {"a": {"b": File(b"")}}}, ["*", "!?[a-b]/a/b"])
@example({"a": {"b": File(b"")}}, ["*", "!a[^b]b"])
@example({"a": {"b": File(b"")}}, ["*", "!a\\/b"])
def test_skipping_folders_changes_nothing(tree: Node, lines: list[str]) -> None:
    with on_disk(tree) as root:
        rules = IgnoreRules(lines)
        found = {entry.path for entry in read_tree(str(root), LocalSource(path=".", ignore=lines)).entries}
        assert found == with_parents({path for path, ignored in judged(root, rules) if not ignored})


@settings(max_examples=300, deadline=None)
@given(RULES, PATHS)
def test_nothing_matches_below_where_it_is_said_that_nothing_can(lines: list[str], path: str) -> None:
    for rule in IgnoreRules(lines).rules:
        if rule.regex.fullmatch(path):
            folders = path.split("/")[:-1]
            assert all(rule.may_match_below("/".join(folders[:n])) for n in range(1, len(folders) + 1))


@settings(max_examples=300, deadline=None)
@given(LINES, PATHS)
@example("[b-a]", "a")
def test_a_line_is_a_pattern_or_refused(text: str, path: str) -> None:
    with suppress(Invalid):
        rules = IgnoreRules(ignore_lines(text))
        matched = rules.matches(path)
        assert len(matched) <= len(rules.rules) and not (rules.ignores(path) and True not in matched)
        rules.may_include_below(path)


@settings(max_examples=300, deadline=None)
@given(LINES, PATHS)
@example("[b-a]", "a")
def test_a_copy_source_is_a_pattern_or_refused(text: str, path: str) -> None:
    with suppress(Invalid):
        source_regex(text).fullmatch(path)
    assert source_regex(path, literal=True).fullmatch(path)
