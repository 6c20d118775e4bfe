"""A command in a container as a stream: the connection that the engine's HTTP API turns into one."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from contextlib import ExitStack, suppress
from http.client import HTTPConnection, HTTPResponse

_HEAD = 8
_CHUNK = 1 << 16


class Attached:
    """See :class:`~imagebuilder.engine.containers.Running`.

    Frames have eight bytes of head (the stream, three zeros, the length as four bytes, big-endian) before their data;
    a terminal's stream has none (Docker's Engine API, "Attach to a container").
    """

    def __init__(
        self,
        id: str,
        connection: HTTPConnection,
        response: HTTPResponse,
        held: ExitStack,
        *,
        terminal: bool,
        ended: Callable[[], int],
        resize: Callable[[int, int], None],
    ) -> None:
        """``held`` closes the connection."""
        self.id = id
        sock = connection.sock
        assert isinstance(sock, socket.socket)
        self._socket = sock
        self._held = held
        self._terminal = terminal
        self._ended = ended
        self._resize = resize
        self._data = bytearray(_read_ahead(sock, response))
        # Of the frame that is being read.
        self._stream, self._left = 1, 0

    def __enter__(self) -> Attached:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, timeout: float | None = None) -> tuple[int, bytes]:
        if self._terminal:
            if not self._data:
                self._receive(timeout)
            return 1, self._take(len(self._data))
        while not self._left:
            while len(self._data) < _HEAD:
                if not self._receive(timeout):
                    return 1, b""
            self._stream, self._left = struct.unpack(">BxxxL", self._take(_HEAD))
        if not self._data and not self._receive(timeout):
            return 1, b""
        found = self._take(min(self._left, len(self._data)))
        self._left -= len(found)
        return self._stream, found

    def write(self, data: bytes) -> None:
        self._socket.settimeout(None)
        self._socket.sendall(data)

    def close_input(self) -> None:
        # The other end may be gone by now.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def resize(self, columns: int, rows: int) -> None:
        self._resize(columns, rows)

    def exit_code(self) -> int:
        return self._ended()

    def _take(self, count: int) -> bytes:
        found = bytes(self._data[:count])
        del self._data[:count]
        return found

    def _receive(self, timeout: float | None) -> bool:
        if timeout is not None and not select.select([self._socket], [], [], max(0.0, timeout))[0]:
            raise TimeoutError
        try:
            data = self._socket.recv(_CHUNK)
        except ConnectionError:
            return False  # An engine that goes ends what runs in it.
        self._data += data
        return bool(data)


def _read_ahead(sock: socket.socket, response: HTTPResponse) -> bytes:
    """What was read of the stream together with the response's head."""
    assert response.fp is not None
    sock.setblocking(False)
    try:
        with suppress(OSError):
            # Everything in the buffer; where there is nothing, one look at the socket, which does not wait.
            return response.fp.read1() if response.fp.peek() else b""
        return b""
    finally:
        sock.settimeout(None)
