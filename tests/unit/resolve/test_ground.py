"""Before which steps an install may be resolved, and why not behind others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.compiler import compile
from imagebuilder.ir import ops
from imagebuilder.ir.ops import CORE, BaseImage, Scratch, Secret
from imagebuilder.ir.packages import Install, Layer, Python
from imagebuilder.ir.stage import Stage, Step, ordered
from imagebuilder.resolve.ask import Ask, Left
from imagebuilder.resolve.ground import HARMLESS, Ground, is_request
from tests.unit.resolve.making import distribution, python

PLATFORM = "linux/amd64"
BASE = "python:3.12-slim"


def known(base: BaseImage) -> Python | str:
    return python(there=(("pip", "24.0"),)) if base.ref == BASE else "nothing is known of it"


def asks(target: Stage, python_of: object = known) -> list[Ask | Left]:
    """What each request of a graph asks, stage by stage."""
    found = []
    for stage in ordered(target):
        ground = Ground(stage.base, PLATFORM, python_of)  # type: ignore[arg-type]
        for step in stage.steps:
            ask = ground.ask(step)
            assert (ask is not None) == is_request(step)
            found += [] if ask is None else [ask]
            ground.note(step)
    return found


def asked(image: Image) -> Ask | Left:
    """What the last request of an image asks."""
    return asks(compile(image, platform=PLATFORM).stage)[-1]


def why(image: Image) -> str:
    found = asked(image.pip_install("idna"))
    return found.reason if isinstance(found, Left) else ""


def image() -> Image:
    return Image.base(BASE)


# Steps before an install -------------------------------------------------------------------------------

FINE = {
    "nothing": image(),
    "env": image().env({"APP": "1", "LANG": "C.UTF-8"}),
    "label": image().label({"a": "b"}),
    "workdir": image().workdir("/anywhere"),
    "expose": image().expose(80),
    "cmd": image().cmd(["python"]),
    "entrypoint": image().entrypoint(["python"]),
    "stop_signal": image().stop_signal("SIGINT"),
    "healthcheck": image().healthcheck(["true"]),
    "arg": image().arg("VERSION", "1"),
    "shell": image().shell(["/bin/bash", "-c"]),
    "root": image().user("root"),
    "root by number": image().user("0:0"),
    "text in /app": image().add_text("x", "/app/x"),
    "text in /opt": image().add_text("x", "/opt/tool//x"),
    "copy_from": image().copy_from("alpine:3", "/bin/x", "/srv/x"),
    "volume": image().volume("/data"),
    "apt": image().apt_install("git", "libpq-dev"),
    "npm": image().npm_install("left-pad"),
}
LEFT = {
    "commands": (image().run_commands("true"), "commands run"),
    "user": (image().user("app"), "not root"),
    "user 1": (image().user("1"), "not root"),
    "text in the system": (image().add_text("x", "/etc/pip.conf"), "/etc/pip.conf"),
    "text that only begins so": (image().add_text("x", "/application/x"), "/application/x"),
    "copy_from": (image().copy_from("alpine:3", "/x", "/usr/local/lib/"), "files are put"),
    "volume": (image().volume("/usr/local"), "volume"),
    "apt python": (image().apt_install("git", "python3-numpy"), "python3-numpy"),
    "arg": (image().arg("PIP_INDEX_URL", "x"), "PIP_INDEX_URL"),
    "unresolved": (image().pip_install("a", extra_options="--target /x"), "could not be resolved"),
    "dockerfile": (image().dockerfile_commands("RUN true"), "commands run"),
    "git": (image().git_clone("https://example.org/x.git", "/usr/src/x"), "files are put"),
}


@pytest.mark.parametrize("before", FINE.values(), ids=FINE)
def test_what_may_stand_before_an_install(before: Image) -> None:
    assert why(before) == ""


@pytest.mark.parametrize(("before", "reason"), LEFT.values(), ids=LEFT)
def test_what_may_not(before: Image, reason: str) -> None:
    assert reason in why(before)
    assert why(before.env({"A": "b"})) == why(before), "and it stays so"


@pytest.mark.parametrize(
    "name",
    [
        "PIP_INDEX_URL",
        "PIP_TARGET",
        "UV_INDEX",
        "PYTHONHOME",
        "PYTHONUSERBASE",
        "PATH",
        "HOME",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
    ],
)
def test_variables_that_an_installer_reads(name: str) -> None:
    assert why(image().env({name: "x"})) == f"{name} is set before it"


@pytest.mark.parametrize("name", sorted(HARMLESS))
def test_variables_that_it_does_not(name: str) -> None:
    assert why(image().env({name: "x"})) == ""


def test_every_operation_is_judged() -> None:
    """One that is new stands in the table, or among those that only tell what a container does."""
    settings = {"Maintainer", "Onbuild", "Layer"}
    verbs = {type(step.op).__name__ for each in (*FINE.values(), *(i for i, _ in LEFT.values())) for stage in ordered(compile(each, platform=PLATFORM).stage) for step in stage.steps}  # fmt: skip
    assert {each.__name__ for each in CORE} - verbs - settings <= {"Add", "Install"}


# What an install itself may want -----------------------------------------------------------------------


def test_what_is_asked() -> None:
    found = asked(
        image().pip_install("b>=1", "a", index_url="https://i/simple", extra_index_urls=["https://j"], pre=True)
    )
    assert isinstance(found, Ask)
    assert (found.packages, found.index_url, found.extra_index_urls) == (
        ("a", "b>=1"),
        "https://i/simple",
        ("https://j",),
    )
    assert found.pre and found.best and found.there == ("pip==24.0",) and found.target.python == "3.12.4"
    other = asked(image().uv_pip_install("a"))
    assert isinstance(other, Ask) and not other.best


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"secrets": ["PIP_FIND_LINKS"]}, "takes the secret PIP_FIND_LINKS"),
        ({"secrets": [Secret(name="CONF", target="/etc/pip.conf")]}, "CONF is a file"),
        ({"find_links": ["https://x"]}, "find_links"),
        ({"extra_options": "--no-deps"}, "--no-deps"),
        ({"extra_options": "-q --no-binary=:all:"}, "--no-binary=:all:"),
        ({"index_url": "/srv/simple"}, "no web server"),
        ({"index_url": "file:///srv/simple"}, "no web server"),
        ({"extra_index_urls": ["https://a", "/b"]}, "no web server"),
    ],
)
def test_options_that_only_an_installer_knows(options: dict[str, object], reason: str) -> None:
    found = asked(image().pip_install("a", **options))  # type: ignore[arg-type]
    assert isinstance(found, Left) and reason in found.reason


def test_options_that_change_nothing() -> None:
    assert isinstance(asked(image().pip_install("a", extra_options="--no-cache-dir -q")), Ask)


@pytest.mark.parametrize(
    "package",
    [
        "x @ https://h/x.whl",
        "x@https://h/x.whl",
        "git+https://h/x",
        "./x",
        ".",
        "/app/x.whl",
        "../x",
        "https://h/x.whl",
    ],
)
def test_packages_of_no_index(package: str) -> None:
    """A file of the image is none of this machine, and a repository has no release."""
    found = asked(image().pip_install("a", package))
    assert isinstance(found, Left) and found.reason == f"no index has {package}"


@pytest.mark.parametrize(
    "package", ["a[b,c]>=1,<2", "a==1.0+cpu", "a; python_version < '3' and platform_machine == 'x/y@z'", "a.b_c~=1.0"]
)
def test_packages_of_an_index(package: str) -> None:
    assert isinstance(asked(image().pip_install(package)), Ask)


# Requirements files ------------------------------------------------------------------------------------


def requirements(folder: Path, **texts: str) -> Ask | Left:
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return asked(image().pip_install_from_requirements(folder / "r.txt"))


def test_requirements_files_are_asked_with_what_they_name(tmp_path: Path) -> None:
    found = requirements(tmp_path, r="-r s.txt\n-c c.txt\na\n", s="b é\n".replace(" é", ""), c="b<2\n")
    assert isinstance(found, Ask)
    assert found.files == (("0/r.txt", "-r s.txt\n-c c.txt\na\n"), ("0/s.txt", "b\n"), ("0/c.txt", "b<2\n"))
    assert found.roots == 1 and found.packages == ()


def test_two_files_of_one_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "r.txt").write_text(f"{name}\n")
    found = asked(image().uv_pip_install("p", requirements=[tmp_path / "one/r.txt", tmp_path / "two/r.txt"]))
    assert isinstance(found, Ask) and found.packages == ("p",)
    assert found.files == (("0/r.txt", "one\n"), ("1/r.txt", "two\n")) and found.roots == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("-f /wheels", "--find-links"),
        ("--find-links=/wheels", "--find-links"),
        ("--find-links https://h/", "--find-links"),
        ("a @ https://h/a.whl", "no index has a @ https://h/a.whl"),
        ("https://h/a.whl --hash=sha256:00", "no index has https://h/a.whl"),
        ("a==${VERSION}", "${VERSION} is named"),
        ("--extra-index-url https://${TOKEN}/simple", "${TOKEN} is named"),
        ("--index-url /srv/simple", "no web server"),
        ("-i file:///srv", "no web server"),
    ],
)
def test_lines_that_only_the_image_understands(tmp_path: Path, line: str, reason: str) -> None:
    """A variable would else be this machine's, and may be a secret."""
    found = requirements(tmp_path, r=f"a\n  {line}  # why\n")
    assert isinstance(found, Left) and reason in found.reason


