"""The local files of one build, in folders that the builder reads.

Small contexts are copied into a folder that goes with the build. Large folders
are copied in parts, which are kept; see :mod:`imagebuilder.context.kept`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from imagebuilder.backends.dockerfile import FOLDER, LAYER, Piece, Text, all_copied, layers_left
from imagebuilder.compiler import Plan
from imagebuilder.context.changes import Changes
from imagebuilder.context.cut import PARTS, Part, is_large
from imagebuilder.context.kept import KeptParts
from imagebuilder.context.staging import stage_text, stage_tree
from imagebuilder.diagnostics import BuildError, Invalid
from imagebuilder.files import link_or_copy
from imagebuilder.home import private_folder
from imagebuilder.ir.packages import Layer, Packed
from imagebuilder.layering import oci
from imagebuilder.layering.layers import LayerStore

if TYPE_CHECKING:
    from imagebuilder.backends.dockerfile import Content, Copied, Cuts, Dockerfile


class StagedFiles:
    """What one plan needs."""

    def __init__(self, plan: Plan, home: Path, name: str) -> None:
        """``name`` is that of a folder under the home's ``staging``, which nobody else uses meanwhile."""
        self._plan = plan
        self._layers = LayerStore(home)
        self._manifests = oci.Manifests(home)
        self._folder = private_folder(home / "staging") / name
        self._kept = KeptParts(home)
        self._changes = Changes(home, self._kept)
        self._parts = self._cut()

    @property
    def cuts(self) -> Cuts:
        """The folders that are copied in parts, for the Dockerfile."""
        return {copied: [part.digest for part in parts] for copied, parts in self._parts.items()}

    @contextmanager
    def staged(self, dockerfile: Dockerfile) -> Iterator[tuple[Path, dict[str, Path | str], Path]]:
        """The main context, the others by their names, and the Dockerfile.

        Raises:
            BuildError: a file changed since the plan was made, or the copy cannot be written.
        """
        folder = self._folder
        shutil.rmtree(folder, ignore_errors=True)
        main = private_folder(folder / "main")
        contexts: dict[str, Path | str] = {}
        pieces: dict[str, Part] = {}
        try:
            for context in dockerfile.contexts:
                if isinstance(context.content, Piece):
                    pieces[context.name] = self._parts[context.content.copied][context.content.number]
                    continue
                path = (main if context.main else folder) / context.name
                path.mkdir(mode=0o755)
                with _told():
                    if isinstance(context.content, Packed):
                        digest = oci.write(context.content, path, self._manifests, self._layers)
                        contexts[context.name] = f"oci-layout://{path}@{digest}"
                        continue
                    self._stage(context.content, path / FOLDER)
                if not context.main:
                    contexts[context.name] = path
            file = folder / "Dockerfile"
            file.write_text(dockerfile.text, encoding="utf-8", newline="\n")
            with self._kept_parts(list(pieces.values())) as paths:
                yield main, contexts | dict(zip(pieces, paths, strict=True)), file
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _kept_parts(self, parts: Sequence[Part]) -> Iterator[list[Path]]:
        if not parts:
            yield []
            return
        with self._kept.using(self._changes.replaced) as kept:
            with _told():
                paths = kept.stage(parts)
            yield paths

    def _stage(self, content: Content, target: Path) -> None:
        match content:
            case Text():
                target.mkdir(mode=0o755)
                stage_text(content.content, target / content.name)
            case Layer():
                target.mkdir(mode=0o755)
                link_or_copy(self._layers.path(content), target / LAYER)
            case (root, source):
                stage_tree(self._plan.trees[root, source], target)

    def _cut(self) -> dict[Copied, tuple[Part, ...]]:
        """The large folders in parts, as far as the image may have so many layers: the largest first."""
        stage = self._plan.stage
        left = layers_left(stage)
        trees = self._plan.trees
        found = {}
        by_size = sorted(all_copied(stage).items(), key=lambda each: -trees[each[0][:2]].size)
        for copied, times in by_size:
            root, source, path = copied
            tree = trees[root, source]
            if times * PARTS <= left and is_large(tree, path):
                found[copied] = self._changes.cut(tree, source, path)
                left -= times * (len(found[copied]) - 1)
        return found


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Invalid as error:
        raise BuildError(error.at(None)) from None
