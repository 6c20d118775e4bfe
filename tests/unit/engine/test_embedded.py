"""The parts of the embedded engine that need no engine: sources, names, numbers and refusals."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
import tarfile
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from imagebuilder.diagnostics import EXIT_NO_ENGINE, EXIT_USAGE, CompileError, EngineError, ImagebuilderError
from imagebuilder.engine.embedded import CODES, apt, archive, engine, network, process, recipes, rootfs
from imagebuilder.engine.embedded.layout import SOCKET_LIMIT, Layout

DEB822 = """\
Types: deb
# a remark in the middle
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


@pytest.fixture(autouse=True)
def no_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(apt.MIRROR_ENV, raising=False)


def _sources(root: Path, files: dict[str, str]) -> apt.Mirrors:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return apt.find_mirrors(root)


def _code(error: pytest.ExceptionInfo[ImagebuilderError]) -> str:
    """A wrong name is wrong usage; everything else means that there is no engine."""
    assert error.value.exit_code == (EXIT_USAGE if isinstance(error.value, CompileError) else EXIT_NO_ENGINE)
    return error.value.diagnostics[0].code


def test_mirrors_of_deb822_sources(tmp_path: Path) -> None:
    found = _sources(tmp_path, {"sources.list.d/debian.sources": DEB822})
    assert found == apt.Mirrors("http://mirror.example/debian", "http://mirror.example/debian-security")


def test_mirrors_of_one_line_sources(tmp_path: Path) -> None:
    text = """\
# deb http://commented.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://one.example/debian/ trixie main contrib
deb http://one.example/security trixie-security main
"""
    found = _sources(tmp_path, {"sources.list.d/a.list": text})
    assert found == apt.Mirrors("http://one.example/debian", "http://one.example/security")


def test_sources_list_comes_first(tmp_path: Path) -> None:
    files = {"sources.list": "deb http://first.example/debian sid main\n", "sources.list.d/b.sources": DEB822}
    assert _sources(tmp_path, files).main == "http://first.example/debian"


def test_sources_of_others_and_disabled_ones_are_passed_over(tmp_path: Path) -> None:
    files = {
        "sources.list": "deb https://packages.example/apt tool-bookworm main\ndeb cdrom:[x]/ bookworm main\n",
        "sources.list.d/node.sources": "Types: deb\nURIs: https://node.example/n\nSuites: nodistro\n",
        "sources.list.d/off.sources": f"Enabled: no\n{DEB822.split(chr(10) * 2)[0]}\n",
        "sources.list.d/saved.save": "deb http://saved.example/debian bookworm main\n",
    }
    assert _sources(tmp_path, files) == apt.Mirrors(apt.MIRROR, apt.SECURITY)


def test_updates_alone_are_no_archive(tmp_path: Path) -> None:
    files = {"sources.list": "deb http://upd.example/debian bookworm-updates main\n"}
    assert _sources(tmp_path, files).main == apt.MIRROR


def test_no_sources_at_all(tmp_path: Path) -> None:
    assert apt.find_mirrors(tmp_path / "none") == apt.Mirrors()


def test_the_environment_names_the_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(apt.MIRROR_ENV, "http://own.example/debian/")
    found = _sources(tmp_path, {"sources.list.d/debian.sources": DEB822})
    assert found == apt.Mirrors("http://own.example/debian", "http://own.example/debian-security")


def test_sources_of_a_suite() -> None:
    assert apt.Mirrors("m", "s").sources("trixie") == [
        "deb m trixie main",
        "deb m trixie-updates main",
        "deb s trixie-security main",
    ]
    assert apt.Mirrors("m", "s").sources("unstable") == ["deb m unstable main"]


