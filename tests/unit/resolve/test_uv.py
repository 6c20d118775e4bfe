"""What uv is asked, and what is made of what it says. Its answers are those of uv 0.13.9, kept word for word."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagebuilder import command
from imagebuilder.diagnostics import EngineError
from imagebuilder.ir.packages import DistributionFile
from imagebuilder.resolve import uv
from imagebuilder.resolve.ask import Ask, Target
from imagebuilder.resolve.no_python import no_python

TARGET = Target("3.12.4", "x86_64-manylinux_2_36")
HEAD = 'lock-version = "1.0"\ncreated-by = "uv"\nrequires-python = ">=3.12.4"\n'
PYPI = "https://files.pythonhosted.org/packages"
SHA = "82fee1fc78add43492d3a1898bfa6d8a904cc97d8427f683ed8e798d07761aa0"
IDNA = f"""
[[packages]]
name = "idna"
version = "3.7"
wheels = [{{ url = "{PYPI}/e5/3e/741d8c82801c347547f8a2a06aa57dbb1992be9e948df2ea0eda2c8b79e8/idna-3.7-py3-none-any.whl", upload-time = 2024-04-11T03:34:41Z, size = 66836, hashes = {{ sha256 = "{SHA}" }} }}]
"""
ATTRS = f"""
[[packages]]
name = "attrs"
version = "21.1.0"
wheels = [{{ url = "{PYPI}/2b/00/7f74fb9608daf3626aad5de91181026a5107b997ce2788eabffeb5d41cb1/attrs-21.1.0-py2.py3-none-any.whl", upload-time = 2021-05-06T08:26:59Z, size = 55310, hashes = {{ sha256 = "8ee1e5f5a1afc5b19bdfae4fdf0c35ed324074bdce3500c939842c8f818645d9" }} }}]
"""
DIRECT = f"""
[[packages]]
name = "idna"
version = "3.7"
archive = {{ url = "{PYPI}/e5/3e/741d8c82801c347547f8a2a06aa57dbb1992be9e948df2ea0eda2c8b79e8/idna-3.7-py3-none-any.whl", hashes = {{ sha256 = "{SHA}" }} }}
"""
YANKED = 'Resolved 2 packages in 248ms\nwarning: `attrs==21.1.0` is yanked (reason: "Installable but not importable on Python 3.4.")\n'
CONFLICT = """\
error: No solution found when resolving dependencies
  cause: Because requests==2.32.3 depends on urllib3>=1.21.1,<3 and you require requests==2.32.3, we can conclude that you require urllib3>=1.21.1,<3.
         And because you require urllib3<1.20, we can conclude that your requirements are unsatisfiable.
"""
NOT_FOUND = """\
error: No solution found when resolving dependencies
  cause: Because no-such-package-zzz-qq was not found in the package registry and you require no-such-package-zzz-qq, we can conclude that your requirements are unsatisfiable.
"""
NO_WHEELS = """\
error: No solution found when resolving dependencies
  cause: Because pycrypto==2.6.1 has no usable wheels and you require pycrypto==2.6.1, we can conclude that your requirements are unsatisfiable.

