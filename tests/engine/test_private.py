"""Private images from real registries: who gets in, and that each registry gets its own login alone."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from imagebuilder import (
    BuildError,
    Client,
    CreateSandboxFromSnapshotParams,
    CreateSnapshotParams,
    EngineError,
    Image,
    ImagebuilderError,
)
from imagebuilder.engine.protocol import Event, WarningEvent
from tests.conftest import Cli
from tests.engine.private import Tokens, Watched, giving_tokens, watched
from tests.engine.registry import OTHER, OTHER_PASSWORD, PASSWORD, USER, free_port, running, silent
from tests.unit.registries.answering import certificate

BASE = "python:3.13-slim-trixie"
Docker = Callable[..., str]


@pytest.fixture
def docker(env: dict[str, str]) -> Docker:
    """Docker's own client, with a login of its own."""

    def call(*words: str, login: tuple[str, str, str] | None = None) -> str:
        config = Path(env["IMAGEBUILDER_HOME"]).parent / f"login-{uuid4().hex}"
        config.mkdir()
        if login:
            host, user, password = login
            auth = base64.b64encode(f"{user}:{password}".encode()).decode()
            (config / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
        argv = [os.environ.get("TEST_DOCKER") or env["TEST_DOCKER"], *words]
        done = subprocess.run(argv, env={**env, "DOCKER_CONFIG": str(config)}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return call


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path / "one") as found:
        yield found


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path / "two", OTHER, OTHER_PASSWORD) as found:
        yield found


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[Tokens]:
    with giving_tokens(tmp_path / "tokens") as found:
        yield found


@pytest.fixture
def filled(docker: Docker) -> Iterator[Callable[..., str]]:
    """Puts an image into a registry that no build of before had, and takes it out of the engine."""
    made: list[str] = []

    def fill(where: Watched, name: str, user: str = USER, password: str = PASSWORD, base: str = "scratch") -> str:
        ref = f"{where.host}/{name}:{uuid4().hex}"
        made.append(ref)
        docker("build", "--quiet", "--tag", ref, *_folder(where.registry.folder / uuid4().hex, base))
        docker("push", "--quiet", ref, login=(where.host, user, password))
        docker("image", "rm", ref)
        where.proofs.clear()
        return ref

    yield fill
    for ref in made:
        docker("image", "rm", "--force", ref)


def _folder(path: Path, base: str) -> list[str]:
    path.mkdir()
    (path / "Dockerfile").write_text(f"FROM {base}\nCOPY Dockerfile /said\nLABEL id={path.name}\n")
    return [str(path)]


def test_a_private_image_is_pulled(client: Client, private: Watched, filled: Callable[..., str]) -> None:
    """With the right password alone; Docker's own configuration knows nothing of it."""
    ref = filled(private, "team/app")
    with pytest.raises(EngineError) as caught:
        client.engine.fetch(ref, client.registry.header(ref))
    assert caught.value.diagnostics[0].code == "IB645" and private.users == set()

    client.registry.add("r", url=private.host, username=USER, password="wrong-one")
    with pytest.raises(EngineError) as caught:
        client.engine.fetch(ref, client.registry.header(ref))
    found = caught.value.diagnostics[0]
    assert found.code == "IB645" and "registry test" in found.help and "wrong-one" not in str(caught.value)
    assert private.users == {f"{USER}:wrong-one"}

    private.proofs.clear()
    client.registry.add("r", url=private.host, username=USER, password=PASSWORD, replace=True)
    client.engine.fetch(ref, client.registry.header(ref))
    assert client.engine.image(ref) is not None and private.users == {f"{USER}:{PASSWORD}"}


def test_a_snapshot_of_a_private_image(client: Client, private: Watched, filled: Callable[..., str], name: str) -> None:
    """Made of the image's whole name; a sandbox of it needs no further login."""
    ref = filled(private, "team/app", base=BASE)
    params = CreateSnapshotParams(name, ref)
    client.registry.add("r", url=private.host, project="team", username=USER, password="wrong-one")
    with pytest.raises(BuildError) as caught:
        client.snapshot.create(params)
    assert caught.value.diagnostics[0].code == "IB645" and client.snapshot.get(name).state == "error"
    assert "wrong-one" not in str(caught.value) + client.snapshot.get(name).reason
    client.registry.add("r", password=PASSWORD, replace=True)
    assert client.snapshot.create(params, replace=True).state == "active"
    client.registry.remove("r")
    with client.create(CreateSandboxFromSnapshotParams(snapshot=name)) as sandbox:
        assert "FROM" in sandbox.process.exec("cat /said").result