@pytest.mark.parametrize(
    ("name", "full", "suite", "python"),
    [
        ("python:3.11-slim-bookworm", "python:3.11-slim-bookworm", "bookworm", "3.11"),
        ("docker.io/library/python:3.11-slim-bookworm", "python:3.11-slim-bookworm", "bookworm", "3.11"),
        ("python:3.13-slim", "python:3.13-slim", "trixie", "3.13"),
        ("python:3.11", "python:3.11", "bookworm", "3.11"),
        ("3.13", "python:3.13-slim-trixie", "trixie", "3.13"),
        ("3.11-slim-bookworm", "python:3.11-slim-bookworm", "bookworm", "3.11"),
        ("debian:bookworm-slim", "debian:bookworm-slim", "bookworm", None),
        ("debian:trixie", "debian:trixie", "trixie", None),
    ],
)
def test_names_of_bases(name: str, full: str, suite: str, python: str | None) -> None:
    found = recipes.parse(name)
    assert (found.name, found.suite, found.python, found.honest) == (full, suite, python, True)


@pytest.mark.parametrize(
    "name", ["ubuntu:22.04", "python", "python:latest", "debian:woody", "python:3.11-slim-woody", ""]
)
def test_names_that_are_no_base(name: str) -> None:
    with pytest.raises(CompileError) as error:
        recipes.parse(name, stand_in=True)
    assert _code(error) == "IB530"


def test_a_python_that_debian_lacks_is_refused_unless_a_stand_in_will_do() -> None:
    with pytest.raises(CompileError, match="--stand-in") as error:
        recipes.parse("python:3.12-slim-bookworm")
    assert _code(error) == "IB531"
    found = recipes.parse("3.12", stand_in=True)
    assert (found.name, found.python, found.honest) == ("python:3.12-slim-bookworm", "3.11", False)
    assert found.note.startswith("stand-in: this is Python 3.11, not 3.12")


def test_a_recipe_tells_its_inputs_apart() -> None:
    one, other = recipes.parse("3.11"), recipes.parse("3.12", stand_in=True)
    assert one.kind == other.kind
    assert len({one.digest([]), other.digest([]), one.digest(["deb x"])}) == 3


def test_kinds_are_no_prefixes_of_one_another() -> None:
    kinds = {recipes.parse(name).kind for name in ("3.11", "3.13", "debian:bookworm", "debian:trixie")}
    assert not [(a, b) for a in kinds for b in kinds if a != b and b.startswith(f"{a}-")]


def test_an_archive_is_a_tar_that_says_the_same_each_time(tmp_path: Path) -> None:
    layer = tmp_path / "layer.tar"
    layer.write_bytes(b"x" * 1000)
    image = archive.Image("a:b", "amd64", "2025-01-01T00:00:00Z", ("A=1",), ("sh",), (("l", "v"),), "note")
    diff_id = archive.sha256_of(layer)
    body = b"".join(archive.stream(image, layer, diff_id))
    assert body == b"".join(archive.stream(image, layer, diff_id))
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        content = {member.name: tar.extractfile(member) for member in tar}
        read = {name: file.read() for name, file in content.items() if file}
    (entry,) = json.loads(read["manifest.json"])
    assert entry["RepoTags"] == ["a:b"]
    assert hashlib.sha256(read[entry["Layers"][0]]).hexdigest() == diff_id.removeprefix("sha256:")
    config = json.loads(read[entry["Config"]])
    assert config["rootfs"]["diff_ids"] == [diff_id]
    assert config["config"] == {"Cmd": ["sh"], "Env": ["A=1"], "Labels": {"l": "v"}}


def test_a_free_range_is_chosen() -> None:
    first = network.choose("00000005", [], None)
    assert first == IPv4Network("172.16.80.0/20")
    assert network.choose("00000005", [first], None) == IPv4Network("172.16.96.0/20")
    assert network.choose("00000005", [first], IPv4Network("172.20.0.0/20")) == IPv4Network("172.20.0.0/20")
    beyond = network.choose("00000005", [IPv4Network("172.16.0.0/12")], None)
    assert beyond.subnet_of(IPv4Network("192.168.0.0/16"))


def test_no_free_range() -> None:
    with pytest.raises(EngineError) as error:
        network.choose(
            "00000005", [IPv4Network(text) for text in ("172.16.0.0/12", "192.168.0.0/16", "10.0.0.0/8")], None
        )
    assert _code(error) == "IB521"


