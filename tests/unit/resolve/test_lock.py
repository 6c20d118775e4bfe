"""The lock file: written, read back, and what it answers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebuilder import Image
from imagebuilder.compiler import check_lock, compile
from imagebuilder.diagnostics import CompileError, Span
from imagebuilder.ir.packages import Distribution, DistributionFile, Install
from imagebuilder.resolve.ask import Ask, Left, Locked
from imagebuilder.resolve.lock import LockFile, read, written
from imagebuilder.resolve.pin import pinned
from imagebuilder.resolve.system.apt import DebianPackage, LockedApt

BASE, PLATFORM = "python:3.13-slim-trixie", "linux/amd64"
DIGEST = "sha256:" + "d" * 64


def distribution(name: str, version: str = "1.0", size: int = 10, url: str = "https://files.example/") -> Distribution:
    file = DistributionFile(url=f"{url}{name}-{version}-py3-none-any.whl", sha256=f"{len(name):064x}", size=size)
    return Distribution(name=name, version=version, files=(file,))


def lock_of(image: Image, *answers: tuple[Distribution, ...], path: Path = Path("app.lock")) -> LockFile:
    """A lock with these answers to the requests of an image, in their order."""
    left = list(answers)
    installs: list[Locked] = []

    def answer(step: object, ask: Ask | Left, python: object) -> Install:
        assert isinstance(ask, Ask), ask
        found = left.pop(0)
        installs.append(Locked(ask.base, PLATFORM, ask.request, tuple(ask.words), found))
        return Install(distributions=found)

    pinned(compile(image, platform=PLATFORM).stage, PLATFORM, lambda base: None, answer)
    return LockFile(path, {(BASE, PLATFORM): DIGEST}, tuple(installs))


def answering(image: Image, lock: LockFile) -> LockFile:
    """The lock with what leaves the requests of an image that it does not answer."""
    opens = [each.answer for each in lock.open(compile(image, platform=PLATFORM).stage, PLATFORM)]
    installs = [replace(each, left=each.left or "no answer") for each in opens if isinstance(each, Locked)]
    return replace(lock, installs=(*lock.installs, *installs))


def key(image: Image, lock: LockFile | None) -> str:
    return compile(image, platform=PLATFORM, lock=lock).key


SIX = Image.debian_slim("3.13").pip_install("six")


def test_the_key_covers_what_was_resolved(tmp_path: Path) -> None:
    one = lock_of(SIX, (distribution("six", "1.0"),))
    two = lock_of(SIX, (distribution("six", "1.1"),))
    assert len({key(SIX, None), key(SIX, one), key(SIX, two)}) == 3


def test_nor_where_it_was_found_nor_in_which_layer_it_goes() -> None:
    six, big = distribution("six"), distribution("big", size=5_000_000)
    here = lock_of(SIX, (six, big))
    moved = distribution("six", size=11, url="https://mirror.example/")
    there = lock_of(SIX, (big, moved))
    assert key(SIX, here) == key(SIX, there)


def test_a_base_is_its_digest() -> None:
    plan = compile(SIX, platform=PLATFORM, lock=lock_of(SIX, (distribution("six"),)))
    assert not plan.open and plan.dockerfile().text.startswith(f"FROM {BASE}@{DIGEST}\n")
    text = plan.dockerfile().text
    assert "six==1.0 --hash=sha256:" in text and "--require-hashes" in text


def test_where_a_private_index_is_asked_is_in_no_key_and_in_the_command() -> None:
    image = Image.debian_slim("3.13").pip_install("six", index_url="https://one.example/simple")
    other = Image.debian_slim("3.13").pip_install("six", index_url="https://two.example/simple")
    one, two = lock_of(image, (distribution("six"),)), lock_of(other, (distribution("six"),))
    assert key(image, one) == key(other, two)
    text = compile(image, platform=PLATFORM, lock=one).dockerfile().text
    assert "--index-url=https://one.example/simple" in text


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (Image.debian_slim("3.13").pip_install("six", "rich"), "rich is new"),
        (Image.debian_slim("3.13").pip_install("seven"), "seven is new, six is gone"),
        (Image.debian_slim("3.13").pip_install("six", pre=True), "options of a request"),
        (Image.debian_slim("3.13").pip_install("six").pip_install("rich"), "the spec: rich is new$"),
        (Image.debian_slim("3.13").pip_install("six").pip_install("six"), "what is installed before it, changed"),
        (Image.debian_slim("3.12").pip_install("six"), "nothing for python:3.12-slim-bookworm on linux/amd64"),
    ],
)
def test_what_it_does_not_answer_is_said(image: Image, said: str) -> None:
    lock = lock_of(SIX, (distribution("six"),))
    plan = compile(image, platform=PLATFORM, lock=lock)
    told = check_lock(plan, lock, locked=False)
    assert told is not None and re.search(said, told.message) and told.severity == "warning"
    with pytest.raises(CompileError, match="does not answer the spec"):
        check_lock(plan, lock, locked=True)


@pytest.mark.parametrize("platform", ["linux/arm64", "linux/amd64"])
def test_another_platform_is_another_answer(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """For which a lock has to be told, unless it is this machine's."""
    lock = lock_of(SIX, (distribution("six"),))
    assert not compile(SIX, platform=PLATFORM, lock=lock).open
    other = replace(lock, bases={}, installs=())
    plan = compile(SIX, platform=platform, lock=lock if platform != PLATFORM else other)
    for here in ("x86_64", "aarch64"):
        monkeypatch.setattr("platform.machine", lambda here=here: here)
        told = check_lock(plan, lock, locked=False)
        own = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[here] == platform
        assert told is not None and told.help is not None
        assert (f"`imagebuilder lock --platform {platform}`" in told.help) is not own


