"""A secret that a build prints is not shown; all else is."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from imagebuilder.engine.protocol import SecretValue
from imagebuilder.engine.redact import of_config, of_login, redactor


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


PASSWORD = "p+s/s: wörd"
SAID = f"no {PASSWORD}; bWU6cCtzL3M6IHfDtnJk; p%2Bs%2Fs%3A%20w%C3%B6rd"


def test_a_registry_that_says_again_what_it_was_told(tmp_path: Path) -> None:
    header = base64.urlsafe_b64encode(json.dumps({"username": "me", "password": PASSWORD}).encode()).decode()
    assert redactor(of_login(header))(SAID) == "no ***; ***; ***"
    auth = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"h": {"auth": auth}, "g": 3, "f": {}}}))
    assert redactor(of_config(tmp_path))(SAID) == "no ***; ***; ***"


@pytest.mark.parametrize("header", ["", "x", "W10=", "e30=", "/w==", "W1tbW1tb"])
def test_a_header_that_is_none(header: str) -> None:
    assert redactor(of_login(header))("same") == "same"


@pytest.mark.parametrize("written", ["", "[]", "{}", '{"auths": []}', '{"auths": {"h": {"auth": "x"}}}'])
def test_a_configuration_that_says_nothing(tmp_path: Path, written: str) -> None:
    (tmp_path / "config.json").write_text(written)
    assert redactor(of_config(tmp_path))("same") == redactor(of_config(tmp_path / "gone"))("same") == "same"
