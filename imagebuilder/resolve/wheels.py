"""Wheels, fetched once and kept by their SHA-256 under the home.

They are fetched here and not in the build: by few connections for all of them,
with this machine's trust and proxies, and so that an install in the build needs
no network.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from imagebuilder.diagnostics import BuildError, Diagnostic
from imagebuilder.home import private_folder
from imagebuilder.ir.ops import DistributionFile

if TYPE_CHECKING:
    import urllib3

_CONNECTIONS = 6
_CHUNK = 1 << 18
_TIMEOUT = 60.0
_RETRIES = 3
# What a folder says may be there for hours: a file that was begun and not ended.
_BEGUN = ".part-"


class WheelStore:
    """Those of one home."""

    def __init__(self, home: Path, ca: Path | None = None) -> None:
        """
        Args:
            ca: a CA bundle; None is that of ``SSL_CERT_FILE``, or the system's.
        """
        self._folder = home / "wheels"
        self._ca = ca

    def path(self, file: DistributionFile) -> Path:
        return self._folder / file.sha256 / file.name

    def missing(self, files: Iterable[DistributionFile]) -> list[DistributionFile]:
        """Those that have to be fetched, the largest first; one that is not what it was is among them."""
        found = {file.sha256: file for file in files if not self._is_whole(file)}
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
            on_bytes: called with how many more bytes have come; from several threads.

        Raises:
            BuildError: one cannot be fetched, or is not what it has to be.
        """
        if not files:
            return
        private_folder(self._folder)
        stop = threading.Event()
        with ThreadPoolExecutor(min(_CONNECTIONS, len(files))) as pool, _Connections(self._ca) as connections:
            waiting = [pool.submit(self._fetch, file, connections, on_bytes, stop) for file in files]
            try:
                for each in waiting:
                    each.result()
            except BaseException:
                stop.set()
                for each in waiting:
                    each.cancel()
                raise

    def _fetch(
        self, file: DistributionFile, connections: _Connections, on_bytes: Callable[[int], None], stop: threading.Event
    ) -> None:
        target = self.path(file)
        private_folder(target.parent)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=_BEGUN)
        try:
            with os.fdopen(handle, "wb") as out:
                found = self._copy(file, connections, out.write, on_bytes, stop)
            if found != file.sha256:
                message = f"{file.name} is not what the index says: its SHA-256 is {found}, not {file.sha256}"
                help = "is there a proxy or mirror in between? try again, or `imagebuilder lock --upgrade`"
                raise BuildError(Diagnostic("IB672", message, help=help))
            Path(name).chmod(0o644)
            Path(name).replace(target)
        except OSError as error:
            message = f"cannot keep {file.name}: {error.strerror or error}"
            raise BuildError(Diagnostic("IB671", message, help="`imagebuilder cache prune` frees space")) from None
        finally:
            Path(name).unlink(missing_ok=True)

    def _copy(
        self,
        file: DistributionFile,
        connections: _Connections,
        write: Callable[[bytes], Any],
        on_bytes: Callable[[int], None],
        stop: threading.Event,
    ) -> str:
        import urllib3

        digest = hashlib.sha256()
        try:
            with connections.get(file.url) as response:
                if response.status != 200:
                    raise _not_fetched(file, f"the index answers {response.status} {response.reason or ''}".rstrip())
                for piece in response.stream(_CHUNK, decode_content=False):
                    if stop.is_set():
                        raise _not_fetched(file, "given up")
                    digest.update(piece)
                    write(piece)
                    on_bytes(len(piece))
        except urllib3.exceptions.HTTPError as error:
            raise _not_fetched(file, _why(error)) from None
        return digest.hexdigest()


class _Connections:
    """To whatever a URL names, kept open."""

    def __init__(self, ca: Path | None) -> None:

        self._open: dict[str, urllib3.PoolManager] = {}
        self._context = ssl.create_default_context(cafile=None if ca is None else str(ca))
        self._lock = threading.Lock()

    def __enter__(self) -> _Connections:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._open.values():
            pool.clear()

    def get(self, url: str) -> urllib3.BaseHTTPResponse:
        return self._pool(url).request(
            "GET", url, headers=self._headers(url), preload_content=False, retries=self._retries()
        )

    def _pool(self, url: str) -> urllib3.PoolManager:
        import urllib3

        parts = urlsplit(url)
        proxies = {} if proxy_bypass(parts.hostname or "") else getproxies()
        proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
        options: dict[str, Any] = {
            "maxsize": _CONNECTIONS,
            "timeout": urllib3.Timeout(connect=_TIMEOUT, read=_TIMEOUT),
            "ssl_context": self._context,
        }
        with self._lock:
            if proxy not in self._open:
                self._open[proxy] = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
            return self._open[proxy]

    def _retries(self) -> urllib3.Retry:
        import urllib3

        return urllib3.Retry(_RETRIES, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504), redirect=5)

    def _headers(self, url: str) -> dict[str, str]:
        import netrc

        import urllib3

        # As pip and uv have it: a private index's login is the user's own, and in no spec.
        with suppress(OSError, netrc.NetrcParseError):
            if found := netrc.netrc().authenticators(urlsplit(url).hostname or ""):
                return urllib3.make_headers(basic_auth=f"{found[0]}:{found[2]}")
        return {}


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error).rpartition(": ")[2] or type(error).__name__


def _not_fetched(file: DistributionFile, why: str) -> BuildError:
    help = "can this machine reach the index? HTTPS_PROXY and SSL_CERT_FILE are taken notice of"
    return BuildError(
        Diagnostic("IB671", f"cannot fetch {file.name} from {urlsplit(file.url).hostname}: {why}", help=help)
    )
