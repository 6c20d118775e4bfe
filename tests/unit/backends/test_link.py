"""``COPY --link`` stands only where no folder below it can be lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.backends.dockerfile.link import LinkRule
from imagebuilder.ir.ops import (
    Add,
    BaseImage,
    Cmd,
    Copy,
    Env,
    ImageSource,
    Label,
    LocalSource,
    Op,
    Run,
    Scratch,
    Shell,
    User,
    Volume,
    Workdir,
    WriteFiles,
)
from imagebuilder.ir.stage import Stage
from imagebuilder.ir.words import expand
from tests.unit.backends.rendering import dockerfile

SLIM = "python:3.13-slim-trixie"
BASE = Stage(BaseImage(ref=SLIM))
EMPTY = Stage(Scratch())
LOCAL = LocalSource(path="src")
IMAGE = ImageSource(ref="busybox")


def copy(dest: object = "/app/src", **fields: object) -> Copy:
    return Copy.model_validate({"sources": ["."], "origin": LOCAL, "dest": dest, **fields})


@pytest.mark.parametrize("dest", ["/app/", "/app/src", "/app/src/", "/srv2/x", "/users/a", "/App/x"])
def test_it_stands_below_a_top_level_folder_of_ones_own(dest: str) -> None:
    assert LinkRule(BASE).allows(copy(dest))


@pytest.mark.parametrize(
    "dest",
    [
        "/bin/x",
        "/lib64/x",
        "/tmp/x",
        "/root/x",
        "/home/me/x",
        "/etc/x",
        "/usr/local/bin/x",
        "/opt/x",
        "/srv/x",
        "/var/x",
    ],
)
def test_not_in_a_folder_that_the_base_may_have(dest: str) -> None:
    """``/bin`` may be a symbolic link, ``/tmp`` has a mode and a home an owner: the linked layer would replace them."""
    assert not LinkRule(BASE).allows(copy(dest))


@pytest.mark.parametrize("dest", ["/", "/app", "//bin/x", "app/src", "."])
def test_not_where_the_folder_is_unknown(dest: str) -> None:
    """A file at the top has the root for its parent, and a relative path starts at the working folder."""
    assert not LinkRule(BASE).allows(copy(dest))


def test_not_where_the_destination_is_known_only_when_building() -> None:
    assert not LinkRule(BASE).allows(copy(expand("/app/${NAME}")))


@pytest.mark.parametrize("dest", ["/bin/x", "/tmp/x", "/app"])
def test_nothing_can_be_lost_in_an_empty_image(dest: str) -> None:
    assert LinkRule(EMPTY).allows(copy(dest))
    assert not LinkRule(EMPTY).allows(copy("/"))


def test_not_on_top_of_another_stage() -> None:
    """Whatever it did, it may have made the folder."""
    assert not LinkRule(Stage(BASE)).allows(copy())
    assert not LinkRule(Stage(EMPTY)).allows(copy())


@pytest.mark.parametrize("chown", ["", "0", "1000", "1000:1000"])
def test_with_an_owner_by_number(chown: str) -> None:
    assert LinkRule(BASE).allows(copy(chown=chown))


@pytest.mark.parametrize("chown", ["app", "app:app", "1000:app", "app:1000", expand("${UID}")])
def test_not_with_an_owner_by_name(chown: object) -> None:
    """A linked layer does not see the base's /etc/passwd."""
    assert not LinkRule(BASE).allows(copy(chown=chown))


@pytest.mark.parametrize("origin", [IMAGE, BASE])
def test_from_elsewhere_only_what_is_named_plainly(origin: object) -> None:
    assert LinkRule(BASE).allows(copy(origin=origin, sources=["/out"]))
    assert not LinkRule(BASE).allows(copy(origin=origin, sources=["/out/"]))


@pytest.mark.parametrize(
    "op",
    [
        Run(command="mkdir /app"),
        User(name="app"),
        Volume(paths=["/app"]),
        Workdir(path="/app"),
    ],
    ids=lambda op: op.verb,
)
def test_not_after_what_may_have_made_the_folder(op: Op) -> None:
    rule = LinkRule(BASE)
    assert rule.allows(copy())
    rule.note(op)
    assert not rule.allows(copy())


@pytest.mark.parametrize(
    "op",
    [
        Env(variables={"A": "1"}),
        Label(labels={"a": "b"}),
        Cmd(command=("a",)),
        Shell(words=["/bin/bash", "-c"]),
        Add(sources=["https://example.org/x"], dest="/etc/x"),
        WriteFiles(files=(("", "x\n"),), dest="/etc/x"),
        copy("/app/file", origin=LocalSource(path="a.txt", kind="file")),
        copy("/elsewhere/folder", chown="1000"),
    ],
    ids=lambda op: op.verb,
)
def test_settings_and_single_files_make_no_difference(op: Op) -> None:
    rule = LinkRule(BASE)
    rule.note(op)
    assert rule.allows(copy())


@pytest.mark.parametrize(
    "op",
    [
        copy("/app/other"),
        copy("/app/file", origin=LocalSource(path="a.txt", kind="file"), chown="1000"),
        copy("/app/file", origin=LocalSource(path="a.txt", kind="file"), chmod="0700"),
        copy("/app/x", origin=IMAGE, sources=["/x"]),
        Add(sources=["https://example.org/x.tar"], dest="/app", unpack=True),
        WriteFiles(files=(("", "x\n"),), dest="/app/x", chown="app"),
        copy(expand("/${NAME}")),
        copy("relative/x"),
    ],
)
def test_not_beside_what_may_be_a_link_or_have_made_the_folder_otherwise(op: Op) -> None:
    for stage in (BASE, EMPTY):
        rule = LinkRule(stage)
        rule.note(op)
        assert not rule.allows(copy())


@pytest.mark.parametrize("dest", ["/./bin/x", "/app/../bin/x", "/app//x", "/app/./x"])
def test_not_where_the_path_is_not_what_it_seems(dest: str) -> None:
    assert not LinkRule(BASE).allows(copy(dest))


@pytest.mark.parametrize(
    ("ref", "known"),
    [
        ("python:3.12-slim-bookworm", True),
        ("docker.io/library/python:3.13.1-slim-trixie@sha256:" + "0" * 64, True),
        ("python:3.12", False),
        ("example.org/python:3.12-slim-bookworm", False),
        ("me/python:3.12-slim-bookworm", False),
        ("my/app", False),
    ],
)
def test_only_on_a_base_of_known_layout(ref: str, known: bool) -> None:
    assert LinkRule(Stage(BaseImage(ref=ref))).allows(copy()) is known


def test_the_author_decides_for_themselves() -> None:
    """A Dockerfile's own --link stays wherever it stands."""
    rule = LinkRule(Stage(BASE))
    rule.note(Run(command="true"))
    assert rule.allows(copy("/bin/x", link=True, chown="app"))


def test_each_stage_starts_anew(tmp_path: Path) -> None:
    """A command of one stage is none of the next."""
    (tmp_path / "src").touch()
    text = (
        f"FROM {SLIM} AS one\nRUN true\nCOPY src /app/one\n"
        f"FROM {SLIM}\nCOPY src /app/two\nCOPY --from=one /app/one /more/three\n"
    )
    lines = dockerfile(tmp_path, text).text.splitlines()
    linked = {line.split()[-1]: "--link" in line for line in lines if line.startswith("COPY")}
    assert linked == {"/app/one": False, "/app/two": True, "/more/three": True}
