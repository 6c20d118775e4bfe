"""A lock that lacks what is asked for, or has it for another Python, ends the build; a sound one never does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.compiler import Plan, compile
from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.ir.packages import Distribution, DistributionFile, Install, Python
from imagebuilder.ir.stage import ordered
from imagebuilder.resolve import uv
from imagebuilder.resolve.ask import Ask, Target, statements
from imagebuilder.resolve.lock import LockFile, fit
from imagebuilder.resolve.resolver import Resolver
from tests.unit.resolve.index import Index
from tests.unit.resolve.making import distribution, python

PLATFORM = "linux/amd64"
THERE = python(there=(("pip", "24.0"), ("zope-interface", "7.0")))
Asked = Callable[[Image], Image]


def base() -> Image:
    return Image.base("python:3.12-slim")


def locked(image: Image, home: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> Plan:
    """The plan with a lock that has just these for each of its requests."""
    answer = uv.Answer(tuple(map(distribution, names)), {})
    monkeypatch.setattr(uv, "resolve", lambda *_, **__: answer)
    made = Resolver(home, lambda base: THERE, lock=LockFile(home / "app.lock"))
    made.resolved(compile(image, platform=PLATFORM))
    lock = LockFile(home / "app.lock", {("python:3.12-slim", PLATFORM): f"sha256:{'0' * 64}"}, tuple(made.locked))
    plan = compile(image, platform=PLATFORM, lock=lock)
    assert plan.open == () and made.left == []
    return plan


def told(plan: Plan, home: Path, by: Python | str = THERE) -> list[Diagnostic]:
    try:
        Resolver(home, lambda base: by).resolved(plan)
    except CompileError as error:
        return list(error.diagnostics)
    return []


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "more").mkdir(parents=True)
    (folder / "r.txt").write_text(
        "# Of the web\n-r more/s.txt\n-c c.txt\n--extra-index-url https://packages.example/simple\n"
        f"Six==1.0 \\\n    --hash=sha256:{distribution('six').files[0].sha256}  # with its hash\n"
        "old; python_version < '3'\n"
    )
    (folder / "more/s.txt").write_text("--requirement=../t.txt\nidna[all]>=1 ; python_version >= '3'\n")
    (folder / "t.txt").write_text("-r r.txt\nattrs\n")
    (folder / "c.txt").write_text("-r only.txt\nnumpy<2\n")
    (folder / "only.txt").write_text("scipy\n")
    return folder


def test_what_is_asked_for_and_not_there_is_told_at_its_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = base().pip_install("six", "Idna>=3").pip_install("attrs")
    plan = locked(image, home, monkeypatch, "six")
    one, two = told(plan, home)
    assert (one.code, one.message) == ("IB674", "pip_install: the lock has no idna")
    assert two.message == "pip_install: the lock has no attrs" and "imagebuilder lock" in (one.help or "")
    assert [one.place, two.place] == [step.place for step in plan.stage.steps]
    assert one.place is not None


def test_a_line_of_a_file_is_named(home: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = locked(base().pip_install_from_requirements(files / "r.txt"), home, monkeypatch, "idna")
    (found,) = told(plan, home)
    assert found.message == "pip_install_from_requirements: the lock has no six, attrs"
    assert [note.message for note in found.notes] == ["r.txt:5: Six==1.0", "t.txt:2: attrs"]


def test_files_of_uv_count_as_well(home: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = base().uv_pip_install("yarl", requirements=[files / "t.txt", files / "only.txt"])
    (found,) = told(locked(image, home, monkeypatch, "six", "attrs"), home)
    assert found.message == "uv_pip_install: the lock has no yarl, scipy, idna"


def test_a_version_that_is_not_what_is_asked_for_is_told(
    home: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where two locks were merged, one with the request and one with the package."""
    (found,) = told(locked(base().pip_install("Six[x]>=2", "six"), home, monkeypatch, "six"), home)
    assert (found.code, found.message) == ("IB674", "pip_install: the lock has six 1.0, and asked for is six>=2")
    assert found.place is not None and "imagebuilder lock" in (found.help or "")
    (files / "t.txt").write_text("attrs != 1.*  # not these\n")
    image = base().pip_install_from_requirements(files / "r.txt")
    (found,) = told(locked(image, home, monkeypatch, "six", "idna", "attrs"), home)
    assert found.message.endswith("the lock has attrs 1.0, and asked for is attrs!=1.*")
    assert [note.message for note in found.notes] == ["t.txt:1: attrs != 1.*"]
    there = python(there=(("six", "1.0"), ("odd", "1.0really0.9")))
    plan = locked(base().pip_install("six>=2", "odd>=2"), home, monkeypatch)
    assert [each.message for each in told(plan, home, there)] == [
        "pip_install: the lock has six 1.0, and asked for is six>=2"
    ]


