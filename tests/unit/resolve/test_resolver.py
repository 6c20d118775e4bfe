"""Requests of a build become installs: asked once, remembered, left where that is not sound, and told where it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.compiler import Plan, compile
from imagebuilder.diagnostics import BuildError, CompileError
from imagebuilder.ir.ops import BaseImage
from imagebuilder.ir.packages import Install, Python
from imagebuilder.ir.stage import Stage, Step, ordered
from imagebuilder.resolve import uv
from imagebuilder.resolve.ask import Ask, Left
from imagebuilder.resolve.ground import Ground
from imagebuilder.resolve.pin import pinned
from imagebuilder.resolve.resolver import LeftOut, Resolver, requests
from tests.unit.resolve.making import distribution, python

PLATFORM = "linux/amd64"
THERE = python(there=(("pip", "24.0"),))
Answers = Callable[[Ask], uv.Answer]


class Index:
    """In the place of uv: answers by name, or with what is raised for an ask."""

    def __init__(self) -> None:
        self.asked: list[Ask] = []
        self.fails: list[uv.Unresolved | None] = []
        self.yanked: dict[str, str] = {}
        self.nothing = False

    def resolve(self, ask: Ask, cache: Path, ca: Path | None, **_: object) -> uv.Answer:
        self.asked.append(ask)
        if self.fails and (error := self.fails.pop(0)) is not None:
            raise error
        return uv.Answer(() if self.nothing else tuple(map(distribution, ask.packages)), self.yanked)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Index:
    made = Index()
    monkeypatch.setattr(uv, "resolve", made.resolve)
    return made


def image() -> Image:
    return Image.base("python:3.12-slim")


def plan(made: Image) -> Plan:
    return compile(made, platform=PLATFORM)


def resolver(home: Path, by: Python | str = THERE, **options: bool) -> Resolver:
    return Resolver(home, lambda base: by, **options)


def installs(found: Plan) -> list[str]:
    return [" ".join(each.name for each in s.op.distributions) for stage in ordered(found.stage) for s in stage.steps if isinstance(s.op, Install)]  # fmt: skip


def told(home: Path, made: Image) -> CompileError:
    with pytest.raises(CompileError) as caught:
        resolver(home).resolved(plan(made))
    return caught.value


# Answers -----------------------------------------------------------------------------------------------


def test_a_requirements_file_that_changed_since_the_key_ends_the_build(
    home: Path, index: Index, tmp_path: Path
) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("six\n")
    before = plan(image().pip_install_from_requirements(file))
    resolver(home).resolved(before)
    file.write_text("sax\n")
    with pytest.raises(BuildError) as caught:
        resolver(home).resolved(before)
    assert caught.value.diagnostics[0].code == "IB210"


def test_a_request_becomes_an_install(index: Index, home: Path) -> None:
    before = plan(image().env({"A": "b"}).pip_install("x", "y").label({"c": "d"}))
    after = resolver(home).resolved(before)
    assert installs(after) == ["x y"] and requests(before) and not requests(after)
    for old, new in zip(before.stage.steps, after.stage.steps, strict=True):
        assert new.planned is old and (new is old) == (not isinstance(new.op, Install))
        assert new.place is old.place and new.intent is old.intent
    (step,) = (s for s in after.stage.steps if isinstance(s.op, Install))
    assert isinstance(step.op, Install) and step.op.python == THERE


def test_what_was_answered_is_not_asked_again(index: Index, home: Path) -> None:
    for _ in range(2):
        assert installs(resolver(home).resolved(plan(image().pip_install("x")))) == ["x"]
    assert len(index.asked) == 1
    resolver(home, anew=True).resolved(plan(image().pip_install("x")))
    assert len(index.asked) == 2


def test_the_second_request_knows_of_the_first(index: Index, home: Path) -> None:
    after = resolver(home).resolved(plan(image().pip_install("x").uv_pip_install("y")))
    assert installs(after) == ["x", "y"]
    assert [ask.there for ask in index.asked] == [("pip==24.0",), ("pip==24.0", "x==1.0")]


def test_packages_keep_their_order(index: Index, home: Path) -> None:
    resolver(home).resolved(plan(image().pip_install("y")))
    assert installs(resolver(home).resolved(plan(image().pip_install("x", "y")))) == ["y x"]


def test_where_all_is_there_the_request_stays(index: Index, home: Path) -> None:
    index.nothing = True
    before = plan(image().pip_install("pip"))
    made = resolver(home)
    after = made.resolved(before)
    assert after.stage.steps == before.stage.steps and made.left == []


def test_a_plan_without_requests_stays_itself(index: Index, home: Path) -> None:
    before = plan(image().run_commands("pip install x"))
    assert not requests(before) and resolver(home).resolved(before).stage is before.stage
    assert index.asked == []


def test_a_yanked_release_is_told_at_its_line(index: Index, home: Path) -> None:
    index.yanked = {"x==1.0": "broken", "y==1": ""}
    made = resolver(home)
    made.resolved(plan(image().pip_install("x")))
    first, second = made.yanked
    assert (first.code, first.severity) == ("IB673", "warning") and first.place is not None
    assert first.message == "x==1.0 was withdrawn from its index: broken" and second.message.endswith("its index")


# No answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (uv.Unresolved(uv.NO_WHEEL, "x has no wheel that fits", "x"), "x has no wheel that fits"),
        (
            uv.Unresolved(uv.NO_INDEX, "Failed to fetch\nConnection refused"),
            "no index answers here: Connection refused",
        ),
    ],
)
def test_what_only_the_image_may_manage_is_left_to_it(
    index: Index, home: Path, error: uv.Unresolved, reason: str
) -> None:
    index.fails = [error]
    made = resolver(home)
    before = plan(image().pip_install("x"))
    assert made.resolved(before).stage is before.stage
    (left,) = made.left
    assert left.reason == reason and left.verb == "pip_install"
    assert str(left).startswith("pip_install (test_resolver.py:") and str(left).endswith(f", since {reason}")


def test_a_request_that_cannot_be_asked_is_left(index: Index, home: Path) -> None:
    made = resolver(home, "the base has no Python")
    made.resolved(plan(image().pip_install("x").pip_install("y")))
    assert [each.reason for each in made.left] == ["the base has no Python"] * 2 and index.asked == []
    assert str(LeftOut("pip_install", None, "so")) == "pip_install is left to the image's own installer, since so"


def test_a_conflict_is_told_with_its_lines(index: Index, home: Path, tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("# asks\nRequests==2.32.3\nother\nurllib3<1.20 ; x\n")
    said = "Because requests==2.32.3 depends on urllib3>=1.21.1,<3 …"
    index.fails = [uv.Unresolved(uv.NO_SET, said)] * 2
    (found,) = told(home, image().pip_install_from_requirements(tmp_path / "r.txt")).diagnostics
    assert (
        found.code == "IB670" and "cannot be had together" in found.message and found.place is not None and found.help
    )
    assert [note.message for note in found.notes] == [
        f"uv says:\n{said}",
        "r.txt:2: Requests==2.32.3",
        "r.txt:4: urllib3<1.20 ; x",
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (uv.Unresolved(uv.OTHERS, "it wants another pip than is there", "pip"), "it wants another pip than is there"),
        (
            uv.Unresolved(uv.NO_SET, "Because pip was not found in the package registry"),
            "no index has the pip that is there",
        ),
    ],
)
def test_a_conflict_with_what_is_there_is_left(index: Index, home: Path, error: uv.Unresolved, reason: str) -> None:
    """An installer replaces that or is content with it, which a layer cannot be."""
    index.fails = [error]
    made = resolver(home)
    made.resolved(plan(image().pip_install("pip>25")))
    assert [each.reason for each in made.left] == [reason]


def test_a_package_that_no_index_has_is_named(index: Index, home: Path) -> None:
    index.fails = [uv.Unresolved(uv.NO_SET, "Because mispelt was not found in the package registry and you require it")]
    (found,) = told(home, image().pip_install("mispelt")).diagnostics
    assert (found.code, found.message) == ("IB670", "pip_install: no index has mispelt")
    assert found.place is not None and found.help


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (uv.Unresolved(uv.WRONG, "Couldn't parse requirement"), "IB670", "cannot be resolved"),
        (uv.Unresolved(uv.OTHER_BYTES, "no file of x 1 has a hash that is demanded of it", "x"), "IB672", "demanded"),
    ],
)
def test_what_fails_anywhere_is_told_at_once(
    index: Index, home: Path, error: uv.Unresolved, code: str, words: str
) -> None:
    index.fails = [error]
    (found,) = told(home, image().pip_install("x")).diagnostics
    assert found.code == code and words in found.message and found.place is not None and found.help


def test_what_failed_is_not_remembered(index: Index, home: Path) -> None:
    index.fails = [uv.Unresolved(uv.NO_INDEX, "down")]
    resolver(home).resolved(plan(image().pip_install("x")))
    assert installs(resolver(home).resolved(plan(image().pip_install("x")))) == ["x"]


@pytest.mark.parametrize(
    "said",
    [
        "Failed to query Python interpreter\nfailed to write to file `/x/y.py`: No space left on device (os error 28)",
        "Could not create temporary file\nRead-only file system (os error 30) at path `/x`",
    ],
)
def test_a_home_that_takes_nothing_is_no_conflict(index: Index, home: Path, said: str) -> None:
    index.fails = [uv.Unresolved(uv.WRONG, said)]
    with pytest.raises(BuildError) as caught:
        resolver(home).resolved(plan(image().pip_install("x")))
    (told,) = caught.value.diagnostics
    assert told.code == "IB671" and told.place is not None and "doctor" in told.help
    assert told.message.rpartition(": ")[2] in said and "os error" not in told.message


# Pinning -----------------------------------------------------------------------------------------------


def test_stages_that_share_a_request_get_one_answer() -> None:
    """And where nothing was found, they are the very same objects."""
    shared = plan(image().pip_install("x")).stage
    target = Stage(shared, shared.steps)
    met: list[Ask | Left] = []

    def answer(step: Step, ask: Ask | Left, ground: Ground) -> Install | None:
        met.append(ask)
        return None if isinstance(ask, Left) else Install(distributions=(distribution("x"),), python=ground.python)

    found = pinned(target, PLATFORM, lambda base: THERE, answer)
    assert len(ordered(found)) == 2 and len(met) == 2
    assert pinned(target, PLATFORM, lambda base: THERE, lambda *_: None) is target
    assert isinstance(found.base, Stage) and found.base.base == BaseImage(ref="python:3.12-slim")


def test_a_stage_below_that_changed_is_what_lies_below(index: Index, home: Path) -> None:
    """What was resolved there is there for those above."""
    shared = plan(image().pip_install("x"))
    above = plan(image().pip_install("y")).stage.steps
    resolver(home).resolved(replace(shared, stage=Stage(shared.stage, above)))
    assert index.asked[-1].there == ("pip==24.0", "x==1.0")
