"""An index that wants a login: uv and the fetcher have it from a secret, and nobody else comes to see it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from imagebuilder import Image, Secret
from imagebuilder.compiler import Plan, compile
from imagebuilder.diagnostics import BuildError, CompileError
from imagebuilder.ir.ops import Run
from imagebuilder.ir.packages import Distribution, Install
from imagebuilder.ir.stage import ordered
from imagebuilder.layering.wheels import WheelStore
from imagebuilder.resolve.lock import LockFile, written
from imagebuilder.resolve.logins import NETRC, Logins, Values
from imagebuilder.resolve.resolver import Resolver, logins_of
from tests.unit.resolve.index import Index
from tests.unit.resolve.making import python

PASSWORD = "s3cret pass:word"
IN_URL = "me:s3cret%20pass%3Aword"


class _Guarded(SimpleHTTPRequestHandler):
    """Files for whom knows the login; 401 for all others."""

    def do_GET(self) -> None:
        if self.headers.get("Authorization") == "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode():
            super().do_GET()
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="packages"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the index is, as ``host:port``."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NETRC", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    Index(tmp_path / "files").wheel("acme", "1.0")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Guarded, directory=str(tmp_path / "files")))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def plan(image: Image, lock: LockFile | None = None) -> Plan:
    return compile(image, platform="linux/amd64", lock=lock)


def base() -> Image:
    return Image.base("python:3.12-slim")


def resolver(home: Path, secrets: Values, **options: Any) -> Resolver:
    return Resolver(home, lambda base: python(), secrets=secrets, **options)


def found(made: Plan) -> list[Distribution]:
    steps = (step.op for stage in ordered(made.stage) for step in stage.steps)
    return [each for op in steps if isinstance(op, Install) for each in op.distributions]


def netrc(host: str) -> str:
    return f'machine {host.partition(":")[0]} login me password "{PASSWORD}"\n'


def asked(form: str, host: str, folder: Path) -> tuple[Image, dict[str, str | Path]]:
    """An image that asks the index, in one of the ways that there are, and the values of its secrets."""
    bare, login = f"http://{host}/", f"http://{IN_URL}@{host}/"
    (folder / "netrc").write_text(netrc(host))
    (folder / "value").write_text(f"{login}\n")
    match form:
        case "PIP_INDEX_URL" | "PIP_EXTRA_INDEX_URL":
            return base().pip_install("acme", secrets=[form]), {form: login}
        case "PIP_INDEX_URL of a file":
            return base().pip_install("acme", secrets=["PIP_INDEX_URL"]), {"PIP_INDEX_URL": folder / "value"}
        case "UV_INDEX_URL" | "UV_DEFAULT_INDEX" | "UV_EXTRA_INDEX_URL":
            return base().uv_pip_install("acme", secrets=[form]), {form: login}
        case "netrc":
            secret = Secret(name="LOGINS", target=NETRC)
            return base().pip_install("acme", index_url=bare, secrets=secret), {"LOGINS": folder / "netrc"}
    raise AssertionError(form)


FORMS = [
    "PIP_INDEX_URL",
    "PIP_INDEX_URL of a file",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "netrc",
]
BESIDES = ["PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"]
"""Those that ask PyPI as well."""


@pytest.mark.parametrize("form", FORMS)
def test_what_it_has_is_resolved_and_fetched(host: str, home: Path, tmp_path: Path, form: str) -> None:
    image, secrets = asked(form, host, tmp_path)
    before = plan(image)
    after = resolver(home, secrets).resolved(before)
    (acme,) = found(after)
    assert (acme.name, acme.version) == ("acme", "1.0")
    assert acme.files[0].url == f"http://{host}/acme/acme-1.0-py3-none-any.whl"
    store = WheelStore(home, None, logins_of(before, secrets))
    store.fetch(acme.files)
    assert store.missing(acme.files) == []
    for path in home.rglob("*"):
        assert not path.is_file() or b"s3cret" not in path.read_bytes(), path
    assert "s3cret" not in after.dockerfile().text and "s3cret" not in repr(logins_of(before, secrets))


@pytest.mark.parametrize("form", BESIDES)
def test_an_index_besides_is_asked_with_its_login(
    host: str, home: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyPI is out of reach here: what is looked at is whom uv asked, and with which words."""
    from imagebuilder.resolve import uv

    told: dict[str, Any] = {}

    def run(words: list[Any], **options: Any) -> Any:
        told.update(words=[str(each) for each in words], env=options["env"])
        raise uv.Unresolved(uv.NO_INDEX, "down")

    image, secrets = asked(form, host, tmp_path)
    monkeypatch.setattr(uv.command, "run", run)
    made = resolver(home, secrets)
    made.resolved(plan(image))
    assert len(made.left) == 1 and "s3cret" not in " ".join(told["words"])
    assert logins_of(plan(image), secrets).at(f"http://{host}/acme/acme.whl") == ("me", PASSWORD)
    assert told["env"]["UV_INDEX_I1_PASSWORD"] == PASSWORD and f"--index=i1=http://{host}/" in told["words"]


