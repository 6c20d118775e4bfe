"""The protocol: what an editor asks, answered by the pure functions beside this module.

The whole text comes with every change: pygls parts texts into lines where Python
does, which is not where the protocol does, and a change applied to the wrong
place would be wrong from then on.

A file is checked in a thread of its own, a moment after the last change, so that
completion never waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path
from pygls.workspace import PositionCodec

from imagebuilder import __version__
from imagebuilder.diagnostics import EXIT_FAILED, EXIT_INTERRUPTED
from imagebuilder.lsp import convert
from imagebuilder.lsp.checking import Checked, check
from imagebuilder.lsp.completion import complete
from imagebuilder.lsp.formatting import formatted
from imagebuilder.lsp.hover import look
from imagebuilder.lsp.names import Document
from imagebuilder.lsp.outline import folds, symbols
from imagebuilder.lsp.places import Places

DELAY = 0.2
"""Seconds without a change after which a file is checked."""

_TRIGGERS = ["{", "=", "[", ".", ":", '"']
_LOG = logging.getLogger(__name__)
_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class Open:
    """A file that is open in the editor."""

    path: Path
    places: Places
    version: int | None
    timer: asyncio.TimerHandle | None = None
    files: frozenset[Path] = frozenset()


class Server(LanguageServer):
    def __init__(self) -> None:
        super().__init__("imagebuilder", __version__, lsp.TextDocumentSyncKind.Full)
        self.open: dict[str, Open] = {}
        self.was_shut_down = False
        self.checks = ThreadPoolExecutor(1)

    # Texts --------------------------------------------------------------------------------------

    def put(self, uri: str, source: str, version: int | None) -> None:
        before = self.open.get(uri)
        fresh = Open(self._path(uri), self.places(source), version)
        if before is not None:
            fresh.files = before.files
            if before.timer is not None:
                before.timer.cancel()
        self.open[uri] = fresh
        self._later(uri)
        self.check_users(fresh.path, but=uri)

    def places(self, source: str) -> Places:
        """The places of a text, in the units that the client counts columns in."""
        return Places(source, PositionCodec(self.workspace.position_encoding).client_num_units)

    def _path(self, uri: str) -> Path:
        saved = to_fs_path(uri) if uri.startswith("file:") and "%00" not in uri else None
        # A text that was never saved lies in the folder that the editor shows.
        path = Path(saved) if saved else Path(self.workspace.root_path or ".") / "untitled.snap"
        # Not resolve(): a link stays what the editor calls it.
        return Path(os.path.normpath(path.absolute()))

    def document(self, uri: str) -> Document | None:
        here = self.open.get(uri)
        return None if here is None else Document(here.path, here.places.text, self._unsaved())

    def _unsaved(self) -> dict[Path, str]:
        return {_real(each.path): each.places.text for each in self.open.values()}

    # Checking -----------------------------------------------------------------------------------

    def check_users(self, path: Path | None, *, but: str = "") -> None:
        """Check the files again that were read together with ``path``; all of them for None."""
        real = _real(path) if path is not None else None
        for uri, each in list(self.open.items()):
            if uri != but and (real is None or real in each.files):
                self._later(uri)

    def _later(self, uri: str) -> None:
        here = self.open[uri]
        if here.timer is not None:
            here.timer.cancel()
        loop = asyncio.get_running_loop()
        here.timer = loop.call_later(DELAY, lambda: loop.create_task(self._check(uri)))

    async def _check(self, uri: str) -> None:
        here, document = self.open.get(uri), self.document(uri)
        if here is None or document is None:
            return
        try:
            checked = await asyncio.get_running_loop().run_in_executor(self.checks, check, document)
            if self.open.get(uri) is here:
                here.files = checked.files
                self._publish(uri, here, checked)
        except Exception:  # noqa: BLE001 - a fault may cost the diagnostics of this text, and nothing else
            _LOG.exception("%s could not be checked", uri)

    def _publish(self, uri: str, here: Open, checked: Checked) -> None:
        found = [convert.diagnostic(problem, here.places, self._places_of) for problem in checked.problems]
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, found, here.version))

    def _places_of(self, file: str) -> tuple[str, Places] | None:
        """The URI of a file that was read for a diagnostic, and its places."""
        path = Path(os.path.abspath(file))  # noqa: PTH100 - a link keeps its own name
        for uri, each in self.open.items():
            if each.path == path:
                return uri, each.places
        uri = from_fs_path(str(path))
        try:
            return (uri, self.places(path.read_text(encoding="utf-8", errors="replace"))) if uri else None
        except OSError:
            return None

    def location(self, path: Path, text: str, begin: int, end: int) -> lsp.Location | None:
        """The place in an open file, or in one that was read."""
        found = next(((uri, each.places) for uri, each in self.open.items() if each.path == path), None)
        uri, places = found or (from_fs_path(str(path)), self.places(text))
        return lsp.Location(uri, convert.range(places, begin, end)) if uri else None


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _guarded(handler: Callable[_Asked, _Answer]) -> Callable[_Asked, _Answer | None]:
    """A fault costs its answer, and is logged; the editor's person is not disturbed."""

    @wraps(handler)
    def answer(*asked: _Asked.args, **more: _Asked.kwargs) -> _Answer | None:
        try:
            return handler(*asked, **more)
        except Exception:  # noqa: BLE001 - whatever it is, the next request is another one
            _LOG.exception("%s failed", handler.__name__)
            return None

    return answer