def test_what_was_installed_before_is_part_of_a_request() -> None:
    """The answer to the second is without what the first one brought."""
    both = Image.debian_slim("3.13").pip_install("six").pip_install("rich")
    lock = lock_of(both, (distribution("six"),), (distribution("rich"),))
    assert not compile(both, platform=PLATFORM, lock=lock).open
    other = replace(
        lock, installs=(replace(lock.installs[0], distributions=(distribution("six", "2"),)), *lock.installs[1:])
    )
    assert compile(both, platform=PLATFORM, lock=other).open


LEFT = Image.debian_slim("3.13").run_commands("true").pip_install("six")


def test_a_request_that_no_layers_can_answer_is_one_that_the_lock_has_to_leave(tmp_path: Path) -> None:
    """Who builds with ``--locked`` learns that something is not locked, and who leaves it has written that down."""
    lock = LockFile(tmp_path / "app.lock", {(BASE, PLATFORM): DIGEST})
    plan = compile(LEFT, platform=PLATFORM, lock=lock)
    (said,) = plan.open
    assert said == (
        "it does not say that pip_install of six is left to the image's own installer, since commands run before it"
    )
    with pytest.raises(CompileError, match="is left to the image's own installer"):
        check_lock(plan, lock, locked=True)
    knowing = answering(LEFT, lock)
    assert not compile(LEFT, platform=PLATFORM, lock=knowing).open
    knowing.path.write_text(written(knowing))
    assert read(knowing.path) == knowing


@pytest.mark.parametrize(
    "image",
    [
        Image.debian_slim("3.13").run_commands("true").pip_install("six", "rich"),
        Image.debian_slim("3.13").env(PIP_INDEX_URL="https://i.example").pip_install("six"),
        Image.debian_slim("3.13").pip_install("six"),
    ],
)
def test_what_was_left_is_left_for_its_reason_alone(image: Image) -> None:
    lock = answering(LEFT, LockFile(Path("app.lock"), {(BASE, PLATFORM): DIGEST}))
    assert compile(image, platform=PLATFORM, lock=lock).open


def test_an_image_that_files_are_copied_from_is_its_digest() -> None:
    image = Image.debian_slim("3.13").copy_from("busybox:1", "/bin/sh", "/sh")
    lock = LockFile(Path("app.lock"), {(BASE, PLATFORM): DIGEST})
    assert compile(image, platform=PLATFORM, lock=lock).open == ("it does not say which busybox:1 is meant",)
    plan = compile(image, platform=PLATFORM, lock=replace(lock, bases={**lock.bases, ("busybox:1", PLATFORM): DIGEST}))
    assert not plan.open and f"COPY --from=busybox:1@{DIGEST} /bin/sh /sh" in plan.dockerfile().text
    assert plan.key != compile(image, platform=PLATFORM, lock=lock).key


def test_so_is_one_that_a_command_looks_into() -> None:
    image = Image.debian_slim("3.13").dockerfile_commands("RUN --mount=type=bind,from=busybox:1,target=/b true")
    bases = {(BASE, PLATFORM): DIGEST, ("busybox:1", PLATFORM): DIGEST}
    plan = compile(image, platform=PLATFORM, lock=LockFile(Path("app.lock"), bases))
    assert not plan.open and f"from=busybox:1@{DIGEST}" in plan.dockerfile().text


