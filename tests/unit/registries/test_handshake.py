"""`registry test`: what each kind of failure is called, and where a password never goes."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from imagebuilder.diagnostics import ImagebuilderError
from imagebuilder.registries import LoginTest, Registries, handshake
from imagebuilder.registries.handshake import _challenge, _Handshake, _Redirects, _Unsafe
from imagebuilder.registries.login import Login
from imagebuilder.store import Registry
from tests.unit.registries.answering import Answer, Answering, answering, certificate

PASSWORD = "hunter2-t0p"
BASIC = "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()
ASKS = {"WWW-Authenticate": 'Basic realm="r"'}
DENIED = {"errors": [{"code": "DENIED", "message": f"no {PASSWORD} here"}]}
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as found:
        yield found


def log_in(url: str, image: str = "", password: str = PASSWORD, project: str = "") -> LoginTest:
    return handshake.handshake(Login(Registry("r", url, "me", project), password), image)


def fails(url: str, code: str, *words: str, **options: Any) -> str:
    with pytest.raises(ImagebuilderError) as caught:
        log_in(url, **options)
    found = caught.value.diagnostics[0]
    assert found.code == code and found.help, found
    assert caught.value.exit_code == 1
    for word in words:
        assert word in found.message, found.message
    assert "\n" not in found.message, "one line"
    assert PASSWORD not in str(caught.value) and BASIC[6:] not in str(caught.value)
    return found.help


def basic(path: str, proof: str) -> Answer:
    return (200, {}, {}) if proof == BASIC else (401, ASKS, {"errors": [{"message": "who are you?"}]})


def test_basic(server: Answering) -> None:
    """The first question is a stranger's."""
    server.answer = basic
    found = log_in(f"http://{server.host}")
    assert found.pulls is None and f"{server.host} takes the login of 'me'" in found.message
    assert server.asked == [("/v2/", ""), ("/v2/", BASIC)]


def test_this_machine_may_have_no_tls(server: Answering) -> None:
    server.answer = basic
    assert "takes the login" in log_in(server.host).message