def test_a_build_whose_base_is_private(client: Client, private: Watched, filled: Callable[..., str], name: str) -> None:
    ref = filled(private, "team/app")
    image = Image.base(ref).label({"id": uuid4().hex})
    with pytest.raises(BuildError) as caught:
        client.build(image, name=name)
    assert caught.value.diagnostics[0].code == "IB602" and "registry add" in caught.value.diagnostics[0].help
    client.registry.add("r", url=private.host, project="team", username=USER, password="wrong-one")
    with pytest.raises(BuildError) as caught:
        client.build(image, name=name)
    assert "wrong-one" not in str(caught.value) + client.snapshot.logs(name)
    private.proofs.clear()
    client.registry.add("r", url=private.host, project="team", username=USER, password=PASSWORD, replace=True)
    assert client.build(image, name=name).state == "active"
    assert private.users == {f"{USER}:{PASSWORD}"} and PASSWORD not in client.snapshot.logs(name)
    assert list((client.home / "registries/logins").iterdir()) == []


def test_each_registry_gets_its_own_login_alone(
    client: Client, private: Watched, another: Watched, filled: Callable[..., str], name: str
) -> None:
    """In a build of both, and in one that names one of them."""
    first, second = filled(private, "app"), filled(another, "app", OTHER, OTHER_PASSWORD)
    client.registry.add("one", url=private.host, username=USER, password=PASSWORD)
    client.registry.add("two", url=another.host, username=OTHER, password=OTHER_PASSWORD)
    assert client.build(Image.base(first).label({"id": uuid4().hex}), name=name).state == "active"
    assert private.users == {f"{USER}:{PASSWORD}"} and another.proofs == []
    third = filled(private, "app")
    image = Image.base(third).copy_from(second, "/said", "/said2")
    assert client.build(image, name=name).state == "active"
    assert (private.users, another.users) == ({f"{USER}:{PASSWORD}"}, {f"{OTHER}:{OTHER_PASSWORD}"})


def test_a_project_that_is_not_ours_gets_no_login(
    client: Client, private: Watched, filled: Callable[..., str], name: str
) -> None:
    ref = filled(private, "other/app")
    client.registry.add("r", url=private.host, project="team", username=USER, password=PASSWORD)
    with pytest.raises(BuildError):
        client.build(Image.base(ref), name=name)
    assert private.users == set()


def test_tokens(client: Client, tokens: Tokens, tmp_path: Path, filled: Callable[..., str], name: str) -> None:
    """The registry sees tokens, never the password; one for another repository does not do."""
    with watched(tmp_path / "registry", tokens=tokens) as registry:
        tokens.may = {"team/app", "team/base"}
        ref, base = filled(registry, "team/app"), filled(registry, "team/base")
        client.registry.add("r", url=registry.host, project="team", username=USER, password=PASSWORD)
        assert client.registry.test("r", ref).pulls is True
        client.engine.fetch(ref, client.registry.header(ref))
        assert client.build(Image.base(base).label({"id": uuid4().hex}), name=name).state == "active"
        assert registry.users == {"Bearer"}
        tokens.may = set()
        with pytest.raises(ImagebuilderError) as caught:
            client.registry.test("r", ref)
        assert caught.value.diagnostics[0].code == "IB729"


