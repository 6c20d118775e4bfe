"""``registry test``: the login as Docker does it, up to where an image would be pulled.

The registry names who gives out its tokens; that server alone gets the password
besides the registry. What redirects elsewhere gets neither password nor token,
no answer is read beyond a bound, and all of it has an end.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from imagebuilder.diagnostics import Diagnostic, ImagebuilderError
from imagebuilder.engine.protocol import SecretValue
from imagebuilder.engine.redact import redactor
from imagebuilder.registries.addresses import HUB, is_loopback
from imagebuilder.registries.login import Login, LoginTest
from imagebuilder.registries.presets import expired, of_host

TIMEOUT = 10.0
"""Seconds for each connection and each answer to begin."""
LIMIT = 45.0
"""Seconds for all of it."""
_MOST_BYTES = 1 << 16
_LONGEST = 200
_CERTIFICATES = Path("/etc/docker/certs.d")
# A repository that is not there is no reason to refuse, save for those who hide which there are.
_HIDES = (HUB, "ghcr.io")
# How OpenSSL puts it that an answer was none of TLS.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG")
_CHALLENGE = re.compile(r'(Basic|Bearer)(?=\s|$)|([A-Za-z_-]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))', re.IGNORECASE)


def handshake(login: Login, repository: str = "") -> LoginTest:
    """Log in; then ask for ``repository``, or for the registry's project.

    Raises:
        ImagebuilderError: what is wrong.
    """
    found: list[LoginTest | BaseException] = []

    def run() -> None:
        try:
            found.append(_Handshake(login, repository).run())
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
            found.append(error)

    # Names are looked up without a limit, and an answer may come a byte at a time.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LIMIT)
    if not found:
        raise _unreachable(login.registry.host, f"it had not answered in full after {LIMIT:g} s")
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def is_json(self) -> bool:
        """Or nothing at all. A website answers with one of its pages."""
        try:
            json.loads(self.body or b"{}")
        except (ValueError, RecursionError):
            return False
        return True

    @property
    def says(self) -> str:
        """The registry's own words, in one line."""
        try:
            told: Any = json.loads(self.body)
            first = told["errors"][0] if told.get("errors") else told
            return str(first.get("message") or first.get("details") or first.get("code") or "")
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
            return ""


class _Unsafe(Exception):
    """It would have the password go somewhere else, or unencrypted."""


