"""Conversion at the compiler's layer: when two files say the same, and what is told where they do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imagebuilder import CompileError, Image
from imagebuilder.convert import _EXACT, FORMS, convert, form_of, resolved
from imagebuilder.frontends import dockerfile
from imagebuilder.ir import ops
from imagebuilder.ir.document import MAX_STAGES
from imagebuilder.ir.stage import Stage, Step

START = Image.base("python:3.13")


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.py", "python"),
        ("a.json", "json"),
        ("Dockerfile", "dockerfile"),
        ("a.Dockerfile", "dockerfile"),
        ("Containerfile", "dockerfile"),
        ("Dockerfile.dev", "dockerfile"),
        ("a", None),
        ("a.yaml", None),
    ],
)
def test_the_form_of_a_name(name: str, form: str | None) -> None:
    assert form_of(Path(name)) == form and (form is None or form in FORMS)


def test_files_in_two_folders_are_equal_where_they_name_the_same_paths() -> None:
    def stage(path: str, root: str) -> Stage:
        return Stage(ops.Scratch(), (Step(ops.AddLocalDir(path=path, dest="/x"), root=root),))

    assert stage("b/c", "/a") != stage("c", "/a/b")
    assert resolved(stage("b/c", "/a")) == resolved(stage("c", "/a/b")) == resolved(stage("/a/b/c", "/"))
    assert resolved(stage("c", "/a")) != resolved(stage("c", "/b"))


@pytest.mark.parametrize("form", ["python", "json", "snap"])
def test_a_link_on_the_way_does_not_lead_astray(form: str, tmp_path: Path) -> None:
    """From a folder that is a link, ``..`` leads out of what the link is to; so does one in the author's path."""
    for name in ("project/src", "else/where/deep", "else/src"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "project/src/x").write_text("ours")
    (tmp_path / "project/src/link").symlink_to("x")
    (tmp_path / "else/src/x").write_text("another")
    (tmp_path / "out").symlink_to("else/where")
    (tmp_path / "project/in").symlink_to("../else/where")
    image = START
    for path in ("src", "in/../src", "in/../src/."):
        image = Image(image.stage.then(Step(ops.AddLocalDir(path=path, dest="/x"), root=str(tmp_path / "project"))))
    image = Image(image.stage.then(Step(ops.AddLocalFile(path="src/link", dest="/y"), root=str(tmp_path / "project"))))
    for folder in ("out", "out/deep", "project/in", "else"):
        text = convert(image, form, tmp_path / folder / "image")
        assert Image(_EXACT[form].read(text, tmp_path / folder)).key() == image.key()


def test_a_step_is_named_with_its_place(tmp_path: Path) -> None:
    """Nobody has seen the text in which the mistake is found."""
    image = START.user("a").add_local_python_source("module").user("b")
    with pytest.raises(CompileError) as error:
        convert(image, "python", tmp_path / "x.py")
    (found,) = error.value.diagnostics
    assert (found.code, found.place) == ("IB410", image.stage.steps[1].place)


def test_what_was_read_otherwise_is_named(tmp_path: Path) -> None:
    """An operation that says other things than its files do."""
    (tmp_path / "r.txt").write_text("six\n")
    op = ops.PipInstallFromRequirements(path="r.txt", includes=("other.txt",))
    image = Image(START.stage.then(Step(op, root=str(tmp_path))))
    for form in ("python", "json", "snap"):
        with pytest.raises(CompileError) as error:
            convert(image, form, tmp_path / "x")
        (found,) = error.value.diagnostics
        assert found.code == "IB410" and "pip_install_from_requirements r.txt" in found.message


def test_an_ignore_file_outside_of_the_context(tmp_path: Path) -> None:
    (tmp_path / "context").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (tmp_path / "Dockerfile.dockerignore").write_text("x\n")
    stage = dockerfile.load(tmp_path / "Dockerfile", context_dir=tmp_path / "context")
    text = convert(Image(stage), "json", tmp_path / "x.json")
    assert '"dockerignore": "../Dockerfile.dockerignore"' in text and str(tmp_path) not in text
    with pytest.raises(CompileError) as error:
        convert(Image(stage), "python", tmp_path / "x.py")
    assert error.value.diagnostics[0].code == "IB410"


