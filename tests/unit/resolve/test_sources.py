"""Source distributions: which releases an answer takes, and nothing of them runs on this machine."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from imagebuilder.ir.ops import AptInstall, Arg, BaseImage, Env, Op, Run
from imagebuilder.ir.packages import Distribution, DistributionFile, Install
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.ir.words import Expansion, Var
from imagebuilder.resolve import sources, uv
from imagebuilder.resolve.ask import Ask, Target
from imagebuilder.resolve.sources import NotHere, Source, Wheels
from tests.unit.resolve.index import Index
from tests.unit.resolve.making import distribution, python

TARGET = Target("3.12.4", "x86_64-manylinux_2_36")
BASE = BaseImage(ref="python:3.12-slim")
IN_TREE = '[build-system]\nrequires = []\nbuild-backend = "{name}"\nbackend-path = ["."]\n'


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "index")


def resolve(index: Index, tmp_path: Path, *packages: str, metadata: tuple[uv.Metadata, ...] = ()) -> list[str]:
    ask = Ask(TARGET, packages, index_url=index.url)
    return names(uv.resolve(ask, tmp_path / "cache", None, metadata=metadata))


def names(answer: uv.Answer) -> list[str]:
    return [each.files[0].name for each in answer.distributions]


# What uv does --------------------------------------------------------------------------------------------


def test_static_metadata_is_read(index: Index, tmp_path: Path) -> None:
    index.sdist("top", "1.0", "below>=1", static=True)
    index.wheel("below", "1.0")
    assert resolve(index, tmp_path, "top") == ["below-1.0-py3-none-any.whl", "top-1.0.tar.gz"]


def test_the_newest_release_is_taken_though_an_older_one_has_a_wheel(index: Index, tmp_path: Path) -> None:
    """As pip and uv take it."""
    index.wheel("top", "1.0")
    index.sdist("top", "2.0", static=True)
    assert resolve(index, tmp_path, "top") == ["top-2.0.tar.gz"]
    assert resolve(index, tmp_path, "top<2") == ["top-1.0-py3-none-any.whl"]


def test_a_wheel_is_taken_before_the_source_of_the_same_release(index: Index, tmp_path: Path) -> None:
    index.sdist("top", "1.0", static=True)
    index.wheel("top", "1.0")
    assert resolve(index, tmp_path, "top") == ["top-1.0-py3-none-any.whl"]


@pytest.mark.parametrize("name", ["backend", "get_interpreter_info"])
def test_no_backend_is_run(index: Index, tmp_path: Path, name: str) -> None:
    """Also not one that is called what uv asks a Python with."""
    ran = tmp_path / "ran"
    hook = f"open({str(ran)!r}, 'w')\ndef prepare_metadata_for_build_wheel(*_): return None\nbuild_wheel = None\n"
    index.sdist("top", "1.0", files={"pyproject.toml": IN_TREE.format(name=name), f"{name}.py": hook, "setup.py": hook})
    with pytest.raises(uv.Unresolved) as caught:
        resolve(index, tmp_path, "top")
    assert (caught.value.kind, caught.value.about, caught.value.version) == (uv.TO_BUILD, "top", "1.0")
    assert not ran.exists()


def test_what_a_release_requires_can_be_said(index: Index, tmp_path: Path) -> None:
    index.sdist("top", "1.0")
    index.wheel("below", "1.0")
    index.wheel("more", "1.0")
    said = uv.Metadata("top", "1.0", ('below; python_version > "3"', 'more; extra == "x"'), ">=3.8", ("x",))
    assert resolve(index, tmp_path, "top", metadata=(said,)) == ["below-1.0-py3-none-any.whl", "top-1.0.tar.gz"]
    assert len(resolve(index, tmp_path, "top[x]", metadata=(said,))) == 3


def test_no_source_where_wheels_alone_are_wanted(index: Index, tmp_path: Path) -> None:
    index.wheel("top", "1.0")
    index.sdist("top", "2.0", static=True)
    files = (("0/r.txt", "--only-binary :all:\ntop\n"),)
    ask = Ask(TARGET, files=files, roots=1, index_url=index.url)
    assert names(uv.resolve(ask, tmp_path / "cache", None)) == ["top-1.0-py3-none-any.whl"]


# What is made of it --------------------------------------------------------------------------------------


def release(name: str, version: str = "1") -> Distribution:
    file = DistributionFile(url=f"https://e.test/{name}-{version}.tar.gz", sha256="a" * 64)
    return Distribution(name=name, version=version, files=(file,))


class Uv:
    """``needs`` is what each source requires, which uv knows once it is told."""

    def __init__(self, needs: dict[str, tuple[str, ...]]) -> None:
        self.needs = needs
        self.asked: list[list[str]] = []
        self.built: list[str] = []

    def resolve(self, known: tuple[uv.Metadata, ...]) -> uv.Answer:
        said = {each.name: each.requires for each in known}
        self.asked.append(sorted(said))
        found, left = {}, ["top"]
        while left:
            name = left.pop()
            if name in self.needs and name not in said:
                raise uv.Unresolved(uv.TO_BUILD, "it is not known", name, "1")
            found[name] = release(name)
            left += said.get(name, ())
        return uv.Answer(tuple(found[name] for name in sorted(found)), {})

    def build(self, each: Distribution) -> uv.Metadata:
        self.built.append(each.name)
        return uv.Metadata(each.name, each.version, self.needs[each.name])


def test_each_release_is_built_once_until_all_is_known() -> None:
    fake = Uv({"top": ("middle", "other"), "middle": ("low",), "other": (), "low": ()})
    answer = sources.answered(fake.resolve, fake.build)
    assert [each.name for each in answer.distributions] == ["low", "middle", "other", "top"]
    assert sorted(fake.built) == ["low", "middle", "other", "top"]


def test_there_is_an_end_to_it() -> None:
    fake = Uv({"top": ("n0",), **{f"n{n}": (f"n{n + 1}",) for n in range(50)}})
    with pytest.raises(NotHere, match="more than 20"):
        sources.answered(fake.resolve, fake.build)
    assert len(fake.built) == 20


def test_a_release_that_goes_on_to_be_unknown_is_no_loop() -> None:
    def resolve(known: tuple[uv.Metadata, ...]) -> uv.Answer:
        raise uv.Unresolved(uv.TO_BUILD, "it is not known", "top", "1")

    with pytest.raises(uv.Unresolved):
        sources.answered(resolve, lambda each: uv.Metadata(each.name, each.version))


def test_the_metadata_of_a_wheel(tmp_path: Path) -> None:
    path = tmp_path / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        text = "Requires-Python: >=3\nRequires-Dist: a>=1\nRequires-Dist: b; extra == 'y'\nProvides-Extra: y\n\nRequires-Dist: no\n"
        archive.writestr("x-1.dist-info/METADATA", text)
    assert sources.metadata(path, "x", "1") == uv.Metadata("x", "1", ("a>=1", "b; extra == 'y'"), ">=3", ("y",))
    path.write_bytes(b"none")
    with pytest.raises(NotHere):
        sources.metadata(path, "x", "1")


class Built(Wheels):
    def __init__(self, why: str = "") -> None:
        self.asked: list[Source] = []
        self.why = why

    def built(self, source: Source) -> DistributionFile:
        self.asked.append(source)
        if self.why:
            raise NotHere(self.why)
        return DistributionFile(url=f"built:///{source.name}-1-py3-none-any.whl", sha256="b" * 64)


def install(**changes: object) -> Stage:
    said = {"distributions": (distribution("six"), release("docopt")), "python": python(), **changes}
    apt = Step(Run(command="apt"), None, "", AptInstall(packages=("zlib1g-dev", "libpq-dev")))
    return Stage(BASE, (apt, Step(Install.model_validate(said), None)))


def put(stage: Stage, wheels: Wheels, left: list[str]) -> Install:
    found = sources.with_wheels(stage, "linux/amd64", lambda base: python(), wheels, lambda _, why: left.append(why))
    op = found.steps[-1].op
    assert isinstance(op, Install)
    return op


def test_wheels_take_the_place_of_sources() -> None:
    wheels, left = Built(), []
    found = put(install(), wheels, left)
    assert [each.files[0].is_source for each in found.distributions] == [False, False] and not left
    assert found.distributions[0] == distribution("six") and found.distributions[1].files[0].sha256 == "b" * 64
    (asked,) = wheels.asked
    assert (asked.title, asked.base, asked.apt) == ("docopt 1", BASE, ("libpq-dev", "zlib1g-dev"))


def test_what_the_image_sets_before_it_is_set_when_it_is_built() -> None:
    wheels, left = Built(), []
    stage = install()
    env = Step(Env(variables=(("CFLAGS", "-O1"), ("A", "it's"))), None)
    put(Stage(BASE, (env, *stage.steps)), wheels, left)
    assert wheels.asked[0].env == (("A", "it's"), ("CFLAGS", "-O1")) and not left


@pytest.mark.parametrize(
    "op", [Arg(name="FLAGS"), Env(variables=(("FLAGS", Expansion(parts=("-O", Var(name="LEVEL")))),))]
)
def test_a_variable_whose_value_the_build_alone_knows(op: Op) -> None:
    wheels, left = Built(), []
    stage = install()
    assert put(Stage(BASE, (Step(op, None), *stage.steps)), wheels, left).python is None
    assert not wheels.asked and "depends on FLAGS" in left[0]


def test_where_none_can_be_built_it_is_a_command_of_just_these() -> None:
    left: list[str] = []
    found = put(install(), Built("there are no compilers"), left)
    assert found.python is None and found.distributions == (distribution("six"), release("docopt"))
    assert left == ["there are no compilers"]


def test_what_is_no_layer_is_built_by_the_image() -> None:
    wheels = Built()
    assert put(install(python=None), wheels, []).python is None and not wheels.asked