def test_what_a_lock_left_is_left_and_answered(tmp_path: Path) -> None:
    """A request that only the image's own installer can carry out: the lock says so, and is no less a lock."""
    found = lock_of(SIX, (distribution("six"),))
    lock = replace(
        found, path=tmp_path / "a.lock", installs=(replace(found.installs[0], distributions=(), left="x has no wheel"),)
    )
    lock.path.write_text(written(lock))
    assert read(lock.path) == lock
    plan = compile(SIX, platform=PLATFORM, lock=lock)
    assert not plan.open and plan.stage.steps[0].op.verb == "run"


names = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,5})?", fullmatch=True)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    st.lists(names, min_size=1, max_size=5, unique=True),
    st.lists(words, max_size=4),
    st.dictionaries(st.tuples(words, words), st.just(DIGEST), max_size=2),
)
def test_what_is_written_is_read(packages: list[str], asked: list[str], bases: dict[tuple[str, str], str]) -> None:
    import tomllib

    from imagebuilder.resolve.lock.form import _locked

    each = tuple(distribution(name, size=number) for number, name in enumerate(packages))
    lock = LockFile(Path("a.lock"), bases, (Locked(BASE, PLATFORM, DIGEST, tuple(sorted(asked)), each),))
    found = tomllib.loads(written(lock))
    assert [_locked(install) for install in found["install"]] == list(lock.installs)
    assert {(base["ref"], base["platform"]): base["digest"] for base in found.get("base", ())} == bases
    assert written(replace(lock, installs=lock.installs[::-1])) == written(lock)


def test_a_package_moves_its_own_lines_alone() -> None:
    one = lock_of(SIX, (distribution("six"), distribution("rich")))
    two = lock_of(SIX, (distribution("six", "1.1"), distribution("rich")))
    before, now = written(one).splitlines(), written(two).splitlines()
    assert len([n for n, (a, b) in enumerate(zip(before, now, strict=True)) if a != b]) == 2


GOOD = LockFile(
    Path("a.lock"),
    {(BASE, PLATFORM): DIGEST},
    (Locked(BASE, PLATFORM, DIGEST, ("six",), (distribution("six"),)),),
    (
        LockedApt(
            BASE,
            PLATFORM,
            DIGEST,
            ("curl",),
            (DebianPackage("curl", "8.1-2", "amd64"),),
            (DebianPackage("libcurl4", "8.1-2", "amd64"),),
        ),
    ),
    "app.py",
)


def test_read(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    path.write_text(written(GOOD))
    assert read(path) == replace(GOOD, path=path)


@pytest.mark.parametrize(
    "change",
    [
        ("version = 1", "version = 2"),
        ("version = 1", ""),
        ("version = 1", "version = ["),
        (DIGEST, "sha256:x"),
        ('layers = [\n    "six",\n]', "layers = []"),
        ('layers = [\n    "six",\n]', 'layers = "six"'),
        ("https://files", "file:///etc"),
        ('sha256 = "', 'sha256 = "../../'),
        ("size = 10", 'size = "many"'),
        ("size = 10", "size = -1"),
        ("size = 10", f"size = {10**30}"),
        ("six-1.0-py3-none-any.whl", "..%2fsix-1.0-py3-none-any.whl"),
        ('name = "six"', "name = 6"),
        ('version = "1.0"', 'version = "1.1"'),
        ("six-1.0-py3", "rich-1.0-py3"),
        ('platform = "linux/amd64"\nrequest', "request"),
        ("curl=8.1-2 [amd64]", "curl"),
        ("curl=8.1-2 [amd64]", "curl=8.1-2 --purge"),
        ("libcurl4=8.1-2 [amd64]", "; reboot"),
        ('packages = [\n    "curl=8.1-2 [amd64]",\n]\n', ""),
        ('asked = [\n    "curl",\n]', ""),
        ('target = "app.py"', "target = 1"),
        ("[[install.package]]", "[install.package]"),
    ],
)
def test_what_is_no_lock(tmp_path: Path, change: tuple[str, str]) -> None:
    path = tmp_path / "a.lock"
    text = written(GOOD).replace(*change)
    assert text != written(GOOD)
    path.write_text(text)
    with pytest.raises(CompileError) as caught:
        read(path)
    (told,) = caught.value.diagnostics
    assert told.code == "IB675" and told.help and "pydantic" not in told.message
    path.write_bytes(b"\xff")
    with pytest.raises(CompileError):
        read(path)
    path.unlink()
    with pytest.raises(CompileError):
        read(path)


def test_the_marks_of_a_merge_are_told_of_at_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    path.write_text(text := written(GOOD).replace("[[install]]", "<<<<<<< ours\n[[install]]"))
    with pytest.raises(CompileError) as caught:
        read(path)
    assert caught.value.diagnostics[0].place == Span(str(path), text.splitlines().index("<<<<<<< ours") + 1)