def test_images_of_many_steps_and_stages(tmp_path: Path) -> None:
    """Neither Python's parser nor its stack may be the bound."""
    long = copied = based = Image.scratch()
    for number in range(1500):
        long = long.user(f"u{number}")
    for number in range(190):
        copied = Image.scratch().copy_from(copied.user(f"u{number}"), "/a", "/b")
        based = Image.base(based.user(f"u{number}")).user("x")
    for image in (long, copied, based):
        for form in ("json", "python", "dockerfile"):
            convert(image, form, tmp_path / "x")


def test_more_stages_than_a_document_holds(tmp_path: Path) -> None:
    image = Image.scratch()
    for number in range(MAX_STAGES):
        image = Image.base(image.user(f"u{number}"))
    with pytest.raises(CompileError) as error:
        convert(image, "json", tmp_path / "x")
    (found,) = error.value.diagnostics
    assert found.code == "IB410" and "201 stages" in found.message and found.place == image.stage.place


# Dockerfiles as real projects have them.
SAMPLES = sorted((Path(__file__).parent / "frontends/dockerfiles").glob("*.Dockerfile"))


@pytest.mark.parametrize("form", [form for form in FORMS if form != "dockerfile"])
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_project_s_dockerfile_has_an_equal_in_every_form(sample: Path, form: str) -> None:
    text = convert(Image(dockerfile.load(sample)), form, sample.parent / "x")
    assert text.endswith("\n")


# Two phrasings of one thing --------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path, content in {
        "src/a.py": "a",
        "src/deep/b.py": "b",
        "one/a.py": "a",
        "run.sh": "#!",
        "x[1].txt": "x",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "link.sh").symlink_to("run.sh")
    (tmp_path / "linked").symlink_to("src")
    return tmp_path


def rooted(image: Image, files: Path) -> Image:
    """As if a file in that folder had made it."""
    steps = tuple(replace(step, root=str(files) if ops.reads_local(step.op) else "") for step in image.stage.steps)
    return Image(replace(image.stage, steps=steps))


def written(*lines: str) -> Callable[[Path], Image]:
    return lambda files: START.dockerfile_commands(*lines, context_dir=files)


SAME = [
    (START.add_local_dir("src", "/x"), written("COPY src /x")),
    (START.add_local_dir("src", "/x"), written("COPY ./src/ /x")),
    (START.add_local_dir("src/deep", "/x", chown="1"), written("COPY --chown=1 src/deep /x")),
    (START.add_local_dir(".", "/x"), written("COPY . /x")),
    (START.add_local_file("run.sh", "/x"), written("COPY run.sh /x")),
    (START.add_local_file("src/a.py", "/x", chmod="0700"), written("COPY --chmod=0700 src/a.py /x")),
    (START.add_text("a\n", "/x"), written("COPY <<EOF /x\na\nEOF")),
    (START.add_text("EOF\n", "/x"), written("COPY <<EOF_1 /x\nEOF\nEOF_1")),
    (START.add_url("https://h/x", "/x"), written("ADD https://h/x /x")),
]


@pytest.mark.parametrize(("image", "same"), SAME)
def test_one_key(image: Image, same: Callable[[Path], Image], files: Path) -> None:
    assert rooted(image, files).key() == same(files).key()


OTHER = [
    # A folder that holds one file is not that file.
    (written("COPY one /x"), written("COPY one/a.py /x")),
    (written("COPY src /x"), written("COPY src/ /y")),
    (written("COPY src /x"), written("COPY one /x")),
    (written("COPY src /x"), written("COPY src one /x/")),
    (written("COPY src one /x/"), written("COPY one src /x/")),
    (written("COPY run.sh /x/"), written("COPY src/a.py /x/")),
    (written("COPY src /x"), written("ADD src /x")),
    (written("COPY src /x"), written("COPY --exclude=*.py src /x")),
    (written("COPY --parents src /x"), written("COPY --parents src/ one /x")),
    (written("COPY src/*.py /x/"), written("COPY one/*.py /x/")),
    (written("COPY run.sh /x"), written("COPY link.sh /x")),
    (written("COPY <<A /x\na\nA"), written("COPY <<B /x\na\nB")),
    (written("COPY <<EOF /x/\na\nEOF"), written("COPY <<EOF_1 /x/\na\nEOF_1")),
    (written("RUN --mount=target=/x,source=src y"), written("RUN --mount=target=/x,source=one y")),
    (written("RUN --mount=target=/x,source=one y"), written("RUN --mount=target=/x,source=one/a.py y")),
]


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_other_keys(one: Callable[[Path], Image], other: Callable[[Path], Image], files: Path) -> None:
    assert one(files).key() != other(files).key()


