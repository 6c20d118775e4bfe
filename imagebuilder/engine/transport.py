"""One call to an engine over a Unix socket, TCP or ssh: the status that it answered, and the body.

Every function raises OSError or ValueError where no answer comes, and TimeoutError where none comes in time.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from imagebuilder.engine.endpoint import Endpoint

if TYPE_CHECKING:
    import http.client

_CONNECT_TIMEOUT = 10.0


def exchange(
    endpoint: Endpoint,
    method: str,
    path: str,
    body: bytes | Iterable[bytes] | None,
    headers: dict[str, str],
    timeout: float,
) -> tuple[int, bytes]:
    import http.client

    try:
        with _connection(endpoint, timeout) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error


def ask(endpoint: Endpoint, path: str, timeout: float) -> tuple[int, bytes]:
    """GET what shows by itself whether it is whole, such as JSON."""
    url = urlsplit(endpoint.host)
    if url.scheme != "unix":
        return exchange(endpoint, "GET", path, None, {}, timeout)
    # By hand, since to import http.client (with ssl and email) takes longer than to ask whether an image is there.
    # In HTTP 1.0 an answer is a head and whatever comes until the end.
    with _unix_socket(url.path) as connection:
        connection.settimeout(timeout)
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode("ascii"))
        head, _, body = b"".join(iter(lambda: connection.recv(1 << 16), b"")).partition(b"\r\n\r\n")
    line = head.partition(b"\r\n")[0].decode("iso-8859-1")
    protocol, _, status = line.partition(" ")
    if not protocol or not body:
        raise ConnectionResetError("Remote end closed connection without response")
    if not protocol.startswith("HTTP/"):
        raise ValueError(line)
    return int(status[:3]), body


@contextmanager
def _connection(endpoint: Endpoint, timeout: float) -> Iterator[http.client.HTTPConnection]:
    import http.client

    url = urlsplit(endpoint.host)
    process = None
    if url.scheme == "unix":
        connection = http.client.HTTPConnection("localhost", timeout=timeout)
        connection.sock = _unix_socket(url.path)
        connection.sock.settimeout(timeout)
    elif url.scheme == "ssh":
        from imagebuilder.engine import command

        ours, theirs = socket.socketpair()
        remote = ["ssh", *(["-p", str(url.port)] if url.port else []), "-T", "--"]
        where = f"{url.username}@{url.hostname}" if url.username else str(url.hostname)
        process = command.spawn(
            [*remote, where, "docker", "system", "dial-stdio"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
        )
        theirs.close()
        connection = http.client.HTTPConnection("localhost", timeout=timeout)
        connection.sock = ours
        ours.settimeout(timeout)
    elif url.scheme in ("tcp", "http", "https"):
        host = url.hostname or "localhost"
        if endpoint.tls or url.scheme == "https":
            connection = http.client.HTTPSConnection(
                host, url.port or 2376, timeout=timeout, context=endpoint.ssl_context()
            )
        else:
            connection = http.client.HTTPConnection(host, url.port or 2375, timeout=timeout)
    else:
        raise ValueError(f"{url.scheme or 'no'} scheme is not unix, tcp or ssh")
    try:
        yield connection
    finally:
        connection.close()
        if process is not None:
            process.terminate()
            process.wait()


def _unix_socket(path: str) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connected.settimeout(_CONNECT_TIMEOUT)
    try:
        connected.connect(path)
    except OSError:
        connected.close()
        raise
    return connected
