"""A port of a sandbox on this machine's loopback, while the program runs."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
import time
from contextlib import suppress

from imagebuilder.diagnostics import CompileError, Diagnostic, SandboxError
from imagebuilder.sandbox.box import Box

_CHUNK = 1 << 16
_TIMEOUT = 10.0
# Seconds between two notes that a connection is still used.
_USE = 10.0


class Preview:
    """``url`` leads to the port in the sandbox until :meth:`close`; a context manager closes it."""

    def __init__(self, server: _Server, port: int) -> None:
        self._server = server
        self.port = port
        self.local_port = int(server.server_address[1])
        self.url = f"http://127.0.0.1:{self.local_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def __enter__(self) -> Preview:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Preview of port {self.port}: {self.url}>"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, local_port: int, port: int, box: Box) -> None:
        self.port, self.box = port, box
        super().__init__(("127.0.0.1", local_port), _Relay)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that breaks is told to whoever holds its ends, not printed."""


class _Relay(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        box = self.server.box
        # Once it was stopped, another sandbox may have the address that it had.
        found = box.info()
        if found is None or not found.is_running or not found.address:
            return
        used = self._used()
        with socket.create_connection((found.address, self.server.port), timeout=_TIMEOUT) as there:
            there.settimeout(None)
            ends = {self.request: there, there: self.request}
            open_ends = set(ends)
            while open_ends:
                for end in select.select(list(open_ends), [], [])[0]:
                    data = end.recv(_CHUNK)
                    if data:
                        ends[end].sendall(data)
                        if time.monotonic() - used > _USE:
                            used = self._used()
                    else:
                        open_ends.discard(end)
                        with suppress(OSError):
                            ends[end].shutdown(socket.SHUT_WR)

    def _used(self) -> float:
        self.server.box.used()
        return time.monotonic()


def open_preview(box: Box, port: int, local_port: int) -> Preview:
    """See :meth:`imagebuilder.sandbox.Sandbox.preview`."""
    for number, least in ((port, 1), (local_port, 0)):
        if not isinstance(number, int) or not least <= number < 65536:
            raise CompileError(Diagnostic("IB755", f"not a port: {number!r}", help=f"a number from {least} to 65535"))
    found = box.info()
    if found is None or not found.is_running:
        raise box.stopped()
    if not found.address:
        help = "make it without network_block_all"
        raise SandboxError(Diagnostic("IB758", f"the sandbox {box.name!r} has no network", help=help))
    try:
        return Preview(_Server(local_port, port, box), port)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SandboxError(
            Diagnostic("IB758", f"port {local_port} of this machine cannot be had: {reason}", help="take another one")
        ) from None