def test_forwarding_is_put_back_with_the_last_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bridges: list[dict[str, object]] = [{"ifname": "other0"}]
    monkeypatch.setattr(network, "MACHINE", tmp_path)
    monkeypatch.setattr(network, "FORWARD", tmp_path / "sysctl")
    monkeypatch.setattr(network, "_ip_json", lambda *words: bridges)
    (tmp_path / "sysctl").write_text("0\n")
    layout = Layout(Path("/h"))

    def after_stop(*others: str) -> str:
        network._forward_on()
        assert network.FORWARD.read_text() == "1"
        for other in others:
            (tmp_path / other).write_text("{}")
        network._forward_off(layout)
        return network.FORWARD.read_text()

    assert after_stop("11111111.json") == "1"
    (tmp_path / "11111111.json").unlink()
    bridges.clear()
    assert after_stop() == "0"
    bridges.append({"ifname": "virbr0"})
    assert after_stop() == "1", "somebody else forwards by now"


def test_a_socket_path_always_fits(tmp_path: Path) -> None:
    deep = Layout(tmp_path / ("x" * 120))
    assert Layout(Path("/h")).socket == Path("/h/engine/run/docker.sock")
    assert len(os.fsencode(deep.socket)) <= SOCKET_LIMIT
    assert deep.id in str(deep.socket)


def test_a_symbolic_link_is_the_same_home(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert Layout.of(tmp_path / "link") == Layout.of(tmp_path / "real")


@pytest.mark.parametrize("call", [engine.start, engine.stop])
def test_without_root_it_is_refused(call: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "engine").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(EngineError, match="sudo") as error:
        call(tmp_path)  # type: ignore[operator]
    assert _code(error) == "IB511"
    assert not list((tmp_path / "engine").iterdir())


def test_elsewhere_than_linux_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(EngineError) as error:
        engine.start(tmp_path / "home")
    assert _code(error) == "IB510"
    assert engine.stop(tmp_path / "home") is False


def test_without_capabilities_it_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Path, "read_text", lambda self, **options: "Name:\tx\nCapEff:\t0000000000001000\n")
    with pytest.raises(EngineError, match="--privileged") as error:
        engine.start(tmp_path / "home")
    assert _code(error) == "IB512"


def test_without_apt_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt.shutil, "which", lambda name: None)  # type: ignore[attr-defined]
    with pytest.raises(EngineError) as error:
        apt.ensure_mmdebstrap(print)
    assert _code(error) == "IB513"


def test_without_space_it_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = type("Usage", (), {"free": 5_000_000})
    monkeypatch.setattr(apt.shutil, "disk_usage", lambda path: usage)  # type: ignore[attr-defined]
    with pytest.raises(EngineError) as error:
        apt.require_space(tmp_path)
    assert _code(error) == "IB514"


def test_an_empty_home_has_no_engine_and_no_tools(tmp_path: Path) -> None:
    found = engine.status(tmp_path / "none")
    assert (found.running, found.pid, found.version, found.embedded) == (False, None, "", True)
    assert engine.tools(tmp_path) == engine.Tools(None, None)
    assert engine.stop(tmp_path / "none") is False
    assert not (tmp_path / "none").exists()


def test_a_pid_that_is_used_again_is_not_ours(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    layout.engine.mkdir()
    started = process._stat(os.getpid())
    assert started is not None
    process.note(layout, process.Process(os.getpid(), started.started))
    assert process.noted(layout) is None
    assert process.find(layout) is None
    assert process.Process(os.getpid(), started.started).alive()
    assert not process.Process(os.getpid(), started.started + 1).alive()


def test_no_mounts_below_a_plain_folder(tmp_path: Path) -> None:
    assert rootfs.mounts_below(tmp_path) == []
    assert "/proc" in rootfs.mounts_below(Path("/proc"))
    (tmp_path / "a/b").mkdir(parents=True)
    rootfs.remove_tree(tmp_path / "a")
    rootfs.remove_tree(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_every_code_has_a_title_and_is_raised_somewhere() -> None:
    sources = Path(engine.__file__).parent.glob("[a-z]*.py")
    raised = set(re.findall(r'"(IB5[0-9]{2})"', "".join(path.read_text() for path in sources)))
    assert raised == set(CODES)
