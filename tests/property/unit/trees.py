"""Small folders with what names, links and modes can make difficult."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "ab", "a.b", ".a", "[a]", "*", "a b", "é", "!a", "#a", "\\a"])


@dataclass(frozen=True)
class File:
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True)
class Link:
    target: str


Node = File | Link | Mapping[str, "Node"]

FILES = st.builds(File, st.binary(max_size=6), st.sampled_from([0o644, 0o600, 0o755, 0o700, 0o400]))
LINKS = st.builds(Link, st.sampled_from(["a", "a/b", "..", "../../x", "/no/where", "."]))


def folders(leaves: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.dictionaries(NAMES, leaves, max_size=4)


TREES = folders(st.recursive(FILES | LINKS, folders, max_leaves=8))


@contextmanager
def on_disk(tree: Node) -> Iterator[Path]:
    """The tree as the folder ``root`` of a folder of its own, which is gone afterwards."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        _write(tree, root)
        yield root


def _write(node: Node, path: Path) -> None:
    match node:
        case File():
            path.write_bytes(node.content)
            path.chmod(node.mode)
        case Link():
            path.symlink_to(node.target)
        case _:
            path.mkdir()
            for name, child in node.items():
                _write(child, path / name)
