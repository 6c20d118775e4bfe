"""A file under a second name, where that can be; else a copy with the same bytes and times."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from imagebuilder.files import link_or_copy


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"data")
    path.chmod(0o640)
    os.utime(path, ns=(10**18, 10**18))
    return path


def refusing(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "hardlink_to", refuse)


def test_a_second_name(source: Path, tmp_path: Path) -> None:
    link_or_copy(source, tmp_path / "target")
    assert (tmp_path / "target").samefile(source)


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
def test_a_copy_where_there_are_no_links(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    refusing(monkeypatch, number)
    link_or_copy(source, tmp_path / "target")
    found = tmp_path / "target"
    assert not found.samefile(source) and found.read_bytes() == b"data"
    assert (found.stat().st_mtime_ns, found.stat().st_mode) == (source.stat().st_mtime_ns, source.stat().st_mode)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EEXIST])
def test_another_error_is_told(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    refusing(monkeypatch, number)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - its number is what counts
        link_or_copy(source, tmp_path / "target")
    assert caught.value.errno == number and not (tmp_path / "target").exists()


def test_what_is_there_is_not_replaced(source: Path, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("own")
    with pytest.raises(FileExistsError):
        link_or_copy(source, tmp_path / "target")
    assert (tmp_path / "target").read_text() == "own"


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        link_or_copy(tmp_path / "no", tmp_path / "target")
