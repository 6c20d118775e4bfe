"""What the README shows is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imagebuilder.frontends.snap import load
from imagebuilder.frontends.target import load_target
from imagebuilder.lint import CODES as LINTS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def samples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_same_image_in_both_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.py").write_text("print('hello')\n")
    (tmp_path / "app.py").write_text(samples("python")[0])
    (tmp_path / "app.snap").write_text(samples("snap")[0])
    fluent = load_target("app.py").image
    (snapshot,) = load("app.snap").snapshots
    assert snapshot.image.stage == fluent.stage
    assert snapshot.image.key() == fluent.key()


def test_the_sample_of_the_language(tmp_path: Path) -> None:
    (tmp_path / "common.snap").write_text("snap 1\nimage tools from scratch { add_text x /out/bin/x }\n")
    (tmp_path / "app.snap").write_text(samples("snap")[1])
    for profile in ("cpu", "gpu"):
        found = load(tmp_path / "app.snap", params={"profile": profile})
        assert [each.name for each in found.snapshots] == ["app-small:1.0", "app-large:1.0"]
        assert found.unused == ()


def test_every_lint_is_told_of() -> None:
    """By its code, or within a range: IB911 to IB914."""
    table = [re.findall(r"IB9\d\d", row) for row in re.findall(r"^\| (IB9.*?) \|", README, re.MULTILINE)]
    told = {f"IB{n}" for row in table for n in range(int(row[0][2:]), int(row[-1][2:]) + 1)}
    assert told == set(LINTS)


def test_what_is_said_to_be_proven_is(tmp_path: Path) -> None:
    """The table of the page that the project began from names tests, which are there."""
    root = Path(__file__).parents[2]
    table = (root / "examples/snapshots.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", table)
    assert len(named) > 20
    for file, test in named:
        assert re.search(rf"^def {test}\(", (root / "tests" / file).read_text(encoding="utf-8"), re.MULTILINE), test
    rows = [row for row in table.splitlines() if row.startswith("| ") and not row.startswith(("| what", "|---"))]
    assert all("::" in row or "**not" in row for row in rows), "each row is proven, or says that it is not"