def test_elsewhere_tls_is_wanted(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer = basic
    monkeypatch.setattr(handshake, "is_loopback", lambda host: False)
    assert f"--url http://{server.host}" in fails(server.host, "IB727", "does not speak TLS")
    assert all(proof == "" for _, proof in server.asked)


def test_a_wrong_password(server: Answering) -> None:
    server.answer = basic
    help = fails(f"http://{server.host}", "IB728", "wrong user or password", "'me'", password="wrong")
    assert "--replace" in help


def test_a_registrys_own_words_are_passed_on_without_the_password(server: Answering) -> None:
    server.answer = lambda path, proof: (401, ASKS, DENIED)
    fails(f"http://{server.host}", "IB728", "wrong user or password (it says: no *** here)")


def token(**body: Any) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


def jwt(**body: Any) -> str:
    return f"e30.{token(**body).rstrip('=')}.c2ln"


@pytest.mark.parametrize("password", [token(payload="x", expiration=1_700_000_000), jwt(exp=1_700_000_000.5)])
def test_a_token_that_has_expired(server: Answering, password: str) -> None:
    server.answer = basic
    fails(f"http://{server.host}", "IB728", "expired at 2023-11-14", password=password)


@pytest.mark.parametrize("password", [token(expiration=9e18), token(expiration="x"), jwt(exp=True), "é.é.é", "[]"])
def test_a_token_that_says_nothing_of_its_end(server: Answering, password: str) -> None:
    server.answer = basic
    fails(f"http://{server.host}", "IB728", "wrong user or password", password=password)


def test_a_registry_that_says_the_token_has_expired(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ECR does; what gets another token is told."""
    said = {"errors": [{"code": "DENIED", "message": "Your authorization token has expired. Reauthenticate."}]}
    server.answer = lambda path, proof: (403, {}, said) if proof else (401, ASKS, b"")
    fails(f"http://{server.host}", "IB728", "the token", "has expired")
    made = _Handshake(Login(Registry("r", ECR, "AWS"), "x"), "")
    assert "aws ecr get-login-password" in made._refused(handshake._Answer(403, Message(), b"")).diagnostics[0].help


class Bearer:
    """A registry whose tokens another server gives out, to who may pull ``may``."""

    def __init__(self, registry: Answering, tokens: Answering, may: str = "team/app") -> None:
        realm = f"http://{tokens.host}/token"
        self.asks = {"WWW-Authenticate": f'Bearer realm="{realm}",service="s x",scope="repository:x/y:pull"'}
        self.may = may
        registry.answer, tokens.answer = self.registry, self.tokens

    def registry(self, path: str, proof: str) -> Answer:
        if proof == "Bearer t-login" and path == "/v2/":
            return 200, {}, {}
        if proof == f"Bearer t-{self.may}":
            return (200, {}, {"tags": []}) if self.may in path else (404, {}, b"")
        return 401, self.asks, b""

    def tokens(self, path: str, proof: str) -> Answer:
        if proof != BASIC:
            return 401, {}, {"details": "incorrect username or password"}
        scope = path.partition("scope=repository%3A")[2].partition("%3A")[0].replace("%2F", "/")
        return 200, {}, {"access_token" if scope else "token": f"t-{scope or 'login'}"}


@pytest.fixture
def bearer(server: Answering) -> Iterator[tuple[Bearer, Answering, Answering]]:
    with answering() as tokens:
        yield Bearer(server, tokens), server, tokens


def test_bearer(bearer: tuple[Bearer, Answering, Answering]) -> None:
    """The password goes to who gives out tokens, and the registry gets tokens alone."""
    _, registry, tokens = bearer
    found = log_in(f"http://{registry.host}", project="team/app")
    assert found.pulls is True and "may pull from 'team/app'" in found.message
    assert {proof for _, proof in tokens.asked} == {BASIC}
    assert {proof.partition(" ")[0] for _, proof in registry.asked} == {"", "Bearer"}
    first, second = (path for path, _ in tokens.asked)
    assert "service=s+x" in first and "account=me" in first and "scope" not in first
    assert "scope=repository%3Ateam%2Fapp%3Apull" in second


def test_bearer_with_a_wrong_password(bearer: tuple[Bearer, Answering, Answering]) -> None:
    fails(f"http://{bearer[1].host}", "IB728", "wrong user or password", "incorrect username", password="x")


def test_no_right_to_pull(bearer: tuple[Bearer, Answering, Answering]) -> None:
    """Of a project, and of an image; that there is none is said otherwise."""
    made, registry, _ = bearer
    fails(f"http://{registry.host}", "IB729", "takes the login of 'me'", "may not pull from 'other'", project="other")
    fails(f"http://{registry.host}", "IB729", "may not pull from 'other/app'", image="other/app")
    made.may = ""
    registry.answer = lambda path, proof: (404, {}, b"") if "tags" in path else made.registry(path, proof)
    fails(f"http://{registry.host}", "IB729", "has no 'team/gone'", image="team/gone")
    assert log_in(f"http://{registry.host}", project="team").pulls is None, "a project need not be a repository"


def test_who_gives_out_tokens_may_refuse_the_right(bearer: tuple[Bearer, Answering, Answering]) -> None:
    made, registry, tokens = bearer
    tokens.answer = lambda path, proof: (403, {}, b"") if "scope" in path else made.tokens(path, proof)
    fails(f"http://{registry.host}", "IB729", "may not pull from 'team/app'", project="team/app")


def test_a_namespace_of_a_registry_that_hides_what_it_has(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer = basic
    monkeypatch.setattr(handshake, "_HIDES", (server.host,))
    assert log_in(f"http://{server.host}", project="team").pulls is None
    assert all("tags" not in path for path, _ in server.asked)


def test_no_login_is_asked_for(server: Answering) -> None:
    """Then the password goes nowhere, until a repository asks for it."""
    server.answer = lambda path, proof: (200, {}, {}) if path == "/v2/" else basic(path, proof)
    assert "asks for no login" in log_in(f"http://{server.host}").message
    assert all(not proof for _, proof in server.asked)
    assert log_in(f"http://{server.host}", project="team/app").pulls is True
    fails(f"http://{server.host}", "IB728", "wrong user or password", project="team/app", password="x")


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"Content-Type": "text/html"}, b"<html>a website</html>"),
        (404, {}, b""),
        (401, {}, b""),
        (401, {"WWW-Authenticate": 'Digest realm="x"'}, b""),
        (401, {"WWW-Authenticate": "Bearer"}, b""),
        (401, {"WWW-Authenticate": 'Bearer realm="ftp://x/token"'}, b""),
        (401, {"WWW-Authenticate": 'Bearer realm="http://[::1"'}, b""),
        (302, {"Location": "ftp://127.0.0.1/x"}, b""),
    ],
)
def test_what_is_no_registry(server: Answering, answer: Answer) -> None:
    server.answer = lambda path, proof: answer
    fails(f"http://{server.host}", "IB727", "no registry is at")
    assert all(not proof for _, proof in server.asked)


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"{}"), (200, b"[]"), (200, b'{"token": "a\\nb"}'), (200, b"[" * 60000), (500, b"")]
)
def test_who_gives_out_no_tokens(bearer: tuple[Bearer, Answering, Answering], status: int, body: bytes) -> None:
    bearer[2].answer = lambda path, proof: (status, {}, body)
    fails(f"http://{bearer[1].host}", "IB727", "gives out its tokens")


@pytest.mark.parametrize(("status", "why"), [(429, "too often"), (500, "answers 500"), (503, "answers 503")])
def test_one_that_is_not_in_order(server: Answering, status: int, why: str) -> None:
    server.answer = lambda path, proof: (status, {}, b"")
    fails(f"http://{server.host}", "IB726", why)


def test_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        fails(f"127.0.0.1:{free.getsockname()[1]}", "IB726", "connection refused")
        free.listen()
        monkeypatch.setattr(handshake, "TIMEOUT", 0.3)
        fails(f"http://127.0.0.1:{free.getsockname()[1]}", "IB726", "no answer within 0.3 s")
    fails("registry.invalid", "IB726", "no host of that name")


@pytest.mark.parametrize("raw", [b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 500 + b"\r\n", b""])
def test_what_does_not_speak_http(raw: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            taken, _ = listening.accept()
            with taken:
                taken.recv(4096)
                taken.sendall(raw)

        threading.Thread(target=serve, daemon=True).start()
        fails(f"http://127.0.0.1:{listening.getsockname()[1]}", "IB727", "does not speak HTTP")


def test_an_answer_a_byte_at_a_time_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "LIMIT", 1.0)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            taken, _ = listening.accept()
            with taken:
                while not over.wait(0.05):
                    taken.sendall(b"x")

        threading.Thread(target=serve, daemon=True).start()
        began = time.monotonic()
        fails(f"http://127.0.0.1:{listening.getsockname()[1]}", "IB726", "not answered in full after 1 s")
        assert time.monotonic() - began < 20
        over.set()


def test_an_answer_without_an_end_is_read_in_part(server: Answering) -> None:
    server.answer = lambda path, proof: (401, ASKS, b"x" * (1 << 24))
    began = time.monotonic()
    fails(f"http://{server.host}", "IB728")
    assert time.monotonic() - began < 20


def test_a_certificate_that_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent there; given the authority, the login goes on."""
    made = certificate(tmp_path)
    with answering(made) as server:
        server.answer = basic
        assert "ca.crt" in fails(server.host, "IB726", "certificate is not trusted", "self-signed")
        assert server.asked == []
        folder = tmp_path / "certs.d" / server.host
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(made[0].read_bytes())
        monkeypatch.setattr(handshake, "_CERTIFICATES", tmp_path / "certs.d")
        assert "takes the login" in log_in(server.host).message


def test_one_that_hangs_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a login, too; each is told, and neither is taken for one without TLS."""
    made = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made[0]))
    with answering(made) as server:

        def hang_up(path: str, proof: str) -> Answer:
            if proof:
                raise ConnectionError
            return basic(path, proof)

        server.answer = hang_up
        fails(server.host, "IB726", "it ended the connection")


def test_redirects_within_a_host_are_followed(server: Answering) -> None:
    def answer(path: str, proof: str) -> Answer:
        return basic(path, proof) if path == "/moved/v2/" else (307, {"Location": "/moved/v2/"}, b"")

    server.answer = answer
    assert "takes the login" in log_in(f"http://{server.host}").message


def test_redirects_elsewhere_take_no_login_along(server: Answering) -> None:
    with answering() as other:
        other.answer = lambda path, proof: (200, {}, {})
        there = {"Location": f"http://{other.host}/v2/"}
        server.answer = lambda path, proof: (307, there, b"") if proof else (401, ASKS, b"")
        log_in(f"http://{server.host}")
        assert other.asked == [("/v2/", "")]


def test_redirects_in_a_circle(server: Answering) -> None:
    server.answer = lambda path, proof: (307, {"Location": f"http://{server.host}/v2/?{len(server.asked)}"}, b"")
    fails(f"http://{server.host}", "IB727")
    assert len(server.asked) < 20


def test_nothing_goes_on_unencrypted() -> None:
    """Neither by a redirect nor to who gives out tokens."""
    request = urllib.request.Request("https://r.example.com/v2/")
    with pytest.raises(_Unsafe):
        _Redirects().redirect_request(request, None, 307, "", Message(), "http://r.example.com/v2/")  # type: ignore[arg-type]
    made = _Handshake(Login(Registry("r", "r.example.com", "me"), PASSWORD), "")
    with pytest.raises(ImagebuilderError, match="unencrypted"):
        made._token({"realm": "http://r.example.com/token"}, "")


def test_challenges() -> None:
    headers = Message()
    headers["WWW-Authenticate"] = 'Basic realm="a, Bearer b", Bearer realm="https://x/t" , service=s,error="x"'
    headers["WWW-Authenticate"] = "Negotiate"
    assert _challenge(headers) == {
        "basic": {"realm": "a, Bearer b"},
        "bearer": {"realm": "https://x/t", "service": "s", "error": "x"},
    }


def test_by_name(server: Answering, registries: Registries) -> None:
    server.answer = basic
    registries.add("r", url=f"http://{server.host}", username="me", password=PASSWORD)
    assert registries.test("r").as_json()["ok"] is True
    assert registries.test("r", f"{server.host}/team/app:1").pulls is True
