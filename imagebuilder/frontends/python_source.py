"""Python source that only describes an image, read without a file and without running anything else.

It is what the Python back end writes: an import of this package's names, and
assignments whose values are chains of calls on them. Other Python is a TARGET,
which is run as the code that it is.
"""

from __future__ import annotations

import ast
from pathlib import Path

from imagebuilder.diagnostics import CompileError, Diagnostic, Span
from imagebuilder.frontends.caller import FOLDER
from imagebuilder.frontends.image import Image
from imagebuilder.ir.ops import Secret
from imagebuilder.ir.stage import Stage
from imagebuilder.ir.words import expand

_NAMES = {"Image": Image, "Secret": Secret, "expand": expand}
_METHODS = frozenset(name for name in dir(Image) if not name.startswith("_"))
_EXPRESSIONS = (ast.Call, ast.Attribute, ast.Name, ast.Constant, ast.List, ast.Dict, ast.keyword, ast.expr_context)


def read_source(text: str, folder: Path, file: str = "<python>") -> Stage:
    """The stage that the source calls ``image``.

    Args:
        folder: where the file will be; its relative local paths start there.
        file: the name for places in it.

    Raises:
        CompileError: it is not of this form, or a call is refused.
    """
    try:
        tree = ast.parse(text, file)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        place = Span(file, getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 0)
        raise CompileError(Diagnostic("IB402", f"not valid Python: {error}", place)) from None
    statements = []
    for statement in tree.body:
        match statement:
            case ast.ImportFrom(module="imagebuilder", level=0):
                continue
            case ast.Assign(targets=[ast.Name()], value=value) if _describes(value):
                statements.append(statement)
            case _:
                place = Span(file, statement.lineno, statement.col_offset + 1)
                raise CompileError(Diagnostic("IB411", "a statement that describes no image", place))
    names: dict[str, object] = {**_NAMES, FOLDER: str(folder), "__name__": "__image__", "__builtins__": {}}
    tree.body = list(statements)
    try:
        exec(compile(tree, file, "exec"), names)  # noqa: S102 - calls of the names above, and nothing else
    except CompileError:
        raise
    except Exception as error:  # noqa: BLE001 - wrong names and arguments
        message = f"the source raised {type(error).__name__}: {error}"
        raise CompileError(Diagnostic("IB402", message, Span(file, 1))) from None
    image = names.get("image")
    if not isinstance(image, Image):
        raise CompileError(Diagnostic("IB403", "no Image called 'image'", Span(file, 1)))
    return image.stage


def _describes(value: ast.expr) -> bool:
    """Whether it is made of literals, names, and calls of methods of Image: whatever else has methods that do more."""
    called = {node.func for node in ast.walk(value) if isinstance(node, ast.Call)}
    for node in ast.walk(value):
        if not isinstance(node, _EXPRESSIONS):
            return False
        if isinstance(node, ast.Attribute) and not (
            node in called and node.attr in _METHODS and isinstance(node.value, ast.Call | ast.Name)
        ):
            return False
    return True
