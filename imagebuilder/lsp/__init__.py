"""The language server for ``.snap`` files; see :func:`serve`.

``cursor``, ``names`` and ``places`` know a text; ``completion`` with ``conditions``
and ``suggestion``, ``hover`` with ``documentation``, ``checking``, ``formatting`` and
``outline`` are pure functions over it, which work while the text does not parse
and refuse nothing. Only ``server`` knows the protocol. The text is never run.
"""

from __future__ import annotations

from imagebuilder.diagnostics import CompileError, Diagnostic


def serve() -> int:
    """Speak the language server protocol on standard input and output until the client says ``exit``.

    Returns:
        0 after a ``shutdown``, else 1, as the protocol has it.

    Raises:
        CompileError: pygls is not installed.
    """
    try:
        from imagebuilder.lsp.server import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol", "cattrs", "attrs", "attr"):
            raise
        help = "it is an extra: pip install 'imagebuilder[lsp]'"
        raise CompileError(Diagnostic("IB720", "the language server needs pygls 2", help=help)) from None
    return run()