def test_a_whole_lock_of_files_passes(home: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Constraints, and what is not for this Python, ask for nothing."""
    image = base().pip_install_from_requirements(files / "r.txt")
    assert told(locked(image, home, monkeypatch, "six", "idna", "attrs"), home) == []


@pytest.mark.parametrize(
    "package",
    [
        "SIX",
        "six[x,y]>=1 ; python_version > '3'",
        "pip",
        "Zope.Interface>=6",
        "old; python_version < '3'",
        "old; sys_platform == 'win32' or platform_machine == 'aarch64'",
        "old; extra == 'x'",
        "old; platform_release != ''",
        "old; platform.version != ''",
        "old; os_name ~= 'posix'",
        "not a requirement",
    ],
)
def test_a_sound_lock_passes(home: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    assert told(locked(base().pip_install("six", package), home, monkeypatch, "six"), home) == []


def test_a_lock_that_has_to_install_nothing_passes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(locked(base().pip_install("pip"), home, monkeypatch), home) == []


@pytest.mark.parametrize("package", ["six @ https://files.example.org/six.whl", "./folder"])
def test_what_no_index_has_is_not_asked_of_a_lock(home: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    plan = compile(base().pip_install(package), platform=PLATFORM)
    left = replace(plan, stage=LockFile(home / "app.lock").pinned(plan.stage, PLATFORM)[0])
    assert told(left, home) == []


def test_what_came_before_is_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a stage below it has brought it."""
    image = base().pip_install("six").pip_install("six", "pip")
    assert told(locked(image, home, monkeypatch, "six"), home) == []
    above = Image.base(base().pip_install("six")).pip_install("SIX")
    assert told(locked(above, home, monkeypatch, "six"), home) == []


def test_a_pyproject_is_asked_for_too(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "app"\ndependencies = ["six", "idna; python_version > \'3\'"]\n')
    (found,) = told(locked(base().pip_install_from_pyproject(path), home, monkeypatch, "six"), home)
    assert found.message.endswith("the lock has no idna")


def test_where_nobody_knows_what_is_there_nothing_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = locked(base().pip_install("six", "idna"), home, monkeypatch, "six")
    assert told(plan, home) and not told(plan, home, "the base cannot be asked")


def test_wheels_that_are_not_for_the_bases_python_are_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where two locks were merged, one with the base of before."""
    before = locked(base().pip_install("x"), home, monkeypatch, "x")
    file = DistributionFile(url="https://files.example/x-1.0-cp313-cp313-manylinux_2_28_x86_64.whl", sha256="0" * 64)
    install = Install(distributions=(Distribution(name="x", version="1.0", files=(file,)),))
    steps = tuple(replace(step, op=install) for step in before.stage.steps)
    plan = replace(before, stage=replace(before.stage, steps=steps))
    (found,) = told(plan, home)
    assert (found.code, found.place) == ("IB674", before.stage.steps[0].place)
    assert "x-1.0-cp313" in found.message and "Python 3.12.4" in found.message
    assert "imagebuilder lock" in (found.help or "")
    assert told(plan, home, python(version="3.13.1")) == []


def test_requests_without_a_lock_are_uvs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uv, "resolve", lambda *_, **__: uv.Answer((distribution("six"),), {}))
    plan = compile(base().pip_install("six", "idna"), platform=PLATFORM)
    assert told(plan, home) == [] and len(ordered(plan.stage)) == 1


MARKERS = [
    "python_version < '3'",
    "python_version > '3.11.9' and python_full_version > '3.12.3'",
    "python_version == '3.12.*' or os_name == 'nt'",
    "python_version ~= '3.8'",
    "python_version not in '2.7, 3.12'",
    "'3.1' in python_version",
    "'win' in sys_platform",
    "sys_platform != 'win32' and implementation_name == 'cpython'",
    "sys_platform > 'a'",
    "platform_machine in 'x86_64 AMD64'",
    "platform_machine == 'aarch64'",
    "platform_python_implementation == 'PyPy'",
    "platform_system == 'linux'",
    "implementation_version >= '3.12'",
    "platform_release >= '5'",
    "platform_version != ''",
    "python_full_version < '3.12.4rc1'",
    "extra == 'x'",
    "os.name == 'posix'",
    "os_name ~= 'nt'",
    "python_version > 'x'",
]


def test_nothing_is_missed_that_uv_itself_leaves_out(tmp_path: Path) -> None:
    """Whatever a condition says, a lock lacks no package that uv did not put there."""
    index = Index(tmp_path / "index")
    asked = {f"p{number}": marker for number, marker in enumerate(MARKERS)}
    for name in asked:
        index.wheel(name, "1.0")
    packages = tuple(f"{name} ; {marker}" for name, marker in asked.items())
    ask = Ask(Target("3.12.4", "x86_64-manylinux_2_36"), packages, index_url=index.url)
    has = {each.name for each in uv.resolve(ask, tmp_path / "cache", None).distributions}
    wanted = {each.name for each, _ in fit._wanted(ask)}
    assert [asked[name] for name in wanted - has] == [] and wanted and has != set(asked)


VERSIONS = ["1.0.0", "1.0.post1", "1.5", "2.0rc1", "2.0", "2.0.1+local.7", "2.1.dev3", "3!0.1"]
SPECIFIERS = [
    "==1.0",
    "===1.0",
    "~=1.0",
    "!=3!0.1",
    "<2.0",
    "<=2",
    ">1.0,<2",
    ">=1.0,!=1.5.*,<2",
    "==2.*",
    "==2.0.1",
    "==2.0.1+local.7",
    ">2.0,<3",
    "==2.0rc1",
    ">=2.1.dev1,<3",
    ">=3!0",
]


def test_no_version_is_wrong_that_uv_itself_takes(tmp_path: Path) -> None:
    index = Index(tmp_path / "index")
    asked = {f"p{number}": specifier for number, specifier in enumerate(SPECIFIERS)}
    for name in asked:
        for version in VERSIONS:
            index.wheel(name, version)
    packages = tuple(f"{name}{specifier}" for name, specifier in asked.items())
    for pre in (False, True):
        ask = Ask(Target("3.12.4", "x86_64-manylinux_2_36"), packages, index_url=index.url, pre=pre)
        has = {each.name: each.version for each in uv.resolve(ask, tmp_path / "cache", None).distributions}
        wanted = {each.name: each.specifier for each, _ in fit._wanted(ask)}
        assert set(has) == set(wanted) == set(asked)
        assert [(asked[name], has[name]) for name in asked if not fit._contains(wanted[name], has[name])] == []


REQUIRES = {
    "app": ("web[Fast_Er]>=1", "old ; python_version < '3'", "tests ; extra == 'dev'"),
    "web": ("core~=1.0", "quick ; extra == 'fast-er'", "other ; extra == 'more'", "far @ https://h.example/far.whl"),
    "core": ("pip>=20", "kernel ; platform_release < '1'", "not a requirement"),
    "quick": ("web[more] ; sys_platform == 'win32'", "app"),
}
WHOLE = ("app", "web", "core", "quick", "far")


def unmet(plan: Plan, requires: dict[str, tuple[str, ...]], home: Path) -> list[Diagnostic]:
    def said(each: Distribution) -> uv.Metadata | None:
        return uv.Metadata(each.name, each.version, requires[each.name]) if each.name in requires else None

    resolved = Resolver(home, lambda base: THERE).resolved(plan)
    try:
        fit.check_requirements(plan.stage, resolved.stage, PLATFORM, lambda base: THERE, said)
    except CompileError as error:
        return list(error.diagnostics)
    return []


@pytest.mark.parametrize("gone", [None, *WHOLE[1:]])
def test_what_packages_require_in_their_turn_is_there(
    home: Path, monkeypatch: pytest.MonkeyPatch, gone: str | None
) -> None:
    """Extras, conditions and what the base has are seen; what cannot be told, as of the kernel, is passed over."""
    names = [name for name in WHOLE if name != gone]
    plan = locked(base().pip_install("app"), home, monkeypatch, *names)
    found = unmet(plan, REQUIRES, home)
    assert [each.code for each in found] == (["IB674"] if gone else [])
    if gone is not None:
        assert f" requires: {gone}" in found[0].message and found[0].place == plan.stage.steps[0].place


def test_another_version_than_a_package_requires_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = locked(base().pip_install("one"), home, monkeypatch, "one", "two")
    (found,) = unmet(plan, {"one": ("two>=3", "three")}, home)
    assert found.message == "pip_install: the lock does not have what one 1.0 requires: two>=3"
    assert [note.message for note in found.notes] == ["one 1.0 requires: three"]


def test_of_wheels_that_are_not_here_nothing_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unmet(locked(base().pip_install("app"), home, monkeypatch, "app"), {}, home) == []


def test_statements_of_a_file() -> None:
    text = "\n# a\na \\\n  # b\nb\\\r\n c # d\n--x=#1\ne\\"
    assert list(statements(text)) == [(3, "a"), (5, "b  c"), (7, "--x=#1"), (8, "e")]
    assert list(statements("# C:\\\na \\\n # b \\\nc # d \\\ne\n")) == [(2, "a"), (4, "c")]
