"""Files of a sandbox on a real engine: any bytes, any name, folders, and what would lead out of them."""

from __future__ import annotations

import io
import os
import posixpath
from pathlib import Path

import pytest

from imagebuilder import (
    CompileError,
    Sandbox,
    SandboxError,
)
from tests.conftest import Cli
from tests.engine.sandbox.conftest import code

HOSTILE = b"\0\xff\r\n\x1b[31m" + bytes(range(256)) * 100


@pytest.mark.parametrize("path", ["f", "/tmp/a b\n'\"$x.bin", "deep/er/file", "/tmp/-rf", "ümläut", "x" * 200])
def test_any_bytes_under_any_name(sandbox: Sandbox, path: str) -> None:
    sandbox.fs.upload_file(HOSTILE, path)
    assert sandbox.fs.download_file(path) == HOSTILE
    folder, name = posixpath.split(path)
    assert name in [each.name for each in sandbox.fs.list_files(folder or ".")]
    assert sandbox.fs.get_file_info(path).size == len(HOSTILE)
    sandbox.fs.delete_file(path)
    with pytest.raises(SandboxError) as caught:
        sandbox.fs.download_file(path)
    assert code(caught) == "IB758"


def test_large_files_are_streamed(sandbox: Sandbox, tmp_path: Path) -> None:
    local, back = tmp_path / "large", tmp_path / "back"
    with local.open("wb") as file:
        for number in range(60):
            file.write(bytes([number]) * (1 << 20))
    sandbox.fs.upload_file(local, "/tmp/large")
    sandbox.fs.download_file("/tmp/large", back)
    assert back.read_bytes() == local.read_bytes()
    sandbox.fs.upload_file(io.BytesIO(b"from a stream"), "/tmp/large")
    assert sandbox.fs.download_file("/tmp/large") == b"from a stream"


def test_the_files_of_a_sandbox(sandbox: Sandbox) -> None:
    fs = sandbox.fs
    fs.create_folder("/srv/a/b", "750")
    fs.upload_file(b"one\ntwo ${x}\nthree\n", "/srv/a/f.txt")
    fs.upload_file(b"#!/bin/sh\necho ran\n", "/srv/a/run", mode=0o755)
    assert sandbox.process.exec(["/srv/a/run"]).result == "ran\n"
    assert [(f.name, f.is_dir, f.mode) for f in fs.list_files("/srv/a")] == [
        ("b", True, "0750"), ("f.txt", False, "0644"), ("run", False, "0755")
    ]  # fmt: skip
    assert [(m.file, m.line, m.content) for m in fs.find_files("/srv", "two")] == [("/srv/a/f.txt", 2, "two ${x}")]
    assert fs.search_files("/srv", "*.txt") == ["/srv/a/f.txt"]
    assert fs.replace_in_files(["/srv/a/f.txt"], "two", "2") == 1
    assert fs.download_file("/srv/a/f.txt") == b"one\n2 ${x}\nthree\n"
    fs.set_file_permissions("/srv/a/f.txt", "600", "nobody")
    info = next(f for f in fs.list_files("/srv/a") if f.name == "f.txt")
    assert (info.mode, info.owner) == ("0600", "nobody")
    fs.move_files("/srv/a/f.txt", "/srv/a/b")
    assert [f.name for f in fs.list_files("/srv/a/b")] == ["f.txt"]
    with pytest.raises(SandboxError):
        fs.delete_file("/srv/a/b")
    fs.delete_file("/srv/a/b", recursive=True)
    assert [f.name for f in fs.list_files("/srv/a")] == ["run"]
    sandbox.process.exec("ln -s /srv/a/run /srv/link; ln -s loop2 /srv/loop1; ln -s loop1 /srv/loop2")
    assert fs.download_file("/srv/link") == b"#!/bin/sh\necho ran\n"
    fs.upload_file(b"through\n", "/srv/link")
    assert fs.download_file("/srv/a/run") == b"through\n" and fs.get_file_info("/srv/link").link_target == "/srv/a/run"
    for wrong in (
        lambda: fs.download_file("/srv/loop1"),
        lambda: fs.download_file("/srv"),
        lambda: fs.list_files("/x"),
    ):
        with pytest.raises(SandboxError) as caught:
            wrong()
        assert code(caught) == "IB758" and caught.value.diagnostics[0].help


def test_folders_there_and_back(sandbox: Sandbox, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep/file").write_bytes(HOSTILE)
    (source / "deep/program").write_text("x")
    (source / "deep/program").chmod(0o755)
    (source / "link").symlink_to("deep/file")
    sandbox.fs.upload_dir(source, "/srv/there")
    sandbox.fs.download_dir("/srv/there", tmp_path / "back")
    assert (tmp_path / "back/deep/file").read_bytes() == HOSTILE
    assert (tmp_path / "back/deep/program").stat().st_mode & 0o111 and os.readlink(
        tmp_path / "back/link"
    ) == "deep/file"
    with pytest.raises(CompileError):
        sandbox.fs.download_dir("/srv/there", tmp_path / "back")


@pytest.mark.parametrize(
    "evil",
    [
        "ln -s /etc/passwd x",
        "ln -s .. x",
        "ln -s ../../../up x",
        "ln -s . b; ln -s b/.. x",
        "mkfifo x",
        "mknod x c 1 3",
    ],
)
def test_nothing_of_a_sandbox_leads_out_of_a_folder(sandbox: Sandbox, tmp_path: Path, evil: str) -> None:
    made = sandbox.process.exec(f"mkdir -p /srv/evil && cd /srv/evil && {evil}")
    if made.exit_code:
        assert "mknod" in evil, "no right to make devices"
        return
    with pytest.raises(SandboxError) as caught:
        sandbox.fs.download_dir("/srv/evil", tmp_path / "out")
    assert code(caught) == "IB758" and "refused" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_takes_no_more_than_is_wanted(sandbox: Sandbox, cli: Cli, tmp_path: Path) -> None:
    """A file with holes takes nothing there, and all of its size here."""
    sandbox.process.exec("mkdir /srv/big && truncate -s 50M /srv/big/holes && echo x >/srv/big/a")
    with pytest.raises(SandboxError, match="more bytes than are wanted"):
        sandbox.fs.download_dir("/srv/big", tmp_path / "out", max_size=0.01)
    refused = cli("sandbox", "cp", "--max-size", "10MiB", f"{sandbox.name}:/srv/big", tmp_path / "out")
    assert refused.code == 1 and "--max-size" in refused.err and not (tmp_path / "out").exists()
    sandbox.fs.download_dir("/srv/big", tmp_path / "out")
    assert (tmp_path / "out/holes").stat().st_size == 50 << 20