def create() -> Server:
    """The server with its features, not yet started."""
    server = Server()

    @server.feature(lsp.INITIALIZED)
    @_guarded
    def initialized(params: lsp.InitializedParams) -> None:
        files = server.client_capabilities.workspace
        watched = files.did_change_watched_files if files is not None else None
        if watched is not None and watched.dynamic_registration:
            watchers = [lsp.FileSystemWatcher("**/*.snap")]
            options = lsp.DidChangeWatchedFilesRegistrationOptions(watchers)
            wanted = lsp.Registration("snap", lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
            server.client_register_capability(lsp.RegistrationParams([wanted]))

    @server.feature(lsp.SHUTDOWN)
    def shutdown(*_: object) -> None:
        server.was_shut_down = True

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    @_guarded
    def opened(params: lsp.DidOpenTextDocumentParams) -> None:
        document = params.text_document
        server.put(document.uri, document.text, document.version)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    @_guarded
    def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        uri = params.text_document.uri
        if uri in server.open:
            for change in params.content_changes[-1:]:
                server.put(uri, change.text, params.text_document.version)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    @_guarded
    def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        if (here := server.open.pop(uri, None)) is not None:
            if here.timer is not None:
                here.timer.cancel()
            server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))
            server.check_users(here.path)

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    @_guarded
    def changed_on_disk(params: lsp.DidChangeWatchedFilesParams) -> None:
        server.check_users(None)

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    @_guarded
    def saved(params: lsp.DidSaveTextDocumentParams) -> None:
        # What is read besides the texts, such as a requirements file, may have changed too.
        server.check_users(None)

    @server.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=_TRIGGERS))
    @_guarded
    def completion(params: lsp.CompletionParams) -> lsp.CompletionList | None:
        uri, document = params.text_document.uri, server.document(params.text_document.uri)
        if document is None:
            return None
        places = server.open[uri].places
        at = places.offset(params.position.line, params.position.character)
        snippets = convert.takes_snippets(server.client_capabilities)
        return convert.completion(complete(document, at), places, snippets=snippets)

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    @_guarded
    def hover(params: lsp.HoverParams) -> lsp.Hover | None:
        uri, document = params.text_document.uri, server.document(params.text_document.uri)
        if document is None:
            return None
        places = server.open[uri].places
        found = look(document, places.offset(params.position.line, params.position.character))
        if found is None:
            return None
        content = lsp.MarkupContent(lsp.MarkupKind.Markdown, found.about)
        return lsp.Hover(content, convert.range(places, found.begin, found.end))

    @server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    @_guarded
    def definition(params: lsp.DefinitionParams) -> lsp.Location | None:
        uri, document = params.text_document.uri, server.document(params.text_document.uri)
        if document is None:
            return None
        found = look(document, server.open[uri].places.offset(params.position.line, params.position.character))
        if found is None or found.target is None:
            return None
        target = found.target
        return server.location(target.path, target.text, target.begin, target.end)

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    @_guarded
    def document_symbols(params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol] | None:
        here = server.open.get(params.text_document.uri)
        return None if here is None else convert.outline(symbols(here.places.text), here.places)

    @server.feature(lsp.TEXT_DOCUMENT_FOLDING_RANGE)
    @_guarded
    def folding(params: lsp.FoldingRangeParams) -> list[lsp.FoldingRange] | None:
        here = server.open.get(params.text_document.uri)
        return None if here is None else convert.folding(folds(here.places.text), here.places)

    @server.feature(lsp.TEXT_DOCUMENT_FORMATTING)
    @_guarded
    def formatting(params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit] | None:
        uri, document = params.text_document.uri, server.document(params.text_document.uri)
        change = None if document is None else formatted(document)
        if change is None:
            return None
        begin, end, text = change
        return [lsp.TextEdit(convert.range(server.open[uri].places, begin, end), text)]

    return server


def run() -> int:
    """Serve until the client says ``exit``, or goes away.

    Returns:
        0 after a ``shutdown``, else 1.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    for each in (signal.SIGTERM, signal.SIGINT):
        # There is nothing to save, and a thread that reads standard input cannot be stopped otherwise.
        signal.signal(each, _stop)
    server = create()
    # The protocol has its own descriptor, so that nothing that is printed can come between its messages.
    with os.fdopen(os.dup(1), "wb") as output:
        os.dup2(2, 1)
        server.start_io(None, output)
    server.checks.shutdown(wait=False, cancel_futures=True)
    return 0 if server.was_shut_down else EXIT_FAILED


def _stop(number: int, frame: object) -> NoReturn:
    os._exit(EXIT_INTERRUPTED)
