"""A TARGET is a Python file with an Image in it, or a Dockerfile; everything else is told what it is not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from imagebuilder import CompileError, Image
from imagebuilder.diagnostics import Diagnostic
from imagebuilder.frontends.target import load_target

IMPORT = "from imagebuilder import Image\n"
ONE = IMPORT + 'image = Image.scratch().label(a="b")\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, file: str = "spec.py") -> Path:
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def refused(target: str, **options: object) -> Diagnostic:
    with pytest.raises(CompileError) as caught:
        load_target(target, **options)  # type: ignore[arg-type]
    (found,) = caught.value.diagnostics
    return found


def place(found: Diagnostic) -> tuple[str, int]:
    assert found.place is not None
    span = found.place.resolve()
    return Path(span.file).name, span.line


# What is found ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "attribute", "verb", "name"),
    [
        ("image = Image.scratch()", "", "scratch", "spec"),
        ("image = Image.scratch()", ":image", "scratch", "spec"),
        ("image = Image.scratch(); other = Image.base('x')", "", "scratch", "spec"),
        ("image = Image.scratch(); other = Image.base('x')", ":other", "base", "other"),
        ("only = Image.base('x')", "", "base", "spec"),
        ("a = b = Image.base('x')", "", "base", "spec"),
        ("_hidden = Image.base('x'); shown = Image.scratch()", "", "scratch", "spec"),
        ("My_Image = Image.scratch()", ":My_Image", "scratch", "my-image"),
    ],
)
def test_the_image_and_a_name_for_it(text: str, attribute: str, verb: str, name: str) -> None:
    write(IMPORT + text + "\n")
    image, found, *_ = load_target(f"spec.py{attribute}")
    assert (image.stage.base.verb, found) == (verb, name)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("file", "name"),
    [("My Spec.py", "my-spec"), ("été.py", "t"), ("漢.py", "image"), ("__init__.py", "init"), ("a.b.py", "a-b")],
)
def test_names_that_files_give(file: str, name: str) -> None:
    write(ONE, file)
    assert load_target(file)[1] == name


@pytest.mark.parametrize(
    "target", ["Dockerfile", ".", "./Dockerfile", "sub/Dockerfile.dev", "sub/dev.dockerfile", "Containerfile"]
)
def test_dockerfiles(target: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = here / "My project"
    project.mkdir()
    monkeypatch.chdir(project)
    for file in ("Dockerfile", "sub/Dockerfile.dev", "sub/dev.dockerfile", "Containerfile"):
        write("FROM scratch\nLABEL a=b\n", file)
    image, name, *_ = load_target(target)
    assert [step.op.verb for step in image.stage.steps] == ["label"]
    assert name == ("sub" if target.startswith("sub") else "my-project")


def test_options_of_a_dockerfile(here: Path) -> None:
    write("ARG BASE=x\nFROM $BASE AS one\nLABEL a=b\nFROM one\nCOPY data /\n", "Dockerfile")
    write("x", "elsewhere/data")
    image, *_ = load_target("Dockerfile", build_args={"BASE": "y"}, stage="one")
    assert image == Image.base("y").label(a="b")
    image, *_ = load_target("Dockerfile", context_dir=here / "elsewhere")
    assert image.stage.steps[0].root == str(here / "elsewhere")


def test_a_colon_in_a_path() -> None:
    write(ONE, "a:b/spec.py")
    write("FROM scratch\n", "c:d/Dockerfile")
    assert load_target("a:b/spec.py")[1] == "spec"
    assert load_target("a:b/spec.py:image")[1] == "spec"
    assert load_target("c:d/Dockerfile")[1] == "c-d"


# How Python is run -----------------------------------------------------------------------------------


def test_it_is_run_as_a_script_is(here: Path) -> None:
    """Its folder comes first on the module path; nothing of that stays."""
    write("VALUE = 'from beside'\n", "sub/beside_the_target.py")
    write(
        IMPORT + "import sys\nfrom beside_the_target import VALUE\n"
        "image = Image.scratch().label(value=VALUE, argv=' '.join(sys.argv), file=__file__)\n",
        "sub/spec.py",
    )
    before = sys.path[:], sys.argv[:]
    try:
        image, *_ = load_target("sub/spec.py")
    finally:
        sys.modules.pop("beside_the_target", None)
    op = image.stage.steps[0].op
    labels = dict(op.labels)  # type: ignore[attr-defined]
    assert labels == {"value": "from beside", "argv": str(here / "sub/spec.py"), "file": str(here / "sub/spec.py")}
    assert (sys.path, sys.argv) == before


def test_main_is_not_run() -> None:
    write(ONE + 'if __name__ == "__main__":\n    raise SystemExit("run")\n')
    assert load_target("spec.py")[1] == "spec"


@pytest.mark.parametrize("file", ["__main__.py", "imagebuilder.py", "json.py", "pydantic.py", "imagebuilder/spec.py"])
def test_files_with_the_names_of_modules(file: str, here: Path) -> None:
    """A target's name is the person's to choose: it neither runs as a program nor hides a module."""
    write(
        ONE.replace("label(a=", "add_local_file('data', '/x').label(a=")
        + 'if __name__ == "__main__":\n    raise SystemExit("run")\n',
        file,
    )
    before = sys.modules.copy()
    image, *_ = load_target(file)
    step = image.stage.steps[0]
    assert step.root == str((here / file).parent)
    assert step.place is not None and step.place.resolve().file == str(here / file)
    assert all(sys.modules.get(name) is module for name, module in before.items())


def test_what_it_prints_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    write("print('hello')\n" + ONE)
    load_target("spec.py")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "hello\n")


def test_an_edit_is_seen(here: Path) -> None:
    """The file is read anew, and so are the lines that a diagnostic shows."""
    for text, line in ((ONE, 2), ("\n\n" + ONE, 4)):
        path = write(text)
        image, *_ = load_target(str(path))
        place = image.stage.steps[0].place
        assert place is not None and place.resolve().line == line
        assert f'{line} | image = Image.scratch().label(a="b")' in Diagnostic("IB100", "x", place).render()


# What is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("spce.py", "did you mean 'spec.py'?"),
        ("Dockerfil", "did you mean 'Dockerfile'?"),
        ("nothing.py", "a target is file.snap, file.snap:name, file.py"),
        ("gone/spec.py", "a target is file.snap"),
        ("gone/spec.py:image", "a target is file.snap"),
        ("empty", "a target is file.snap"),
        ("", "a target is file.snap"),
    ],
)
def test_a_file_that_is_not_there(target: str, hint: str) -> None:
    write(ONE)
    write("FROM scratch\n", "Dockerfile")
    if target == "":
        Path("Dockerfile").unlink()
    Path("empty").mkdir()
    found = refused(target)
    assert found.code == "IB401" and hint in found.help and "there is no file" in found.message


def test_a_folder_names_what_is_in_it() -> None:
    Path("app").mkdir()
    for name in ("b.snap", "a.snap", "dev.Dockerfile", "notes.txt"):
        write("", f"app/{name}")
    found = refused("app")
    assert (found.code, found.message) == ("IB401", "there is no file 'app/Dockerfile'")
    assert found.help == "name a file: app/a.snap, app/b.snap, app/dev.Dockerfile"


@pytest.mark.parametrize("file", ["spec.txt", "Makefile", "spec.pyc", "spec"])
def test_a_file_of_another_kind(file: str) -> None:
    write(ONE, file)
    found = refused(file)
    assert found.code == "IB401" and repr(file) in found.message and "Dockerfile" in found.help


@pytest.mark.parametrize(
    ("text", "attribute", "says", "hint"),
    [
        ("x = 1", "", "has no Image", "image = Image.debian_slim()"),
        ("image = 'python:3.13'", "", "has no Image", "image = Image.debian_slim()"),
        ("image = Image", "", "has no Image", "image = Image.debian_slim()"),
        ("def image(): return Image.scratch()", "", "has no Image", "image = Image.debian_slim()"),
        ("images = [Image.scratch()]", "", "has no Image", "image = Image.debian_slim()"),
        ("_image = Image.scratch()", "", "has no Image", "image = Image.debian_slim()"),
        ("a = Image.scratch(); b = Image.base('x')", "", "has several Images", "it has: a, b; name one: spec.py:a"),
        ("web = Image.scratch()", ":wbe", "no Image called 'wbe'", "did you mean 'web'?"),
        ("web = Image.scratch()", ":zzz", "no Image called 'zzz'", "it has: web"),
        ("x = 1", ":x", "no Image called 'x'", "it has none"),
    ],
)
def test_a_target_without_the_image(text: str, attribute: str, says: str, hint: str) -> None:
    write(IMPORT + text + "\n")
    found = refused(f"spec.py{attribute}")
    assert found.code == "IB403" and says in found.message and hint in found.help
    assert place(found) == ("spec.py", 1)


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("x = 1\nx.y\n", "AttributeError: 'int' object has no attribute 'y'", 2),
        ("def f():\n    return 1 / 0\n\nf()\n", "ZeroDivisionError: division by zero", 2),
        ("import no_such_module_at_all\n", "ModuleNotFoundError: No module named 'no_such_module_at_all'", 1),
        ("from imagebuilder import Imgae\n", "ImportError: cannot import name 'Imgae'", 1),
        ("raise RuntimeError\n", "RuntimeError", 1),
        ("raise SystemExit(3)\n", "exit code 3", 0),
        ("import sys\nsys.exit('bye')\n", "exit code bye", 0),
        ("x = (\n", "not valid Python", 1),
        ("x = 1\n  y = 2\n", "not valid Python", 2),
        ("x = '\\ud800'\nprint(x.encode())\n", "UnicodeEncodeError", 2),
        ("def f(): f()\nf()\n", "RecursionError", 1),
    ],
)
def test_code_that_fails(text: str, says: str, line: int) -> None:
    write(text)
    found = refused("spec.py")
    assert found.code == "IB402" and says in found.message
    if line:
        assert place(found) == ("spec.py", line)
    else:
        assert found.help
    shown = found.render()
    assert "runpy" not in shown and "frontends/target.py" not in shown


def test_code_that_is_no_text(here: Path) -> None:
    (here / "spec.py").write_bytes(b"x = '\xff'\n")
    assert refused("spec.py").code == "IB402"
    (here / "spec.py").write_bytes(b"x = 1\0\n")
    assert refused("spec.py").code == "IB402"


def test_an_error_in_a_module_beside_it_points_there() -> None:
    write("def add(image):\n    return image.nothing()\n", "beside_that_fails.py")
    write(IMPORT + "from beside_that_fails import add\n\nimage = add(Image.scratch())\n")
    try:
        found = refused("spec.py")
    finally:
        sys.modules.pop("beside_that_fails", None)
    assert place(found) == ("beside_that_fails.py", 2)
    assert "spec.py" in found.notes[0].message and "add(Image.scratch())" in found.notes[0].message


def test_a_mistake_in_a_call_is_that_calls_own_diagnostic() -> None:
    write(IMPORT + "\nimage = Image.scratch().workdir('x')\n")
    found = refused("spec.py")
    assert found.code == "IB109" and place(found) == ("spec.py", 3)


def test_an_interrupt_is_not_the_targets_fault() -> None:
    write("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_target("spec.py")


def test_who_takes_the_build_arguments(here: Path) -> None:
    """A Dockerfile does while it is read; an image of Python code when it is compiled."""
    write(IMPORT + "image = Image.scratch()\n")
    write("FROM scratch\nARG A\n", "Dockerfile")
    assert load_target("spec.py", build_args={"A": "1"}).build_args == {"A": "1"}
    assert load_target("Dockerfile", build_args={"A": "1"}).build_args == {}


@pytest.mark.parametrize("options", [{"context_dir": Path()}, {"stage": "x"}, {"context_dir": Path(), "stage": "x"}])
def test_options_of_a_dockerfile_for_python(options: dict[str, object]) -> None:
    write(ONE)
    found = refused("spec.py", **options)
    assert found.code == "IB404" and "spec.py" in found.help


def test_a_target_cannot_break_what_comes_after_it() -> None:
    """It changes what a script may change; the next target finds everything as it was."""
    write("import sys\nsys.path.clear()\nsys.argv = ['x']\nsys.path.append('x')\n" + ONE)
    before = sys.path[:], sys.argv
    load_target("spec.py")
    assert (sys.path, sys.argv) == before


CHOOSES = "FROM a:1 AS base-linux\nFROM base-$TARGETOS\nARG TARGETARCH\nCOPY bin/$TARGETARCH /x\nRUN true\n"


def test_a_dockerfile_that_chooses_by_the_platform(here: Path) -> None:
    """It is read for the platform of the build; what can do without is the same for all of them."""
    Path("Dockerfile").write_text(CHOOSES)
    (bound, same) = (load_target("Dockerfile", platform=each).image for each in ("linux/arm64", "linux/amd64"))
    arguments = {"TARGETPLATFORM": "linux/arm64", "TARGETOS": "linux", "TARGETARCH": "arm64", "TARGETVARIANT": ""}
    assert bound == load_target("Dockerfile", build_args=arguments).image
    assert bound != same
    with pytest.raises(CompileError) as caught:
        load_target("Dockerfile")
    assert {each.code for each in caught.value.diagnostics} == {"IB325"}
    Path("Dockerfile").write_text("FROM a:1\nARG TARGETARCH\nRUN echo $TARGETARCH\n")
    assert load_target("Dockerfile", platform="linux/arm64").image == load_target("Dockerfile").image
