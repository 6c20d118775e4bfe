"""What the builder gets is what the key was made of."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from imagebuilder.context import read_tree
from imagebuilder.context.staging import stage_tree
from imagebuilder.ir.ops import LocalSource
from tests.property.unit.trees import TREES, Node, on_disk

IGNORE = st.lists(st.sampled_from(["a", "**/b", "*.b", "!a/b", "!ab", "*", "é/", "[[]a\\]"]), max_size=3)


@settings(max_examples=150, deadline=None)
@given(TREES, IGNORE)
def test_a_staged_tree_has_the_same_digest(tree: Node, ignore: list[str]) -> None:
    """Less what is ignored, which is not there to be read again."""
    with on_disk(tree) as root:
        read = read_tree(str(root.parent), LocalSource(path="root", ignore=ignore))
        stage_tree(read, root.parent / "staged")
        again = read_tree(str(root.parent), LocalSource(path="staged"))
    assert again.digest == read.digest
    assert again.entries == read.entries


@settings(max_examples=100, deadline=None)
@given(TREES, TREES)
def test_trees_of_one_digest_hold_the_same(left: Node, right: Node) -> None:
    """And trees of two digests do not."""
    with on_disk(left) as one, on_disk(right) as two:
        first, second = (read_tree(str(root), LocalSource(path=".")) for root in (one, two))
    assert (first.digest == second.digest) == (first.entries == second.entries)