@pytest.mark.parametrize("kind", ["password", "tokens"])
def test_what_is_wrong(cli: Cli, env: dict[str, str], tokens: Tokens, tmp_path: Path, kind: str) -> None:
    """One line each, with exit code 1, from the command line."""

    def tried(url: str, password: str = PASSWORD, image: str = "") -> str:
        words = ["--url", url, "--username", USER, "--replace", "--password-env", "TOKEN"]
        assert cli("registry", "add", "r", *words, env={**env, "TOKEN": password}).code == 0
        done = cli("registry", "test", "r", *([image] if image else []))
        assert password not in done.out + done.err
        if done.code == 0:
            return "ok"
        assert done.code == 1 and done.out == ""
        line, help = done.err.splitlines()
        assert help.startswith("  = help: ")
        return line.partition("[")[2].partition("]")[0]

    with watched(tmp_path / "registry", tokens=tokens if kind == "tokens" else None) as registry:
        assert tried(registry.host) == "ok"
        assert tried(registry.host, "wrong-one") == "IB728"
        assert tried(registry.host, image=f"{registry.host}/no/such:1") == "IB729"
    assert tried(registry.host) == "IB726", "it has gone"
    assert tried(f"127.0.0.1:{free_port()}") == "IB726"
    assert tried(f"http://{tokens.host}") == "IB727", "this is another server"
    with silent() as host:
        assert tried(host) == "IB726"


def test_tls_that_is_not_trusted_and_a_token_that_has_expired(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = certificate(tmp_path)
    with running(tmp_path / "registry", password=True, tls=made) as registry:
        host = f"127.0.0.1:{registry.port}"
        client.registry.add("r", url=host, username=USER, password=PASSWORD)
        with pytest.raises(ImagebuilderError, match="certificate is not trusted"):
            client.registry.test("r")
        monkeypatch.setenv("SSL_CERT_FILE", str(made[0]))
        assert client.registry.test("r").pulls is None
        token = base64.b64encode(json.dumps({"payload": "x", "expiration": 1_700_000_000}).encode()).decode()
        client.registry.add("r", url=host, username=USER, password=token, replace=True)
        with pytest.raises(ImagebuilderError, match="expired at 2023-11-14"):
            client.registry.test("r")


def test_a_cache_and_a_refresh(client: Client, private: Watched, filled: Callable[..., str], name: str) -> None:
    """Whatever asks the registry does so with its login: for a key, for layers, for a tag's digest, and to push."""
    ref = filled(private, "base")
    client.registry.add("r", url=private.host, username=USER, password=PASSWORD)
    image = Image.base(ref).label({"id": uuid4().hex})
    told: list[Event] = []
    options = {"name": name, "cache": f"{private.host}/cache", "refresh": True, "on_event": told.append}
    built = client.build(image, push=f"{private.host}/released:1", **options)  # type: ignore[arg-type]
    assert not built.reused and not [event for event in told if isinstance(event, WarningEvent)], told
    assert private.registry.tags("released") == ["1"] and private.users == {f"{USER}:{PASSWORD}"}
    client.snapshot.delete(name)
    again = client.build(image, name=name, cache=f"{private.host}/cache")
    assert again.reused and again.image.startswith(f"{private.host}/cache@")
    assert client.run(name, ["/none"]).exit_code == 127, "it was pulled"


def test_no_list_of_processes_shows_a_password(
    client: Client,
    private: Watched,
    filled: Callable[..., str],
    cli: Cli,
    env: dict[str, str],
    name: str,
    tmp_path: Path,
) -> None:
    """Nor does any environment, of all that runs while one is added, tested and built with."""
    ref = filled(private, "app")
    (tmp_path / "app.py").write_text(
        f"from imagebuilder import Image\nimage = Image.base({BASE!r}).copy_from({ref!r}, '/said', '/x')"
        f".run_commands('sleep 1; echo {uuid4().hex}')\n"
    )
    seen: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            for path in Path("/proc").glob("[0-9]*"):
                for file in ("cmdline", "environ"):
                    try:
                        seen.add((path / file).read_bytes())
                    except OSError:
                        continue
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        words = [sys.executable, "-m", "imagebuilder", "registry", "add", "r", "--url", private.host]
        words += ["--username", USER, "--password-stdin"]
        subprocess.run(words, env=env, input=PASSWORD.encode(), check=True, capture_output=True)
        assert cli("registry", "test", "r").code == 0
        done = cli("build", tmp_path / "app.py", "--name", name)
        assert done.code == 0, done.err
    finally:
        over.set()
        thread.join()
    assert any(b"docker-buildx" in each for each in seen) and private.users == {f"{USER}:{PASSWORD}"}
    assert not [each for each in seen if PASSWORD.encode() in each]