@pytest.mark.parametrize("form", ["PIP_INDEX_URL", "netrc"])
def test_a_lock_has_no_login(host: str, home: Path, tmp_path: Path, form: str) -> None:
    image, secrets = asked(form, host, tmp_path)
    made = resolver(home, secrets, lock=LockFile(tmp_path / "x.lock"))
    made.resolved(plan(image))
    lock = LockFile(
        tmp_path / "x.lock", {("python:3.12-slim", "linux/amd64"): f"sha256:{'0' * 64}"}, tuple(made.locked)
    )
    assert "acme" in written(lock) and "s3cret" not in written(lock) and "me:" not in written(lock)
    # The key of what is locked is that of its bytes; the secret's name alone is in it before.
    pinned = plan(image, lock)
    assert pinned.open == () and [each.name for each in found(pinned)] == ["acme"]
    assert list(pinned.secrets) == list(secrets)
    assert logins_of(pinned, secrets).at(f"http://{host}/acme/x.whl") == ("me", PASSWORD)


def test_a_wrong_login_is_told_without_it(host: str, home: Path) -> None:
    image = base().pip_install("acme", secrets=["PIP_INDEX_URL"])
    with pytest.raises(CompileError) as caught:
        resolver(home, {"PIP_INDEX_URL": f"http://me:wr0ng-word@{host}/"}).resolved(plan(image))
    (told,) = caught.value.diagnostics
    said = str(caught.value) + repr(told)
    assert told.code == "IB670" and "wr0ng" not in said
    assert told.help is not None and "login" in told.help and told.place is not None


def test_without_a_login_the_fetch_says_so(host: str, home: Path, tmp_path: Path) -> None:
    image, secrets = asked("PIP_INDEX_URL", host, tmp_path)
    (acme,) = found(resolver(home, secrets).resolved(plan(image)))
    with pytest.raises(BuildError) as caught:
        WheelStore(home).fetch(acme.files)
    (told,) = caught.value.diagnostics
    assert told.code == "IB671" and "401" in told.message and told.help is not None and "login" in told.help


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "has no value here"),
        ("/srv/simple", "no web server's address"),
        ("https://me:s3cret@[::1", "no web server's address"),
        (Path("/nowhere/at/all"), "cannot be read"),
    ],
)
def test_what_no_index_can_be_stays_with_the_image(home: Path, value: str | Path | None, why: str) -> None:
    made = resolver(home, {} if value is None else {"PIP_EXTRA_INDEX_URL": value})
    after = made.resolved(plan(base().pip_install("acme", secrets=["PIP_EXTRA_INDEX_URL"])))
    assert [why in each.reason for each in made.left] == [True] and "s3cret" not in str(made.left[0])
    assert isinstance(after.stage.steps[-1].op, Run)


def test_a_locked_install_in_an_unknown_base_gets_the_secret(host: str, home: Path, tmp_path: Path) -> None:
    from imagebuilder.backends.dockerfile import lay_out

    image, secrets = asked("UV_DEFAULT_INDEX", host, tmp_path)
    made = resolver(home, secrets, lock=LockFile(tmp_path / "x.lock"))
    made.resolved(plan(image))
    bases = {("python:3.12-slim", "linux/amd64"): f"sha256:{'0' * 64}"}
    step = lay_out(plan(image, LockFile(tmp_path / "x.lock", bases, tuple(made.locked))).stage).steps[-1]
    assert isinstance(step.op, Run) and 'export PIP_INDEX_URL="$UV_DEFAULT_INDEX"' in str(step.op.command)
    assert [(mount.type, mount.id, mount.env) for mount in step.op.mounts] == [
        ("secret", "UV_DEFAULT_INDEX", "UV_DEFAULT_INDEX")
    ]


# Whose login is whose ---------------------------------------------------------------------------------


def test_a_file_gets_the_login_of_the_index_that_it_is_most_like() -> None:
    logins = Logins({"https://h/a/simple": ("a", "1"), "https://h/b/simple": ("b", "2")})
    assert logins.at("https://h/b/files/x.whl") == ("b", "2")
    assert logins.at("https://h:443/a/files/x.whl") == ("a", "1")


@pytest.mark.parametrize("url", ["http://h/a/x.whl", "https://other/a/x.whl", "https://h:8443/a/x.whl"])
def test_nobody_else_gets_it(url: str) -> None:
    assert Logins({"https://h/a/simple": ("a", "1")}).at(url) is None


def test_a_lock_does_not_leave_what_this_machine_alone_has_no_value_for(home: Path, host: str) -> None:
    asks = plan(base().pip_install("acme", secrets=["PIP_INDEX_URL"]))
    with pytest.raises(CompileError) as caught:
        resolver(home, {}, lock=LockFile(home / "app.lock")).resolved(asks)
    (told,) = caught.value.diagnostics
    assert told.code == "IB150" and told.place is not None and "PIP_INDEX_URL" in told.message
    left = resolver(home, {})
    left.resolved(asks)
    assert [each.reason for each in left.left] == ["its secret PIP_INDEX_URL has no value here"]
