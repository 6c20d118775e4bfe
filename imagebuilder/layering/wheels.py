"""Wheels, fetched once and kept by their SHA-256 under the home.

They are fetched here and not in the build: by few connections for all of them,
with this machine's trust and proxies, and so that an install in the build needs
no network.
"""

from __future__ import annotations

import base64
import hashlib
import os
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from imagebuilder.diagnostics import BuildError, Diagnostic
from imagebuilder.ir.packages import DistributionFile
from imagebuilder.resolve.logins import WAYS, Logins
from imagebuilder.resolve.shelf import NEW, WHEELS, Shelf

if TYPE_CHECKING:
    import urllib3

_CONNECTIONS = 6
_CHUNK = 1 << 18
_TIMEOUT = 60.0
_RETRIES = 3
_REDIRECTS = 5
_BACKOFF = 0.5
# For which those that go on are waited for once one has failed.
_GRACE = 0.2


class WheelStore:
    """Those of one home."""

    def __init__(self, home: Path, ca: Path | None = None, logins: Logins | None = None) -> None:
        """
        Args:
            ca: a CA bundle; None is that of ``SSL_CERT_FILE``, or the system's.
            logins: those of indexes, besides the user's own.
        """
        self._shelf = Shelf(home)
        self._ca = ca
        self._logins = logins or Logins()

    def path(self, file: DistributionFile) -> Path:
        return self._shelf.item(WHEELS, file.sha256) / file.name

    def missing(self, files: Iterable[DistributionFile]) -> list[DistributionFile]:
        """Those that have to be fetched, the largest first; one that is not what it was is among them."""
        found = {self.path(file): file for file in files if not self._is_whole(file)}
        return sorted(found.values(), key=lambda file: (-file.size, file.sha256))

    def _is_whole(self, file: DistributionFile) -> bool:
        try:
            with self.path(file).open("rb") as kept:
                return hashlib.file_digest(kept, "sha256").hexdigest() == file.sha256
        except OSError:
            return False

    def fetch(self, files: Sequence[DistributionFile], on_bytes: Callable[[int], None] = lambda count: None) -> None:
        """
        Args:
            on_bytes: called with how many more bytes have come, less than none where a file is begun anew; from
                several threads.

        Raises:
            BuildError: one cannot be fetched, or is not what it has to be.
        """
        if not files:
            return
        stop, unfinished = threading.Event(), set[Path]()
        waiting: SimpleQueue[DistributionFile] = SimpleQueue()
        ended: SimpleQueue[BaseException | None] = SimpleQueue()
        for file in files:
            waiting.put(file)

        def fetch() -> None:
            while not stop.is_set():
                try:
                    self._fetch(waiting.get_nowait(), connections, on_bytes, stop, unfinished)
                    ended.put(None)
                except Empty:
                    return
                except BaseException as error:  # noqa: BLE001 - it is raised where all of them are waited for
                    ended.put(error)

        # An executor would be waited for at the end of the process, for as long as a server that fell silent is.
        threads = [threading.Thread(target=fetch, daemon=True) for _ in range(min(_CONNECTIONS, len(files)))]
        with _Connections(self._ca, self._logins) as connections:
            try:
                for thread in threads:
                    thread.start()
                for _ in files:
                    if (error := ended.get()) is not None:
                        raise error
            except BaseException:
                stop.set()
                for thread in threads:
                    if thread.ident is not None:
                        thread.join(_GRACE)
                for path in tuple(unfinished):
                    with suppress(OSError):
                        path.unlink()
                raise

    def _fetch(
        self,
        file: DistributionFile,
        connections: _Connections,
        on_bytes: Callable[[int], None],
        stop: threading.Event,
        unfinished: set[Path],
    ) -> None:
        target = self.path(file)
        begun: Path | None = None
        try:
            self._shelf.new(WHEELS, file.sha256)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=NEW)
            begun = Path(name)
            unfinished.add(begun)
            with os.fdopen(handle, "wb") as out:
                found = _copy(file, connections, out, on_bytes, stop)
            if found != file.sha256:
                raise _other(file, f"its SHA-256 is {found}, not {file.sha256}")
            begun.chmod(0o644)
            begun.replace(target)
        except OSError as error:
            message = f"cannot keep {file.name}: {error.strerror or error}"
            raise BuildError(Diagnostic("IB671", message, help="`imagebuilder cache prune` frees space")) from None
        finally:
            if begun is not None:
                with suppress(OSError):
                    begun.unlink(missing_ok=True)
                unfinished.discard(begun)


