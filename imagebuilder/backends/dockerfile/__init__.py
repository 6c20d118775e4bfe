"""The IR written as a Dockerfile, with a map from its lines back to the author's."""

from imagebuilder.backends.dockerfile.layout import lay_out
from imagebuilder.backends.dockerfile.parts import all_copied, layers_left
from imagebuilder.backends.dockerfile.render import Dockerfile, Instruction, render
from imagebuilder.backends.dockerfile.sources import FOLDER, LAYER, Content, Context, Copied, Cuts, Piece, Text

__all__ = [
    "FOLDER",
    "LAYER",
    "Content",
    "Context",
    "Copied",
    "Cuts",
    "Dockerfile",
    "Instruction",
    "Piece",
    "Text",
    "all_copied",
    "lay_out",
    "layers_left",
    "render",
]
