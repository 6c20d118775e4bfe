"""Local files: which of them a source means, what they hold, and a copy of just those for the builder."""

from imagebuilder.context.cut import Part
from imagebuilder.context.staging import stage_text, stage_tree
from imagebuilder.context.tree import Entry, Tree, read_tree, taken

SEEN = "stats"
"""The folder in the home for what was seen of large folders; see :mod:`imagebuilder.context.stats`."""

__all__ = ["SEEN", "Entry", "Part", "Tree", "read_tree", "stage_text", "stage_tree", "taken"]
