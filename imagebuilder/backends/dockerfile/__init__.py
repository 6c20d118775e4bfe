"""The IR written as a Dockerfile, with a map from its lines back to the author's."""

from imagebuilder.backends.dockerfile.render import Dockerfile, Instruction, render
from imagebuilder.backends.dockerfile.sources import FOLDER, Context, Text

__all__ = ["FOLDER", "Context", "Dockerfile", "Instruction", "Text", "render"]
