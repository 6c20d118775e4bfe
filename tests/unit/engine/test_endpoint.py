"""Which engine is meant follows Docker's own rules."""

from __future__ import annotations

import json
import ssl
from hashlib import sha256
from pathlib import Path

import pytest

from imagebuilder.diagnostics import EngineError
from imagebuilder.engine.endpoint import DEFAULT_HOST, Endpoint, configured, default, docker_config

VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker's configuration folder, empty, and an environment that says nothing else."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


def context(config: Path, name: str, host: str, *, tls: bool = False, **fields: object) -> Path:
    """A context as ``docker context create`` writes it; its folder for certificates."""
    id = sha256(name.encode()).hexdigest()
    meta = config / "contexts/meta" / id
    meta.mkdir(parents=True)
    written = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, **fields}}}
    (meta / "meta.json").write_text(json.dumps(written))
    folder = config / "contexts/tls" / id / "docker"
    if tls:
        folder.mkdir(parents=True)
    return folder


def current(config: Path, name: str) -> None:
    (config / "config.json").write_text(json.dumps({"currentContext": name, "auths": {}}))


def test_nothing_is_configured(config: Path) -> None:
    assert configured() is None
    assert default() == Endpoint(DEFAULT_HOST, "default", env={"DOCKER_HOST": DEFAULT_HOST})


REMOTE = "tcp://remote:2375"


@pytest.mark.parametrize(
    ("variables", "named", "host", "source"),
    [
        ({"DOCKER_HOST": "unix:///run/x.sock"}, "", "unix:///run/x.sock", "DOCKER_HOST"),
        ({"DOCKER_HOST": "ssh://me@host:22"}, "", "ssh://me@host:22", "DOCKER_HOST"),
        ({"DOCKER_HOST": "tcp://a:1", "DOCKER_CONTEXT": "remote"}, "remote", "tcp://a:1", "DOCKER_HOST"),
        ({"DOCKER_HOST": "tcp://a:1", "DOCKER_CONTEXT": "missing"}, "", "tcp://a:1", "DOCKER_HOST"),
        ({"DOCKER_HOST": "", "DOCKER_CONTEXT": "remote"}, "", REMOTE, "DOCKER_CONTEXT remote"),
        ({"DOCKER_CONTEXT": "remote"}, "", REMOTE, "DOCKER_CONTEXT remote"),
        ({"DOCKER_CONTEXT": "remote"}, "other", REMOTE, "DOCKER_CONTEXT remote"),
        ({}, "remote", REMOTE, "docker context remote"),
        ({"DOCKER_CONTEXT": ""}, "remote", REMOTE, "docker context remote"),
        ({"DOCKER_CONTEXT": "default"}, "remote", None, None),
        ({}, "default", None, None),
        ({}, "", None, None),
    ],
)
def test_precedence(
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    named: str,
    host: str | None,
    source: str | None,
) -> None:
    context(config, "remote", REMOTE)
    context(config, "other", "tcp://other:2375")
    if named:
        current(config, named)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = configured()
    assert (found and found.host, found and found.source) == (host, source)


def test_what_buildx_is_told(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must come to the same engine: by the name of the context, which holds the certificates, or by the host."""
    context(config, "remote", REMOTE)
    current(config, "remote")
    found = configured()
    assert found is not None and found.env == {"DOCKER_CONTEXT": "remote"}
    monkeypatch.setenv("DOCKER_HOST", "tcp://a:1")
    found = configured()
    assert found is not None and found.env == {"DOCKER_HOST": "tcp://a:1"}


@pytest.mark.parametrize("how", ["variable", "configuration"])
def test_a_context_that_does_not_exist(config: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "variable":
        monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    else:
        current(config, "gone")
    with pytest.raises(EngineError) as caught:
        configured()
    found = caught.value.diagnostics[0]
    assert found.code == "IB502" and "'gone'" in found.message
    assert ("DOCKER_CONTEXT" in found.help) is (how == "variable") and "docker context ls" in found.help
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"currentContext": null}', '{"currentContext": 3}', "\0"])
def test_a_configuration_that_says_nothing(config: Path, content: str) -> None:
    (config / "config.json").write_text(content)
    assert configured() is None


@pytest.mark.parametrize("meta", ["", "{", '{"Endpoints": null}', '{"Endpoints": {"docker": {}}}', '{"Endpoints": []}'])
def test_a_context_that_says_nothing(config: Path, monkeypatch: pytest.MonkeyPatch, meta: str) -> None:
    context(config, "odd", REMOTE)
    id = sha256(b"odd").hexdigest()
    (config / "contexts/meta" / id / "meta.json").write_text(meta)
    monkeypatch.setenv("DOCKER_CONTEXT", "odd")
    with pytest.raises(EngineError, match="IB502"):
        configured()


def test_the_configuration_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", "/etc/docker-config")
    assert docker_config() == Path("/etc/docker-config")
    monkeypatch.setenv("DOCKER_CONFIG", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert docker_config() == tmp_path / ".docker"


# TLS ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "tls", "verify"),
    [
        ({}, None, False),
        ({"DOCKER_TLS_VERIFY": "1"}, "", True),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}, "/certs", True),
        ({"DOCKER_CERT_PATH": "/certs"}, "/certs", False),
        ({"DOCKER_TLS_VERIFY": ""}, None, False),
    ],
)
def test_tls_of_the_environment(
    config: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], tls: str | None, verify: bool
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://a:2376")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = configured()
    assert found is not None
    assert (found.tls, found.verify) == (None if tls is None else Path(tls or config), verify)


@pytest.mark.parametrize(
    ("files", "skip", "tls", "verify"),
    [(False, False, False, True), (True, False, True, True), (True, True, True, False), (False, True, True, False)],
)
def test_tls_of_a_context(
    config: Path, monkeypatch: pytest.MonkeyPatch, files: bool, skip: bool, tls: bool, verify: bool
) -> None:
    """A context without certificates is plain TCP; one that skips the verification still speaks TLS."""
    folder = context(config, "remote", "tcp://remote:2376", tls=files, SkipTLSVerify=skip)
    monkeypatch.setenv("DOCKER_CONTEXT", "remote")
    found = configured()
    assert found is not None
    assert (found.tls, found.verify) == (folder if tls else None, verify)


def test_without_verification_any_certificate_will_do(tmp_path: Path) -> None:
    loose = Endpoint("tcp://a:1", "test", tls=tmp_path, verify=False).ssl_context()
    assert (loose.verify_mode, loose.check_hostname) == (ssl.CERT_NONE, False)
    strict = Endpoint("tcp://a:1", "test", tls=tmp_path).ssl_context()
    assert (strict.verify_mode, strict.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_broken_certificate_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        Endpoint("tcp://a:1", "test", tls=tmp_path).ssl_context()
