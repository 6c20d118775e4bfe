"""A secret that a build prints is not shown; all else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.engine.protocol import SecretValue
from imagebuilder.engine.redact import redactor


@pytest.mark.parametrize(
    ("value", "line", "shown"),
    [
        ("s3cret", "+ curl -H s3cret s3cret-x", "+ curl -H *** ***-x"),
        ("first\n  second line\n", "key: second line", "key: ***"),
        ("first\n  second line\n", "first and then", "*** and then"),
        ("abc", "abc of a short one", "abc of a short one"),
        ("", "nothing", "nothing"),
        ("a.*b", "a.*b axxb", "*** axxb"),
    ],
)
def test_values(value: str, line: str, shown: str) -> None:
    assert redactor([SecretValue(value)])(line) == shown


def test_a_value_that_holds_another_goes_whole() -> None:
    assert redactor([SecretValue("token"), SecretValue("token-and-more")])("token-and-more") == "***"


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"from a file\xff\n")
    assert redactor([SecretValue(file=file)])("it is from a file") == "it is ***"
    assert redactor([SecretValue(file=tmp_path / "gone")])("same") == "same"


def test_what_is_no_secret_is_shown() -> None:
    assert redactor([SecretValue("/run/ca.crt", hidden=False)])("/run/ca.crt") == "/run/ca.crt"