hint: Wheels are required for `pycrypto` because building from source is disabled for all packages (i.e., with `--no-build`)
"""
DOWN = """\
error: Request failed after 3 retries in 8.5s
  cause: Failed to fetch: http://127.0.0.1:9/simple/idna/
  cause: error sending request for url (http://127.0.0.1:9/simple/idna/)
  cause: client error (Connect)
  cause: tcp connect error
  cause: Connection refused (os error 111)
"""
MALFORMED = """\
error: Couldn't parse requirement in `asked.in` at position 0
  cause: after parsing `3`, found `..x`, which is not part of a valid version
         idna==3..x
             ^^^^^^
"""

Said = Callable[..., list[Any]]


class Uv:
    """A uv that answers as it is told, and keeps what it was asked and given."""

    def __init__(self) -> None:
        self.answer: tuple[int, str | bytes, str] = 0, HEAD, ""
        self.words: list[str] = []
        self.files: dict[str, str] = {}
        self.env: dict[str, str | None] = {}

    def run(
        self, argv: Sequence[str | os.PathLike[str]], *, env: Any = None, timeout: float, cwd: str
    ) -> subprocess.CompletedProcess[bytes]:
        self.words = [os.fspath(word) for word in argv]
        folder = Path(cwd)
        self.files = {
            each.relative_to(folder).as_posix(): each.read_text() for each in folder.rglob("*") if each.is_file()
        }
        self.env = dict(env or {})
        code, out, err = self.answer
        if code == 0:
            Path(self.words[self.words.index("-o") + 1]).write_bytes(out if isinstance(out, bytes) else out.encode())
        return subprocess.CompletedProcess(argv, code, b"", err.encode())


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Uv:
    made = Uv()
    monkeypatch.setattr(command, "run", made.run)
    return made


def resolve(tmp_path: Path, ask: Ask, ca: Path | None = None) -> uv.Answer:
    return uv.resolve(ask, tmp_path / "cache", ca)


def unresolved(tmp_path: Path, ask: Ask = Ask(TARGET, ("idna",))) -> uv.Unresolved:  # noqa: B008 - frozen
    with pytest.raises(uv.Unresolved) as caught:
        resolve(tmp_path, ask)
    return caught.value


# What it is asked --------------------------------------------------------------------------------------


def test_a_request_in_uvs_words(fake: Uv, tmp_path: Path) -> None:
    resolve(tmp_path, Ask(TARGET, ("idna>=3", "attrs")))
    assert fake.words[1:4] == ["pip", "compile", "--format=pylock.toml"]
    assert {"--config-file=uv.toml", "--no-python-downloads", "--no-sources"} <= set(fake.words)
    assert {"--python-version=3.12.4", "--python-platform=x86_64-manylinux_2_36"} <= set(fake.words)
    assert (
        "--index-strategy=unsafe-best-match" in fake.words and f"--python={no_python(tmp_path / 'cache')}" in fake.words
    )
    assert fake.words[fake.words.index("--cache-dir") + 1] == str(tmp_path / "cache")
    assert fake.files.pop("asked.in") == "idna>=3\nattrs\n"
    assert set(fake.files) == {"uv.toml"} and "https://pypi.org/simple" in fake.files["uv.toml"]
    assert not [word for word in fake.words if word.startswith(("--default-index", "--index=", "--prerelease"))]


def test_all_of_an_ask_reaches_uv(fake: Uv, tmp_path: Path) -> None:
    ask = Ask(
        TARGET,
        packages=("attrs",),
        files=(("0/r.txt", "-r more/m.txt\n"), ("1/r.txt", "é\n"), ("0/more/m.txt", "idna\n")),
        roots=2,
        index_url="https://one/simple",
        extra_index_urls=("https://two/simple", "https://three/simple"),
        pre=True,
        best=False,
        there=("pip==24.0",),
    )
    resolve(tmp_path, ask)
    indexes = ["--default-index=https://one/simple", "--index=https://two/simple", "--index=https://three/simple"]
    assert [word for word in fake.words if "index=" in word] == indexes
    assert "--prerelease=allow" in fake.words and "--index-strategy=unsafe-best-match" not in fake.words
    (there,) = tomllib.loads(fake.files.pop("pylock.toml"))["packages"]
    assert (there["name"], there["version"]) == ("pip", "24.0")
    assert [word for word in fake.words if word in fake.files] == ["0/r.txt", "1/r.txt", "asked.in"]
    assert fake.files == dict(ask.files) | {"asked.in": "attrs\n", "uv.toml": ""}


def test_versions_that_are_preferred(fake: Uv, tmp_path: Path) -> None:
    """They stand where the answer is to be, which uv takes for the answer of before."""
    uv.resolve(Ask(TARGET, ("idna",)), tmp_path / "cache", None, prefer={"idna": "3.6"}, anew=True)
    (package,) = tomllib.loads(fake.files["pylock.toml"])["packages"]
    assert (package["name"], package["version"]) == ("idna", "3.6") and "--refresh" in fake.words


def test_its_users_settings_are_not_in_an_ask(fake: Uv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it needs to reach an index stays."""
    for name in list(os.environ):
        if name.startswith("UV_"):
            monkeypatch.delenv(name)
    for name in ("UV_INDEX_URL", "UV_PRERELEASE", "UV_HTTP_TIMEOUT", "UV_INDEX_CORP_PASSWORD", "UV_INDEX_CORP"):
        monkeypatch.setenv(name, "x")
    resolve(tmp_path, Ask(TARGET, ("idna",)), Path("/etc/ca.pem"))
    assert fake.env == {
        "UV_INDEX_URL": None,
        "UV_PRERELEASE": None,
        "UV_INDEX_CORP": None,
        "SSL_CERT_FILE": "/etc/ca.pem",
    }


def test_uv_is_of_this_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert uv.VERSION in subprocess.run([uv.program(), "--version"], capture_output=True, text=True, check=True).stdout
    monkeypatch.setitem(sys.modules, "uv", None)
    with pytest.raises(EngineError) as caught:
        uv.program()
    assert caught.value.diagnostics[0].help == f"pip install uv=={uv.VERSION}"


# What it answers ---------------------------------------------------------------------------------------


def test_what_was_found(fake: Uv, tmp_path: Path) -> None:
    fake.answer = 0, HEAD + IDNA + ATTRS, YANKED
    found = resolve(tmp_path, Ask(TARGET, ("idna", "attrs")))
    assert [(each.name, each.version, each.size) for each in found.distributions] == [
        ("attrs", "21.1.0", 55310),
        ("idna", "3.7", 66836),
    ]
    (file,) = found.distributions[1].files
    assert (file.name, file.sha256) == ("idna-3.7-py3-none-any.whl", SHA)
    assert found.yanked == {"attrs==21.1.0": "Installable but not importable on Python 3.4."}


def test_what_is_there_already_is_left_out(fake: Uv, tmp_path: Path) -> None:
    fake.answer = 0, HEAD + IDNA + ATTRS, ""
    found = resolve(tmp_path, Ask(TARGET, ("idna", "attrs"), there=("idna==3.7", "pip==24.0")))
    assert [each.name for each in found.distributions] == ["attrs"]
    replaced = unresolved(tmp_path, Ask(TARGET, ("attrs",), there=("attrs==20.0",)))
    assert (replaced.kind, replaced.about) == (uv.OTHERS, "attrs")


def test_nothing_asked_is_nothing_found(fake: Uv, tmp_path: Path) -> None:
    fake.answer = 0, HEAD, "warning: Requirements file `asked.in` does not contain any dependencies\n"
    assert resolve(tmp_path, Ask(TARGET)).distributions == ()


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (CONFLICT, uv.NO_SET, "urllib3>=1.21.1,<3"),
        (NOT_FOUND, uv.NO_SET, "not found in the package registry"),
        (NO_WHEELS, uv.NO_WHEEL, "pycrypto has no wheel that fits"),
        (DOWN, uv.NO_INDEX, "Connection refused"),
        (MALFORMED, uv.WRONG, "is not part of a valid version"),
        ("", uv.WRONG, "exit code 2"),
        ("warning: only this\n", uv.WRONG, "exit code 2"),
        ("warning: Failed to fetch\n", uv.NO_INDEX, "exit code 2"),
    ],
)
def test_why_there_is_no_answer(fake: Uv, tmp_path: Path, said: str, kind: str, words: str) -> None:
    fake.answer = 2, "", said
    error = unresolved(tmp_path)
    assert error.kind == kind and words in error.said
    assert error.said and not [line for line in error.said.splitlines() if line.startswith(("error:", "  cause:"))]


