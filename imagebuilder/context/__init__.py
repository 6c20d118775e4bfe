"""Local files: which of them a source means, what they hold, and a copy of just those for the builder.

What a key needs is named here; the copy (``staging``, ``cut``, ``kept``) is imported by who makes one.
"""

from imagebuilder.context.tree import Entry, Tree, read_tree, taken

SEEN = "stats"
"""The folder in the home for what was seen of large folders; see :mod:`imagebuilder.context.stats`."""

__all__ = ["SEEN", "Entry", "Tree", "read_tree", "taken"]
