"""What was answered is remembered as it was, and packages keep their order; whatever else happens to the files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imagebuilder.ir.packages import Distribution
from imagebuilder.resolve.memory import Memory
from tests.unit.resolve.making import distribution

DIGEST = "sha256:" + "a" * 64
ANSWER = (distribution("a", size=10), distribution("b", size=20), distribution("c", size=5))


def order(found: Sequence[Distribution]) -> str:
    return "".join(each.name for each in found)


def many(names: str, size: int = 1) -> list[Distribution]:
    return [distribution(name, size=size) for name in names]


def test_an_answer_is_remembered(home: Path) -> None:
    assert Memory(home).recall(DIGEST) is None
    Memory(home).keep(DIGEST, ANSWER)
    assert Memory(home).recall(DIGEST) == ANSWER
    Memory(home).keep(DIGEST, ())
    assert Memory(home).recall(DIGEST) == ()
    assert (home / "packages" / "answers").stat().st_mode & 0o077 == 0
    assert [each.name for each in (home / "packages" / "answers").iterdir()] == ["a" * 64 + "-2.json"]


@pytest.mark.parametrize(
    "damage",
    [b"", b"[", b"null", b"{}", b"[1]", b"\xff", b'[{"name": "a"}]', b"[" * 100_000],
    ids=lambda each: each[:9],
)
def test_a_damaged_answer_is_none(home: Path, damage: bytes) -> None:
    Memory(home).keep(DIGEST, ANSWER)
    (home / "packages" / "answers" / ("a" * 64 + "-2.json")).write_bytes(damage)
    assert Memory(home).recall(DIGEST) is None


@pytest.mark.parametrize(("field", "value"), [("url", "https://h/a%2F..%2F..%2Fb.whl"), ("sha256", "../../x")])
def test_no_answer_leads_out_of_the_store(home: Path, field: str, value: str) -> None:
    Memory(home).keep(DIGEST, ANSWER)
    path = home / "packages" / "answers" / ("a" * 64 + "-2.json")
    found = json.loads(path.read_text())
    found[0]["files"][0][field] = value
    path.write_text(json.dumps(found))
    assert Memory(home).recall(DIGEST) is None


def test_the_largest_come_first_then_what_is_new(home: Path) -> None:
    """A layer stays where it is when a package is added, so that those above it stay as well."""
    assert order(Memory(home).ordered(ANSWER)) == "bac"
    assert order(Memory(home).ordered(reversed(ANSWER))) == "bac"
    grown = (*ANSWER, distribution("z", size=1000), distribution("d", size=1))
    assert order(Memory(home).ordered(grown)) == "baczd"
    assert order(Memory(home).ordered(many("dcba", 99))) == "bacd", "whatever their size is now"


def test_equal_sizes_go_by_name(home: Path) -> None:
    assert order(Memory(home).ordered(many("dbca"))) == "abcd"


@pytest.mark.parametrize("damage", [b"", b"{", b"{}", b"[1, 2]", b'["a", null]', b"\xff", b"null"])
def test_a_damaged_order_begins_anew(home: Path, damage: bytes) -> None:
    Memory(home).ordered(ANSWER)
    (home / "packages" / "answers" / "order.json").write_bytes(damage)
    assert order(Memory(home).ordered(many("ca"))) == "ac"
    assert order(Memory(home).ordered(many("abc"))) == "acb"


def test_a_name_that_stands_twice_counts_once(home: Path) -> None:
    Memory(home).ordered(many("a"))
    (home / "packages" / "answers" / "order.json").write_text('["b", "a", "b"]')
    assert order(Memory(home).ordered(many("abc"))) == "bac"


def test_a_folder_in_the_way_fails_nothing(home: Path) -> None:
    for name in ("order.json", "a" * 64 + "-2.json"):
        (home / "packages" / "answers" / name).mkdir(parents=True)
    Memory(home).keep(DIGEST, ANSWER)
    assert Memory(home).recall(DIGEST) is None and order(Memory(home).ordered(ANSWER)) == "bac"
    assert [each.name for each in (home / "packages" / "answers").iterdir() if each.name.startswith(".")] == []


def test_threads_agree_on_an_order(home: Path) -> None:
    wanted = [many(names) for names in ("abcdef", "fgh", "hia", "zyx", "xya")] * 4
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(Memory(home).ordered, wanted))
    known = json.loads((home / "packages" / "answers" / "order.json").read_text())
    assert sorted(known) == sorted(set("abcdefghixyz"))
    assert order(Memory(home).ordered(many("abcdefghixyz"))) == "".join(known)


def test_processes_agree_on_an_order(home: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from imagebuilder.resolve.memory import Memory\n"
        "from tests.unit.resolve.making import distribution\n"
        "for name in sys.argv[2]: Memory(Path(sys.argv[1])).ordered([distribution(name)])\n"
    )
    names = ("abcdefghij", "jihgfedcba", "klmnopabcd")
    running = [subprocess.Popen([sys.executable, "-c", code, home, each]) for each in names]
    assert [each.wait(60) for each in running] == [0, 0, 0]
    known = json.loads((home / "packages" / "answers" / "order.json").read_text())
    assert sorted(known) == sorted("abcdefghijklmnop")