def test_uv_that_does_not_end(fake: Uv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: Any, timeout: float, **__: Any) -> None:
        raise subprocess.TimeoutExpired("uv", timeout)

    monkeypatch.setattr(command, "run", late)
    assert unresolved(tmp_path).kind == uv.NO_INDEX


def test_what_comes_from_no_index(fake: Uv, tmp_path: Path) -> None:
    fake.answer = 0, HEAD + DIRECT, ""
    error = unresolved(tmp_path)
    assert (error.kind, error.about) == (uv.NO_WHEEL, "idna")


@pytest.mark.parametrize(
    "answer",
    [
        b"\xff\xfe",
        "not toml",
        "packages = 3",
        "packages = [3]",
        "[[packages]]\nname = 'x'\n",
        HEAD + IDNA.replace("sha256", "md5"),
        HEAD + IDNA.replace(SHA, "../../../x"),
        HEAD + IDNA.replace("/idna-3.7-py3-none-any.whl", "/idna-3.7-py3-none-any%2F..%2F..%2Fx.whl"),
        HEAD + IDNA.replace("idna-3.7-py3-none-any.whl", "idna.whl"),
        HEAD + IDNA.replace("size = 66836", "size = 'large'"),
    ],
)
def test_an_answer_that_makes_no_sense(fake: Uv, tmp_path: Path, answer: bytes | str) -> None:
    """A file in it is named by an index, which may be anybody's."""
    fake.answer = 0, answer, ""
    error = unresolved(tmp_path)
    assert error.kind == uv.WRONG and error.said.startswith("uv answered what cannot be read")


def test_a_hash_that_is_demanded(fake: Uv, tmp_path: Path) -> None:
    fake.answer = 0, HEAD + IDNA, ""
    line = "IDNA == 3.7 \\\n    --hash=sha256:{} \\\n    --hash=sha256:{}\n"
    good = Ask(TARGET, files=(("0/r.txt", line.format("0" * 64, SHA)),), roots=1)
    assert len(resolve(tmp_path, good).distributions) == 1
    error = unresolved(tmp_path, Ask(TARGET, files=(("0/r.txt", line.format("0" * 64, "1" * 64)),), roots=1))
    assert (error.kind, error.about) == (uv.OTHER_BYTES, "idna") and "idna 3.7" in error.said


