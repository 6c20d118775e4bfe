"""A client of the language server protocol, in as few lines as it takes: so that no library answers for the server."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

WAIT = 15.0
"""Seconds after which an answer is not to be expected any more."""


class Client:
    """``imagebuilder lsp`` as a process. ``notes`` are the notifications that came, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "imagebuilder", "lsp", "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.notes: list[dict[str, Any]] = []
        self._inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._last = 0
        self._versions: dict[str, int] = {}
        self.errors = ""
        for read in (self._read, self._read_errors):
            threading.Thread(target=read, daemon=True).start()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    # Messages -----------------------------------------------------------------------------------

    def send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.send_bytes(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def send_bytes(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def notify(self, method: str, **params: Any) -> None:
        self.send({"method": method, "params": params})

    def request(self, method: str, params: Any = None, **named: Any) -> Any:
        """The result; raises RuntimeError with what the server says where it refuses."""
        self._last += 1
        self.send({"id": self._last, "method": method, "params": named or params})
        while True:
            message = self._next()
            if message.get("id") == self._last and "method" not in message:
                if "error" in message:
                    raise RuntimeError(message["error"])
                return message["result"]

    def diagnostics(self, uri: str) -> list[dict[str, Any]]:
        """Those of the newest version of a file that was sent."""
        while True:
            for note in reversed(self.notes):
                params = note.get("params", {})
                if note["method"].endswith("publishDiagnostics") and params["uri"] == uri:
                    if params.get("version") == self._versions[uri]:
                        self.notes.remove(note)
                        found: list[dict[str, Any]] = params["diagnostics"]
                        return found
                    break
            self._next()

    def _next(self) -> dict[str, Any]:
        message = self._inbox.get(timeout=WAIT)
        assert message is not None, f"the server has gone: {self.errors}"
        if "method" in message:
            if "id" in message:
                self.send({"id": message["id"], "result": None})
            self.notes.append(message)
        return message

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while line := stream.readline():
            length = 0
            while line.strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
                line = stream.readline()
            self._inbox.put(json.loads(stream.read(length)))
        self._inbox.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors += line.decode()

    # A session ----------------------------------------------------------------------------------

    def initialize(self, **capabilities: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.request(
            "initialize", processId=None, rootUri=self.folder.as_uri(), capabilities=capabilities
        )
        self.notify("initialized")
        return found

    def open(self, name: str, text: str) -> str:
        uri = (self.folder / name).as_uri()
        self._versions[uri] = 1
        document = {"uri": uri, "languageId": "snap", "version": 1, "text": text}
        self.notify("textDocument/didOpen", textDocument=document)
        return uri

    def change(self, uri: str, text: str) -> None:
        self._versions[uri] += 1
        document = {"uri": uri, "version": self._versions[uri]}
        self.notify("textDocument/didChange", textDocument=document, contentChanges=[{"text": text}])

    def at(self, method: str, uri: str, line: int, character: int) -> Any:
        position = {"line": line, "character": character}
        return self.request(f"textDocument/{method}", textDocument={"uri": uri}, position=position)

    def leave(self) -> int:
        """``shutdown`` and ``exit``; the exit code. Standard input stays open."""
        self.request("shutdown")
        self.send({"method": "exit"})
        return self.process.wait(WAIT)