def test_lines_that_uv_understands(tmp_path: Path) -> None:
    text = "# see https://h/a@b\na==1  # ${X} /y\n--extra-index-url=https://i\nb[x] ; extra == 'a/b'\n"
    assert isinstance(requirements(tmp_path, r=text, other=""), Ask)


# Bases and chains --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "reason"),
    [(Image.scratch(), "the base has no Python"), (Image.base("debian:13"), "nothing is known of it")],
)
def test_a_base_that_is_not_known(base: Image, reason: str) -> None:
    assert why(base) == reason


@pytest.mark.parametrize("dest", ["/opt/python/lib/x", "/opt/", "/opt/python"])
def test_files_among_the_bases_packages(dest: str) -> None:
    """Where its Python lies in a folder that is else the author's own."""
    stage = compile(image().copy_from("alpine:3", "/x", dest).pip_install("a"), platform=PLATFORM).stage
    found = asks(stage, lambda base: python(data="/opt/python"))[-1]
    assert isinstance(found, Left) and "files are put" in found.reason


def test_a_base_that_uv_has_no_name_for() -> None:
    stage = compile(image().pip_install("a"), platform=PLATFORM).stage
    (found,) = asks(stage, lambda base: python(glibc="2.5"))
    assert found == Left("uv knows no platform for the base")