def test_pip_wants_a_hash_of_each_once_one_has_any(fake: Uv, tmp_path: Path) -> None:
    """What is left to it ends with its own words. uv checks those that there are."""
    fake.answer = 0, HEAD + IDNA, ""
    ask = Ask(TARGET, files=(("0/r.txt", f"other==1 --hash=sha256:{SHA}\n"),), roots=1)
    error = unresolved(tmp_path, ask)
    assert (error.kind, error.about) == (uv.OTHERS, "idna") and "hashes" in error.said
    assert len(resolve(tmp_path, replace(ask, best=False)).distributions) == 1
    assert resolve(tmp_path, replace(ask, there=("idna==3.7",))).distributions == ()


def test_uv_reads_a_file_as_pip_does_where_that_would(fake: Uv, tmp_path: Path) -> None:
    fake.answer = 0, HEAD, ""
    text = "# C:\\\r\nsix \\\r\n  >=1 # b \\\r\nattrs\r\nidna\r\n"
    ask = Ask(TARGET, files=(("0/r.txt", text),), roots=1)
    resolve(tmp_path, ask)
    assert fake.files["0/r.txt"].splitlines() == ["", "six    >=1", "", "", "idna"]
    resolve(tmp_path, replace(ask, best=False))
    assert fake.files["0/r.txt"].splitlines() == text.splitlines()


def test_a_version_that_is_none_is_not_said(fake: Uv, tmp_path: Path) -> None:
    """uv reads all of such a file or nothing. What would replace such a package is no answer."""
    fake.answer = 0, HEAD + IDNA, ""
    there = ("odd==1.0-debian-x", "pip==24.0", "gone==None")
    assert len(resolve(tmp_path, Ask(TARGET, ("idna",), there=there)).distributions) == 1
    assert [each["name"] for each in tomllib.loads(fake.files["pylock.toml"])["packages"]] == ["pip"]
    assert unresolved(tmp_path, Ask(TARGET, ("idna",), there=("idna==3.7-debian-x",))).kind == uv.OTHERS


# Which file --------------------------------------------------------------------------------------------


def names(*tags: str) -> list[DistributionFile]:
    return [DistributionFile(url=f"https://h/x-1.0-{tag}.whl", sha256="0" * 64) for tag in tags]


@pytest.mark.parametrize(
    "order",
    [
        ("cp312-cp312-manylinux_2_28_x86_64", "cp312-cp312-manylinux_2_17_x86_64", "cp312-abi3-manylinux_2_28_x86_64"),
        ("cp312-cp312-manylinux2014_x86_64", "cp312-cp312-manylinux_2_5_x86_64", "cp312-cp312-linux_x86_64"),
        ("cp311-abi3-manylinux_2_28_x86_64", "py312-none-any", "py3-none-any", "py2-none-any"),
        ("2-py3-none-any", "1-py3-none-any", "py3-none-any"),
        ("10a-py3-none-any", "9-py3-none-any"),
        ("py2.py3-none-any", "cp313-cp313-manylinux_2_17_x86_64"),
        ("py3-none-any", "cp312-cp312-manylinux_2_39_x86_64"),
        ("py3-none-any", "cp312-cp312-musllinux_1_2_x86_64"),
        (
            "cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64",
            "cp312-cp312-manylinux_2_17_x86_64",
        ),
    ],
)
def test_the_file_that_an_installer_takes(order: Sequence[str]) -> None:
    files = names(*order)
    for first in range(len(files)):
        assert uv.best(files[first:], TARGET) is files[first]
        assert uv.best(files[first:][::-1], TARGET) is files[first]


# Words -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Foo.Bar", "foo_bar", "foo--bar", "FOO-._bar"])
def test_names_are_compared_as_indexes_do(name: str) -> None:
    assert uv.normalized(name) == "foo-bar"


def test_hashes_of_requirements_files() -> None:
    one = "a==1 --hash=sha256:1 --hash=md5:2\n# b==1 --hash=sha256:3\nc==1\n--hash=sha256:4\n"
    two = "A==1 --hash=sha256:5\nd[x]==1; python_version>'3' \\\n  --hash=sha256:6\n"
    assert uv.demanded_hashes(iter((one, two))) == {"a": {"1", "5"}, "d": {"6"}}
    assert uv.demanded_hashes(iter((one, two.replace("\n", "\r\n")))) == {"a": {"1", "5"}, "d": {"6"}}
