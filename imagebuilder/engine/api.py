"""The engine's HTTP API: the few calls that are needed, by the standard library.

The Docker SDK would do the same, but importing it takes longer than most of
these calls.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from imagebuilder.diagnostics import BuildError, Diagnostic, EngineError
from imagebuilder.engine import transport
from imagebuilder.engine.endpoint import Endpoint
from imagebuilder.engine.protocol import Output

if TYPE_CHECKING:
    import http.client

# Of many layers, counting and dropping take a while.
_PRUNE_TIMEOUT = 600.0
_PULL_TIMEOUT = 900.0
_PUSH_TIMEOUT = 900.0
_REGISTRY_TIMEOUT = 10.0
_LOAD_TIMEOUT = 300.0
_STREAM_TIMEOUT = 60.0

Upgraded = tuple["http.client.HTTPConnection", "http.client.HTTPResponse"]


class Api:
    """Calls to one engine."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def version(self) -> dict[str, Any]:
        return self.json("GET", "/version")

    def info(self) -> dict[str, Any]:
        return self.json("GET", "/info")

    def ping(self, timeout: float = 60.0) -> None:
        """The cheapest call there is; ``timeout`` is in seconds.

        Raises:
            EngineError: no engine answers.
        """
        if self.raw("GET", "/_ping", timeout=timeout, brief=True).strip() != b"OK":
            raise unreachable(self.endpoint, "what answers there is no Docker Engine")

    def answers(self, timeout: float = 2.0) -> bool:
        """Whether an engine is there; ``timeout`` is in seconds."""
        try:
            self.ping(timeout)
        except EngineError:
            return False
        return True

    def image(self, ref: str) -> dict[str, Any] | None:
        try:
            return self.json("GET", f"/images/{quote(ref)}/json")
        except NotFound:
            return None

    def pull(self, ref: str) -> bool:
        """Pull an image by name and tag, or by digest; False where no registry has it or can be reached."""
        return not self.pull_failure(ref)

    def pull_failure(self, ref: str, login: str | None = None) -> str:
        """Pull an image; why it is not to be had, empty where it came.

        Args:
            login: the header ``X-Registry-Auth``.
        """
        repository, _, tag = ref.partition("@") if "@" in ref else ref.rpartition(":")
        if not repository or "/" in tag:
            repository, tag = ref, "latest"
        query = urlencode({"fromImage": repository, "tag": tag})
        headers = {"X-Registry-Auth": login} if login else {}
        try:
            stream = self.raw("POST", f"/images/create?{query}", timeout=_PULL_TIMEOUT, headers=headers)
        except (Refused, TimedOut) as error:
            message = error.diagnostics[0].message
            return message.partition(": ")[2] or message
        return next((said for line in stream.splitlines() if (said := _error(line))), "")

    def push_failure(self, ref: str, login: str) -> str:
        """Push what has that name and tag; why the registry would not, empty where it did.

        Args:
            login: the header ``X-Registry-Auth``.
        """
        repository, _, tag = ref.rpartition(":")
        path = f"/images/{quote(repository)}/push?{urlencode({'tag': tag})}"
        stream = self.raw("POST", path, timeout=_PUSH_TIMEOUT, headers={"X-Registry-Auth": login})
        return next((said for line in stream.splitlines() if (said := _error(line))), "")

    def load(self, archive: Iterable[bytes]) -> None:
        """Load images from the pieces of an archive as `docker save` writes it.

        Raises:
            Refused: the engine says why.
        """
        said = self.raw("POST", "/images/load?quiet=1", archive, "application/x-tar", timeout=_LOAD_TIMEOUT)
        if b'"errorDetail"' in said:
            raise Refused(Diagnostic("IB503", f"the engine refused the archive: {_message(said)}"))

    def registry_digest(self, ref: str) -> str:
        """The digest that the image's registry has for a name."""
        found = self.json("GET", f"/distribution/{quote(ref)}/json", timeout=_REGISTRY_TIMEOUT)
        return str(found["Descriptor"]["digest"])

    def tag(self, image: str, ref: str) -> None:
        repository, tag = ref.rsplit(":", 1)
        self.json("POST", f"/images/{quote(image)}/tag?" + urlencode({"repo": repository, "tag": tag}))

    def untag(self, ref: str) -> None:
        try:
            self.json("DELETE", f"/images/{quote(ref)}")
        except NotFound:
            return

    def builder_cache(self, *, unused: bool) -> int:
        """Bytes of the builder's layers, or of those that no build uses right now."""
        found = self.json("GET", "/system/df?type=build-cache", timeout=_PRUNE_TIMEOUT).get("BuildCache") or ()
        return sum(int(each.get("Size", 0)) for each in found if not (unused and each.get("InUse")))

    def prune_builder_cache(self, older_than: float | None) -> int:
        """Drop the builder's layers, or those not used for so many seconds; the bytes that went."""
        query = {"all": "1"}
        if older_than is not None:
            query["filters"] = json.dumps({"until": {f"{int(older_than)}s": True}})
        found = self.json("POST", f"/build/prune?{urlencode(query)}", timeout=_PRUNE_TIMEOUT)
        return int(found.get("SpaceReclaimed", 0))

    def run(self, image: str, words: list[str], timeout: float, labels: Mapping[str, str]) -> Output:
        """Run a command in a container that is removed afterwards, even when this is interrupted."""
        host = {
            "NetworkMode": "none",
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": 512,
        }
        body = {
            "Image": image,
            "Entrypoint": words[:1],
            "Cmd": words[1:],
            "HostConfig": host,
            "Labels": dict(labels),
        }
        id = self.json("POST", "/containers/create", body)["Id"]
        try:
            try:
                self.json("POST", f"/containers/{id}/start")
            except Refused as error:
                # As a shell has it: the command is not there, or is no program.
                message = error.diagnostics[0].message
                return Output(127 if "not found" in message or "no such file" in message else 126, "", message + "\n")
            try:
                ended = self.json("POST", f"/containers/{id}/wait", timeout=timeout)
            except TimedOut:
                raise BuildError(
                    Diagnostic("IB504", f"the command did not end within {timeout:g} s", help="give a longer timeout=")
                ) from None
            raw = self.raw("GET", f"/containers/{id}/logs?stdout=1&stderr=1")
        finally:
            self.json("DELETE", f"/containers/{id}?force=1&v=1")
        streams = {1: bytearray(), 2: bytearray()}
        for stream, data in frames(raw):
            streams.setdefault(stream, bytearray()).extend(data)
        out, err = (bytes(streams[n]).decode(errors="replace") for n in (1, 2))
        return Output(int(ended["StatusCode"]), out, err)

    def head(self, path: str, header: str) -> str:
        """One header of the answer to a HEAD, empty where it has none."""
        with (
            self._told("HEAD", path, _STREAM_TIMEOUT),
            transport.connection(self.endpoint, _STREAM_TIMEOUT) as connection,
        ):
            connection.request("HEAD", path)
            response = connection.getresponse()
        if response.status >= 400:
            raise _refusal("HEAD", path, response.status, b"")
        return response.getheader(header) or ""

    def json(self, method: str, path: str, body: Any = None, timeout: float = 60.0) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        raw = self.raw(method, path, data, timeout=timeout, brief=method == "GET")
        if not raw.strip():
            return {}
        try:
            found = json.loads(raw)
        except ValueError as error:
            raise unreachable(self.endpoint, "what answers there is no Docker Engine") from error
        return found if isinstance(found, dict) else {"items": found}

    def raw(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        content_type: str = "application/json",
        *,
        timeout: float = 60.0,
        headers: Mapping[str, str] | None = None,
        brief: bool = False,
    ) -> bytes:
        """The answer's body. ``brief`` is a GET without a body whose answer shows by itself whether it is whole."""
        sent = {**(headers or {}), **({} if body is None else {"Content-Type": content_type})}
        with self._told(method, path, timeout):
            if brief:
                status, raw = transport.ask(self.endpoint, path, timeout)
            else:
                status, raw = transport.exchange(self.endpoint, method, path, body, sent, timeout)
        if status >= 400:
            raise _refusal(method, path, status, raw)
        return raw

    @contextmanager
    def _told(self, method: str, path: str, timeout: float) -> Iterator[None]:
        """What goes wrong with the connection, as a diagnostic."""
        try:
            yield
        except TimeoutError as error:
            raise TimedOut(
                Diagnostic(
                    "IB508",
                    f"the Docker Engine at {self.endpoint.host} ({self.endpoint.source}) did not answer"
                    f" {method} {path.partition('?')[0]} within {timeout:g} s",
                    help="`imagebuilder doctor` looks at it",
                )
            ) from error
        except (OSError, ValueError) as error:
            raise unreachable(self.endpoint, str(error)) from error

    @contextmanager
    def stream(self, method: str, path: str, *, timeout: float = 600.0) -> Iterator[http.client.HTTPResponse]:
        """The response while it comes; ``timeout`` is that of each read, in seconds.

        Raises:
            EngineError: the engine does not answer, or refuses.
        """
        with ExitStack() as held:
            # What goes wrong while it is read may be the reader's own.
            with self._told(method, path, timeout):
                connection = held.enter_context(transport.connection(self.endpoint, timeout))
                connection.request(method, path)
                response = connection.getresponse()
                if response.status >= 400:
                    raise _refusal(method, path, response.status, response.read())
            yield response

    def upgrade(self, path: str, body: Any, held: ExitStack) -> Upgraded:
        """A connection that is a plain stream in both directions from here on; ``held`` closes it."""
        headers = {"Content-Type": "application/json", "Connection": "Upgrade", "Upgrade": "tcp"}
        with self._told("POST", path, _STREAM_TIMEOUT):
            connection = held.enter_context(transport.connection(self.endpoint, _STREAM_TIMEOUT))
            connection.request("POST", path, json.dumps(body).encode(), headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise _refusal("POST", path, response.status, response.read())
        return connection, response


class Refused(EngineError):
    """The engine answered, and would not."""


class NotFound(Refused):
    """The engine has no such thing."""


class Conflict(Refused):
    """What is there already, or in use, is in the way."""


class TimedOut(EngineError):
    """The engine took the call, and did not answer in time."""


def unreachable(endpoint: Endpoint, reason: str) -> EngineError:
    return EngineError(
        Diagnostic(
            "IB500",
            f"no Docker Engine answers at {endpoint.host} ({endpoint.source}): {reason}",
            help="start Docker, set DOCKER_HOST, or run `imagebuilder engine start` for an engine of its own",
        )
    )


def frames(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The engine's multiplexed stream: eight bytes of head (stream, length), then the data."""
    at = 0
    while at + 8 <= len(raw):
        stream, length = struct.unpack(">BxxxL", raw[at : at + 8])
        yield stream, raw[at + 8 : at + 8 + length]
        at += 8 + length


def _error(line: bytes) -> str:
    """What went wrong, of a line of the engine's progress; mostly nothing."""
    try:
        found = json.loads(line)
        return str(found.get("error") or "")
    except (ValueError, AttributeError):
        return ""


def _refusal(method: str, path: str, status: int, raw: bytes) -> Refused:
    kind = NotFound if status == 404 else Conflict if status == 409 else Refused
    return kind(Diagnostic("IB503", f"the engine refused {method} {path.partition('?')[0]}: {_message(raw)}"))


def _message(raw: bytes) -> str:
    try:
        return str(json.loads(raw)["message"])
    except (ValueError, KeyError, TypeError):
        return raw.decode(errors="replace").strip()[:200]
