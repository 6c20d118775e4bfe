"""Two images have one difference, whichever is looked at first, and one image none."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from imagebuilder.engine.contents import Contents, Entry
from imagebuilder.snapshots.difference import Difference, compare

SETTINGS = settings(max_examples=300, deadline=None, derandomize=True)

NAMES = st.sampled_from(["a", "b", "a.pyc", "var", "log", "a-b", "\udcff", "~"])
FILES = st.builds(
    Entry,
    type=st.sampled_from(["file", "link", "other"]),
    size=st.integers(0, 3),
    mode=st.sampled_from([0o644, 0o755]),
    owner=st.sampled_from([(0, 0), (1, 1)]),
    target=st.sampled_from(["", "a"]),
    digest=st.sampled_from([b"", b"x"]),
)
PACKAGES = st.dictionaries(st.sampled_from(["apt", "pip"]), st.dictionaries(NAMES, st.sampled_from(["1", "2"])))


@st.composite
def contents(draw: st.DrawFn) -> Contents:
    """A whole file system: what is above a path is a folder."""
    entries: dict[str, Entry] = {}
    for parts in draw(st.lists(st.lists(NAMES, min_size=1, max_size=4), max_size=12)):
        for depth in range(1, len(parts)):
            entries["/" + "/".join(parts[:depth])] = Entry("dir", 0, draw(st.sampled_from([0o755, 0o700])))
        path = "/" + "/".join(parts)
        if path not in entries:
            entries[path] = draw(FILES)
    return Contents(entries, draw(PACKAGES), sum(entry.size for entry in entries.values()))


def mirrored(found: Difference) -> list[tuple[str, str, int, int, int, int]]:
    return [(line.sign, line.name, line.depth, line.count, line.after, line.before) for line in found.tree()]


@SETTINGS
@given(contents())
def test_an_image_does_not_differ_from_itself(a: Contents) -> None:
    found = compare(a, a)
    assert not found and found.tree() == []


@SETTINGS
@given(contents(), contents())
def test_a_difference_has_two_sides(a: Contents, b: Contents) -> None:
    there, back = compare(a, b), compare(b, a)
    assert bool(there) == bool(back)
    for one, other in ((there.files, back.files), *zip(there.packages.values(), back.packages.values(), strict=True)):
        assert (one.added, one.removed) == (other.removed, other.added)
        assert one.changed == {name: (first, second) for name, (second, first) in other.changed.items()}
    swapped = str.maketrans("+-", "-+")
    there_lines = [(l.sign, l.name, l.depth, l.count, l.before, l.after) for l in there.tree()]  # noqa: E741
    assert [(sign.translate(swapped), *rest) for sign, *rest in mirrored(back)] == [tuple(each) for each in there_lines]


@SETTINGS
@given(contents(), contents())
def test_the_tree_counts_every_file_once(a: Contents, b: Contents) -> None:
    found = compare(a, b)
    came_or_went = [*found.files.added.values(), *found.files.removed.values()]
    files = sum(entry.type != "dir" for entry in came_or_went) + len(found.files.changed)
    lines = found.tree()
    assert sum(line.count for line in lines) == files
    assert sum(line.after - line.before for line in lines) == b.size - a.size
