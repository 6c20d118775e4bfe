"""What a requirements file says that uv would not take as pip does is left to the image's own installer."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.compiler import compile
from imagebuilder.resolve.resolver import left_out

SHA256, SHA512 = "a" * 64, "b" * 128


def why(image: Image) -> list[str]:
    return [left.reason for left in left_out(compile(image, platform="linux/amd64"))]


def of_file(folder: Path, text: str) -> list[str]:
    (folder / "requirements.txt").write_text(text)
    return why(Image.debian_slim("3.13").pip_install_from_requirements(folder / "requirements.txt"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        # uv would ask PyPI besides: another package of the same name would be installed.
        ("--index-url https://packages.example/simple\nsix\n", "--index-url"),
        ("-i https://packages.example/simple\nsix\n", "-i"),
        ("--pre\nsix\n", "--pre"),
        ("--require-hashes\nsix==1.17.0\n", "--require-hashes"),
        (f"six==1.17.0 --hash=sha512:{SHA512}\n", "--hash"),
        (f"six==1.17.0 \\\n    --hash=sha256:{SHA256} \\\n    --hash=sha512:{SHA512}\n", "--hash"),
        ("--prefer-binary\nsix\n", "--prefer-binary"),
        ("six --config-settings=a=b\n", "--config-settings"),
        ("six\n--no-index\n", "--no-index"),
        ("# C:\\wheels\\\n--no-index\nsix\n", "--no-index"),
    ],
)
def test_an_option(tmp_path: Path, text: str, named: str) -> None:
    assert of_file(tmp_path, text) == [f"it has the option {named} in a requirements file"]


def test_nothing_else_is(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("six<2  # -not an option, see https://example.com\n")
    assert not of_file(
        tmp_path,
        "-c c.txt\n--extra-index-url https://packages.example/simple\n--only-binary=:all:\n# --pre\n"
        f"six==1.17.0 \\\n    --hash=sha256:{SHA256}\nattrs; python_version > '3' # as --pre\n",
    )