def test_what_was_resolved_is_there_for_the_next() -> None:
    ground = Ground(BaseImage(ref=BASE), PLATFORM, known)
    ground.note(Step(Install(distributions=(distribution("a", "2"), distribution("pip", "25")), python=python())))
    (step,) = (each for each in compile(image().pip_install("x"), platform=PLATFORM).stage.steps if is_request(each))
    found = ground.ask(step)
    assert isinstance(found, Ask) and found.there == ("a==2", "pip==25")


def chains() -> Iterator[tuple[str, Stage, list[bool]]]:
    def stage(image: Image) -> Stage:
        return compile(image, platform=PLATFORM).stage

    request = next(step for step in stage(image().pip_install("a")).steps if is_request(step))
    runs = next(iter(stage(image().run_commands("true")).steps))
    base = BaseImage(ref=BASE)
    yield "on a base", Stage(base, (request,)), [True]
    yield "on a stage", Stage(Stage(base), (request,)), [True]
    yield "on commands of a stage below", Stage(Stage(Stage(base, (runs,))), (request,)), [False]
    yield "below commands", Stage(Stage(base, (request,)), (runs,)), [True]
    yield "an unresolved one below", Stage(Stage(base, (request,)), (request,)), [True, False]
    yield "on nothing", Stage(Stage(Scratch()), (request,)), [False]


CHAINS = {name: (stage, fine) for name, stage, fine in chains()}


@pytest.mark.parametrize(("stage", "fine"), CHAINS.values(), ids=CHAINS)
def test_all_stages_below_count(stage: Stage, fine: list[bool]) -> None:
    assert [isinstance(each, Ask) for each in asks(stage)] == fine


def test_another_step_is_no_request() -> None:
    request = next(
        step for step in compile(image().pip_install("a"), platform=PLATFORM).stage.steps if is_request(step)
    )
    for op in (ops.User(name="x"), Layer(distributions=(distribution("a"),), python=python())):
        assert not is_request(Step(op, intent=request.intent))
    assert not is_request(Step(request.op))


def test_uv_reads_the_settings_of_its_folder() -> None:
    """Files of the author's may be there; pip looks at none."""
    below = Image.base("python:3.12-slim").workdir("/app")
    assert isinstance(asked(below.uv_pip_install("a")), Left)
    assert isinstance(asked(below.pip_install("a")), Ask)


def test_uv_reads_the_settings_of_the_bases_folder() -> None:
    has = python(uv_settings="/app/uv.toml")
    (left,) = asks(compile(image().uv_pip_install("a"), platform=PLATFORM).stage, lambda base: has)
    assert left == Left("uv reads /app/uv.toml of the base")
    (ask,) = asks(compile(image().pip_install("a"), platform=PLATFORM).stage, lambda base: has)
    assert isinstance(ask, Ask)