TOP, DEEP = "src/a.py", "src/deep/b.py"


@pytest.mark.parametrize(
    ("line", "covered"),
    [
        ("COPY src /x", (TOP, DEEP)),
        ("COPY src/a.py /x/", (TOP,)),
        ("COPY src run.sh /x/", (TOP, DEEP)),
        ("COPY s*c /x/", (TOP, DEEP)),
        ("COPY link.sh /x", ()),
        ("COPY linked /x", (TOP, DEEP)),
        ("COPY --parents src/deep /x", (DEEP,)),
        ("COPY --exclude=*.c src /x", (TOP, DEEP)),
        ("ADD src /x", (TOP, DEEP)),
        ("RUN --mount=target=/x,source=src/deep y", (DEEP,)),
        ("RUN --mount=target=/x,source=src/a.py y", (TOP,)),
        ("RUN --mount=target=/x y", (TOP, DEEP)),
    ],
)
def test_content_is_covered(line: str, covered: tuple[str, ...], files: Path) -> None:
    for change in (TOP, DEEP):
        before = written(line)(files).key()
        (files / change).write_text("changed")
        assert (written(line)(files).key() != before) == (change in covered)


def test_names_and_modes_are_covered(files: Path) -> None:
    found = {written("COPY run.sh /x/")(files).key()}
    (files / "run.sh").rename(files / "go.sh")
    found.add(written("COPY go.sh /x/")(files).key())
    (files / "go.sh").chmod(0o644)
    found.add(written("COPY go.sh /x/")(files).key())
    (files / "src/deep").rename(files / "src/deeper")
    for line in ("COPY src /x", "RUN --mount=target=/x,source=src y"):
        found.add(written(line)(files).key())
        (files / "src/deeper").rename(files / "src/deep")
        found.add(written(line)(files).key())
        (files / "src/deep").rename(files / "src/deeper")
    assert len(found) == 7


@pytest.mark.parametrize(("image", "same"), SAME)
def test_a_dockerfile_of_local_files(image: Image, same: Callable[[Path], Image], files: Path) -> None:
    text = convert(rooted(image, files), "dockerfile", files / "Dockerfile")
    assert dockerfile.read(text, files / "Dockerfile").steps[-1].op.verb == same(files).stage.steps[-1].op.verb
    assert Image(dockerfile.read(text, files / "Dockerfile")).key() == same(files).key()


def test_files_outside_of_the_dockerfile_s_folder(files: Path) -> None:
    with pytest.raises(CompileError) as error:
        convert(written("COPY run.sh /x")(files), "dockerfile", files / "src/Dockerfile")
    assert error.value.diagnostics[0].code == "IB410"


def test_a_file_that_the_context_ignores(files: Path) -> None:
    """A fluent file is taken all the same; COPY would not find it."""
    (files / ".dockerignore").write_text("*.sh\n")
    image = rooted(START.user("a").add_local_file("run.sh", "/x"), files)
    with pytest.raises(CompileError) as error:
        convert(image, "dockerfile", files / "Dockerfile")
    (found,) = error.value.diagnostics
    assert (found.code, found.place) == ("IB410", image.stage.steps[1].place)
    assert "nothing matches 'run.sh'" in found.notes[0].message


def test_files_below_the_dockerfile_s_folder(files: Path) -> None:
    text = convert(written("COPY a.py deep /x/")(files / "src"), "dockerfile", files / "Dockerfile")
    assert "COPY src/a.py src/deep /x/" in text