def _copy(
    file: DistributionFile,
    connections: _Connections,
    out: IO[bytes],
    on_bytes: Callable[[int], None],
    stop: threading.Event,
) -> str:
    """The SHA-256 of what came. What is cut off goes on from there, where the server can do that."""
    import urllib3

    digest, have = hashlib.sha256(), 0
    for left in reversed(range(_RETRIES + 1)):
        try:
            with connections.get(file.url, have) as response:
                if have and response.status == 200:
                    out.seek(0)
                    out.truncate()
                    on_bytes(-have)
                    digest, have = hashlib.sha256(), 0
                elif response.status != (206 if have else 200):
                    why = f"the index answers {response.status} {response.reason or ''}".rstrip()
                    raise _not_fetched(file, why, response.status)
                for piece in response.stream(_CHUNK, decode_content=False):
                    if stop.is_set():
                        raise _not_fetched(file, "given up")
                    have += len(piece)
                    if file.size and have > file.size:
                        raise _other(file, f"it has more than {file.size:,} bytes")
                    digest.update(piece)
                    out.write(piece)
                    on_bytes(len(piece))
            return digest.hexdigest()
        except (urllib3.exceptions.ProtocolError, urllib3.exceptions.TimeoutError) as error:
            if not left:
                raise _not_fetched(file, _why(error)) from None
            stop.wait(_BACKOFF * (_RETRIES - left))
        except urllib3.exceptions.HTTPError as error:
            raise _not_fetched(file, _why(error)) from None
    raise AssertionError("the last attempt returns or raises")


class _Connections:
    """To whatever a URL names, kept open."""

    def __init__(self, ca: Path | None, logins: Logins) -> None:
        self._logins = logins
        self._open: dict[str, urllib3.PoolManager] = {}
        try:
            self._context = ssl.create_default_context(cafile=None if ca is None else str(ca))
        except OSError as error:
            message = f"cannot read the CA bundle {str(ca)!r}: {error.strerror or error}"
            raise BuildError(
                Diagnostic("IB671", message, help="certificates in PEM form, as SSL_CERT_FILE has")
            ) from None
        self._lock = threading.Lock()

    def __enter__(self) -> _Connections:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._open.values():
            pool.clear()

    def get(self, url: str, start: int = 0) -> urllib3.BaseHTTPResponse:
        """The answer, its content not yet read; of what comes from byte ``start`` on."""
        import urllib3

        if not url.startswith(("https://", "http://")):
            raise urllib3.exceptions.URLSchemeUnknown(urlsplit(url).scheme)
        headers = _login(url, self._logins) | ({"Range": f"bytes={start}-"} if start else {})
        return self._pool(url).request("GET", url, headers=headers, preload_content=False, retries=_retries())

    def _pool(self, url: str) -> urllib3.PoolManager:
        import urllib3

        parts = urlsplit(url)
        proxies = {} if proxy_bypass(parts.hostname or "") else getproxies()
        proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
        if proxy and "://" not in proxy:
            proxy = f"http://{proxy}"
        options: dict[str, Any] = {
            "maxsize": _CONNECTIONS,
            "timeout": urllib3.Timeout(connect=_TIMEOUT, read=_TIMEOUT),
            "ssl_context": self._context,
        }
        with self._lock:
            if proxy not in self._open and proxy:
                login = urllib3.util.parse_url(proxy).auth
                headers = {"Proxy-Authorization": _basic(unquote(login))} if login else None
                self._open[proxy] = urllib3.ProxyManager(proxy, proxy_headers=headers, **options)
            elif proxy not in self._open:
                self._open[proxy] = urllib3.PoolManager(**options)
            return self._open[proxy]


def _retries() -> urllib3.Retry:
    import urllib3

    options: dict[str, Any] = dict.fromkeys(("connect", "read", "status", "other"), _RETRIES)
    # A server could have us wait for a day.
    options |= {"backoff_factor": _BACKOFF, "respect_retry_after_header": False}
    return urllib3.Retry(None, redirect=_REDIRECTS, status_forcelist=(429, 500, 502, 503, 504), **options)


def _login(url: str, logins: Logins) -> dict[str, str]:
    import netrc

    if (login := logins.at(url)) is not None:
        return {"Authorization": _basic(":".join(login))}
    # As pip and uv have it: a private index's login is the user's own, and in no spec.
    with suppress(OSError, ValueError, netrc.NetrcParseError):
        if found := netrc.netrc(os.environ.get("NETRC") or None).authenticators(urlsplit(url).hostname or ""):
            return {"Authorization": _basic(f"{found[0]}:{found[2]}")}
    return {}


def _basic(login: str) -> str:
    return "Basic " + base64.b64encode(login.encode()).decode()


def _other(file: DistributionFile, why: str) -> BuildError:
    help = "is there a proxy or mirror in between? try again; `imagebuilder lock` takes what the index says now"
    return BuildError(Diagnostic("IB672", f"{file.name} is not what its index or lock says: {why}", help=help))


def _why(error: Exception) -> str:
    import urllib3

    reason = getattr(error, "reason", None) or error
    if isinstance(reason, urllib3.exceptions.ProtocolError):
        return "the connection was cut off"
    return str(reason).rpartition(": ")[2] or type(reason).__name__


def _not_fetched(file: DistributionFile, why: str, status: int = 0) -> BuildError:
    help = "can this machine reach the index? HTTPS_PROXY and SSL_CERT_FILE are taken notice of"
    if status in (401, 403):
        help = f"give a login that may read it: {WAYS}"
    return BuildError(
        Diagnostic("IB671", f"cannot fetch {file.name} from {urlsplit(file.url).hostname}: {why}", help=help)
    )