class _Handshake:
    def __init__(self, login: Login, repository: str) -> None:
        self._login = login
        self._registry = login.registry
        self._host = login.registry.host
        self._repository = repository
        self._taken = False
        self._ends = time.monotonic() + LIMIT
        plain = login.registry.url.startswith("http://")
        self._base = f"{'http' if plain else 'https'}://{'registry-1.docker.io' if self._host == HUB else self._host}"

    def run(self) -> LoginTest:
        name, user = self._registry.name, self._registry.username
        first = self._first()
        if first.status == 401:
            answer = self._logged_in("/v2/", first)
            if answer.status in (401, 403):
                raise self._refused(answer)
            if answer.status != 200:
                raise self._not_one(f"it answers {answer.status} to a login")
            self._taken = True
        said = f"{self._host} takes the login of {user!r}" if self._taken else f"{self._host} asks for no login"
        asked = self._repository or self._registry.project
        if not asked or (not self._repository and "/" not in asked and self._host in _HIDES):
            return LoginTest(name, f"{said} (name an image to see whether it may be pulled)", None)
        answer = self._pull(asked)
        if answer.status == 200:
            said = f"{self._host} takes the login of {user!r}" if self._taken else said
            return LoginTest(name, f"{said}; it may pull from {asked!r}", True)
        if answer.status == 404 and not self._repository:
            return LoginTest(name, f"{said} (name an image of {asked!r} to see whether it may be pulled)", None)
        if answer.status in (401, 403, 404):
            raise self._no_right(asked, answer)
        raise self._not_one(f"it answers {answer.status} to whether {asked!r} may be pulled")

    def _pull(self, repository: str) -> _Answer:
        """The answer to who wants a repository's tags."""
        path = f"/v2/{repository}/tags/list?n=1"
        answer = self._ask(self._base + path)
        if answer.status != 401:
            return answer
        answer = self._logged_in(path, answer, f"repository:{repository}:pull")
        if answer.status == 401 and not self._taken:
            raise self._refused(answer)
        self._taken = True
        return answer

    def _first(self) -> _Answer:
        """What the registry says to a stranger: 200 or 401."""
        url = self._base + "/v2/"
        try:
            answer = self._ask(url)
        except _NoTls:
            # As Docker does: what is on this machine may well have none.
            if not is_loopback(self._host):
                raise
            self._base = f"http://{self._host}"
            answer = self._ask(self._base + "/v2/")
        if answer.status == 429:
            raise _unreachable(self._host, "it answers that it was asked too often", "try again later")
        if answer.status >= 500:
            raise _unreachable(self._host, f"it answers {answer.status}", "is it in order? try again later")
        if answer.status == 401 and _challenge(answer.headers):
            return answer
        if answer.status == 200 and ("docker-distribution-api-version" in answer.headers or answer.is_json):
            return answer
        raise self._not_one(f"it answers {answer.status} to GET /v2/, and not as a registry does")

    def _logged_in(self, path: str, answer: _Answer, scope: str = "") -> _Answer:
        """The answer to who is logged in as ``answer`` demands, or that of who gives out tokens and does not."""
        schemes = _challenge(answer.headers)
        if "bearer" in schemes:
            token = self._token(schemes["bearer"], scope)
            if isinstance(token, _Answer):
                return token
            proof = f"Bearer {token}"
        elif "basic" in schemes:
            proof = f"Basic {self._login.basic}"
        else:
            raise self._not_one("it does not say how one logs in")
        return self._ask(self._base + path, proof)

    def _token(self, challenge: dict[str, str], scope: str) -> str | _Answer:
        try:
            realm = urlsplit(challenge.get("realm", ""))
        except ValueError:
            realm = urlsplit("")
        if realm.scheme not in ("https", "http") or not realm.hostname:
            raise self._not_one("it does not name who gives out its tokens")
        if realm.scheme == "http" and self._base.startswith("https:"):
            raise self._not_one(f"its tokens come from http://{realm.netloc}, which would see the password unencrypted")
        words = {"account": self._registry.username, "client_id": "imagebuilder"}
        words |= {"service": challenge["service"]} if challenge.get("service") else {}
        # What the challenge to /v2/ itself names is an example, with some.
        words |= {"scope": scope} if scope else {}
        url = realm._replace(query="&".join(filter(None, (realm.query, urlencode(words)))), fragment="").geturl()
        answer = self._ask(url, "Basic " + self._login.basic)
        if answer.status in (400, 401, 403):
            return replace(answer, status=401)
        try:
            found: Any = json.loads(answer.body)
            token = found.get("token") or found.get("access_token")
        except (ValueError, AttributeError, RecursionError):
            token = None
        if answer.status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise self._not_one(f"{realm.netloc}, which gives out its tokens, answers {answer.status} and none")
        return token

    def _ask(self, url: str, proof: str = "") -> _Answer:
        request = urllib.request.Request(url, headers={"User-Agent": "imagebuilder"})  # noqa: S310 - http or https
        if proof:
            # Such a header is left behind by a redirect; _Redirects takes it along where that is safe.
            request.add_unredirected_header("Authorization", proof)
        parts = urlsplit(url)
        where = parts.netloc
        try:
            try:
                response = _opener(parts.hostname or "", where).open(request, timeout=TIMEOUT)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                return _Answer(response.status, response.headers, self._read(response))
        except _Unsafe as error:
            raise self._not_one(str(error)) from None
        except (OSError, HTTPException, ValueError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise self._failure(where, reason, url.startswith("https:")) from None

    def _read(self, response: IO[bytes]) -> bytes:
        body = b""
        while len(body) < _MOST_BYTES and time.monotonic() < self._ends:
            chunk = response.read(min(4096, _MOST_BYTES - len(body)))
            if not chunk:
                break
            body += chunk
        return body

    def _failure(self, where: str, reason: object, tls: bool) -> ImagebuilderError:
        if isinstance(reason, _Unsafe):
            return self._not_one(str(reason))
        if isinstance(reason, ssl.SSLCertVerificationError):
            help = "name a file that holds its CA in SSL_CERT_FILE, and give it to Docker, too: "
            help += f"{_CERTIFICATES}/{where}/ca.crt"
            return _unreachable(where, f"its TLS certificate is not trusted: {reason.verify_message}", help)
        if tls and isinstance(reason, ssl.SSLError | ConnectionResetError | HTTPException):
            if (getattr(reason, "reason", None) or "") in _NO_TLS:
                help = f"is it a registry? without TLS it is added as --url http://{where}"
                return _NoTls(self._not_one("it does not speak TLS", help).diagnostics)
            said = reason.reason if isinstance(reason, ssl.SSLError) else ""
            why = f"TLS failed: {said.lower().replace('_', ' ')}" if said else "it ended the connection"
            return _NoTls(_unreachable(where, why).diagnostics)
        if isinstance(reason, socket.gaierror):
            return _unreachable(where, "there is no host of that name", "is the address right, and is there a network?")
        if isinstance(reason, TimeoutError):
            return _unreachable(
                where, f"no answer within {TIMEOUT:g} s", "is there a firewall, or a proxy to go through?"
            )
        if isinstance(reason, HTTPException | ValueError):
            return self._not_one("it does not speak HTTP")
        text = (reason.strerror if isinstance(reason, OSError) else "") or str(reason)
        return _unreachable(where, text.lower())

    def _refused(self, answer: _Answer) -> ImagebuilderError:
        known = of_host(self._host)
        renew = f"it wants {known.password}; {known.renew};" if known else "is it right, and still good?"
        help = f"{renew} `imagebuilder registry add {self._registry.name} --replace` takes the new one"
        says = self._clean(answer.says)
        if end := expired(self._login.password):
            message = f"the token for {self._host} expired at {end:%Y-%m-%d %H:%M} UTC"
        elif "expired" in says.lower():
            message = f"the token for {self._host} has expired: {says}"
        else:
            message = f"{self._host} refuses {self._registry.username!r}: wrong user or password"
            message += f" (it says: {says})" if says else ""
        return ImagebuilderError(Diagnostic("IB728", message, help=help))

    def _no_right(self, asked: str, answer: _Answer) -> ImagebuilderError:
        says = self._clean(answer.says)
        user = self._registry.username
        message = f"{self._host} takes the login of {user!r}, which may not pull from {asked!r}"
        if answer.status == 404:
            message = f"{self._host} takes the login of {user!r}, and has no {asked!r}"
        message += f" (it says: {says})" if says else ""
        help = "is the name right? then have the owner give that user the right to pull"
        return ImagebuilderError(Diagnostic("IB729", message, help=help))

    def _not_one(self, why: str, help: str = "is it the registry's address, not its website's?") -> ImagebuilderError:
        return ImagebuilderError(Diagnostic("IB727", f"no registry is at {self._host}: {self._clean(why)}", help=help))

    def _clean(self, said: str) -> str:
        """One short line without the password, whoever may have sent it back."""
        hidden = redactor([SecretValue(self._login.password), SecretValue(self._login.basic)])
        return " ".join(hidden(said).split())[:_LONGEST]


class _NoTls(ImagebuilderError):
    """There was no TLS with what answers there."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if old.scheme == "https" and new.scheme != "https":
            raise _Unsafe("it redirects to where nothing is encrypted")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        proof = req.unredirected_hdrs.get("Authorization")
        if request is not None and proof and (old.scheme, old.netloc) == (new.scheme, new.netloc):
            request.add_unredirected_header("Authorization", proof)
        return request


def _opener(host: str, where: str) -> urllib.request.OpenerDirector:
    """Opens http and https, by way of the environment's proxies; no other scheme, to which a redirect might lead."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler({} if is_loopback(host) else None),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=_trust(where)),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _trust(where: str) -> ssl.SSLContext:
    """The system's (or SSL_CERT_FILE's) authorities, and those that Docker is told to trust for that host."""
    context = ssl.create_default_context()
    for path in sorted(_CERTIFICATES.joinpath(where).glob("*.crt")):
        context.load_verify_locations(path)
    return context


def _challenge(headers: Message) -> dict[str, dict[str, str]]:
    """The ways to log in that an answer names, with their parameters."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for value in headers.get_all("WWW-Authenticate") or ():
        for match in _CHALLENGE.finditer(str(value)):
            scheme, key, quoted, bare = match.groups()
            if scheme:
                current = found.setdefault(scheme.lower(), {})
            else:
                current.setdefault(key.lower(), quoted if quoted is not None else bare)
    return found


def _unreachable(
    host: str, why: str, help: str = "is the address right, and can it be reached from here?"
) -> ImagebuilderError:
    return ImagebuilderError(Diagnostic("IB726", f"{host} cannot be reached: {why}", help=help))
