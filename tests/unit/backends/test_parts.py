"""Which COPY may be written in parts, and how that looks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.backends.dockerfile import Piece, all_copied, layers_left
from imagebuilder.compiler import Plan, compile

DIGESTS = tuple("sha256:" + character * 64 for character in "abc")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "src/sub").mkdir(parents=True)
    (tmp_path / "src/sub/file").touch()
    (tmp_path / "src/top").touch()
    return tmp_path


def described(root: Path, text: str) -> Image:
    (root / "Dockerfile").write_text(text)
    return Image.from_dockerfile(root / "Dockerfile", root)


def folders(plan: Plan) -> list[str]:
    return [path for _, _, path in all_copied(plan.stage)]


COPIED: dict[str, tuple[Callable[[Path], Image], list[str]]] = {
    "a folder": (lambda root: Image.base("debian").add_local_dir(root / "src", "/app"), ["."]),
    "with an owner": (lambda root: Image.base("debian").add_local_dir(root / "src", "/app", chown="a:b"), ["."]),
    "a file": (lambda root: Image.base("debian").add_local_file(root / "src/top", "/app"), []),
    "of another image": (lambda root: Image.base("debian").copy_from("busybox", "/bin", "/app"), []),
    "all of a context": (lambda root: described(root, "FROM debian\nCOPY . /app\n"), ["."]),
    "a folder of a context": (lambda root: described(root, "FROM debian\nCOPY ./src/sub/ /app\n"), ["src/sub"]),
    "two sources": (lambda root: described(root, "FROM debian\nCOPY src src/sub /app/\n"), []),
    "a pattern": (lambda root: described(root, "FROM debian\nCOPY sr[c] /app/\n"), []),
    "a variable": (lambda root: described(root, "FROM debian\nARG A=src\nCOPY $A /app/\n"), ["src"]),
    "some left out": (lambda root: described(root, "FROM debian\nCOPY --exclude=top src /app/\n"), []),
    "with parents": (lambda root: described(root, "FROM debian\nCOPY --parents src /app/\n"), []),
}


@pytest.mark.parametrize(("make", "found"), COPIED.values(), ids=COPIED)
def test_what_is_copied(make: Callable[[Path], Image], found: list[str], root: Path) -> None:
    assert folders(compile(make(root))) == found


def test_the_instructions(root: Path) -> None:
    image = (
        Image.debian_slim("3.13")
        .add_local_dir(root / "src", "/app/src", chown="1:2")
        .run_commands("true")
        .add_local_dir(root / "src", "/srv/x")
    )
    plan = compile(image)
    (copied,) = all_copied(plan.stage)
    assert all_copied(plan.stage) == {copied: 2}
    dockerfile = plan.dockerfile(cuts={copied: DIGESTS})
    linked = [line for line in dockerfile.text.splitlines() if line.startswith("COPY") and "--link" in line]
    plain = [line for line in dockerfile.text.splitlines() if line.startswith("COPY") and "--link" not in line]
    assert len(linked) == len(plain) == 3
    assert all(re.fullmatch(r"COPY --from=src-[0-9a-f]+ --link --chown=1:2 files/ /app/src/?", line) for line in linked)
    assert [context.content for context in dockerfile.contexts] == [Piece(copied, number) for number in range(3)]
    assert len({context.name for context in dockerfile.contexts}) == 3


def test_all_lines_lead_to_the_call(root: Path) -> None:
    plan = compile(Image.debian_slim("3.13").add_local_dir(root / "src", "/app").run_commands("true"))
    (copied,) = all_copied(plan.stage)
    dockerfile = plan.dockerfile(cuts={copied: DIGESTS})
    assert [(i.text.split()[0], i.position, i.parts) for i in dockerfile.instructions] == [
        ("FROM", 1, 1), ("COPY", 2, 3), ("COPY", 3, 3), ("COPY", 4, 3), ("RUN", 5, 1),
    ]  # fmt: skip
    copies = dockerfile.instructions[1:4]
    assert len({i.step for i in copies}) == 1
    assert [dockerfile.whole(i) for i in dockerfile.instructions] == [
        dockerfile.instructions[n] for n in (0, 1, 1, 1, 4)
    ]


def test_a_part_of_a_folder_keeps_its_path(root: Path) -> None:
    plan = compile(described(root, "FROM debian\nCOPY src/sub /app/\n"))
    (copied,) = all_copied(plan.stage)
    text = plan.dockerfile(cuts={copied: DIGESTS[:1]}).text
    assert re.search(r"COPY --from=\S+ files/src/sub /app/", text)


def test_neither_the_key_nor_what_is_rendered_knows_of_parts(root: Path) -> None:
    plan = compile(Image.base("debian").add_local_dir(root / "src", "/app"))
    assert plan.dockerfile().text.count("COPY") == 1
    assert plan.dockerfile(cuts={}).text == plan.dockerfile().text


def test_layers(root: Path) -> None:
    image = Image.base("debian").add_local_dir(root / "src", "/app").env(A="b").workdir("/x")
    assert layers_left(compile(image).stage) == 94
    assert layers_left(compile(Image.base("debian")).stage) == 96
