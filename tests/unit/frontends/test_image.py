"""The fluent Image: the documented vocabulary, as values, with the place of every call."""

from __future__ import annotations

import copy
import inspect
import linecache
import os
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagebuilder import CompileError, Image, Secret, expand
from imagebuilder.diagnostics import CallSite, Diagnostic, Span
from imagebuilder.ir import ops
from imagebuilder.ir.ops import BASES, CORE, INTENTS
from imagebuilder.passes.lower import LOWERING

PIP = "find_links=None, index_url=None, extra_index_urls=None, pre=False, extra_options='', secrets=()"

# What the documentation promises: names, order, kinds and defaults.
VOCABULARY = {
    "debian_slim": "(python_version=None, *, debian=None)",
    "base": "(ref, *, platform=None)",
    "scratch": "()",
    "from_dockerfile": "(path, context_dir=None, build_args=None, target=None)",
    "apt_install": "(*packages, recommends=False)",
    "pip_install": f"(*packages, {PIP})",
    "pip_install_from_requirements": f"(path, *, {PIP})",
    "pip_install_from_pyproject": f"(path, optional_dependencies=(), *, {PIP})",
    "uv_pip_install": f"(*packages, requirements=(), {PIP})",
    "uv_sync": "(path='.', *, groups=(), extras=(), frozen=True, extra_options='', secrets=())",
    "npm_install": "(*packages, path=None, dest=None, g=False, dev=False, secrets=())",
    "add_local_file": "(local_path, remote_path, *, chmod=None, chown=None)",
    "add_local_dir": "(local_path, remote_path, *, ignore=(), chown=None)",
    "add_local_python_source": "(*modules, ignore=())",
    "add_text": "(content, remote_path, *, chmod=None, chown=None)",
    "add_url": "(url, remote_path, *, checksum=None, chmod=None, chown=None, unpack=False)",
    "git_clone": "(url, remote_path, *, ref=None, keep_git_dir=False, chown=None)",
    "copy_from": "(image, src, dst, *, chown=None, chmod=None)",
    "run_commands": "(*commands, secrets=(), cache=(), network='default')",
    "dockerfile_commands": "(*lines, context_dir=None, stages=None)",
    "env": "(variables=None, /, **more)",
    "workdir": "(path)",
    "user": "(name)",
    "shell": "(words)",
    "entrypoint": "(command)",
    "cmd": "(command)",
    "label": "(labels=None, /, **more)",
    "expose": "(*ports)",
    "volume": "(*paths)",
    "healthcheck": ("(command, *, interval=None, timeout=None, start_period=None, start_interval=None, retries=None)"),
    "stop_signal": "(signal)",
    "arg": "(name, default=None)",
    "key": "(platform=None)",
    "dockerfile": "(platform=None)",
}
BASE_METHODS = ("debian_slim", "base", "scratch", "from_dockerfile")
RESULTS = ("key", "dockerfile")
CORE_ONLY = {"run", "copy", "add", "write_files", "onbuild", "maintainer"}

START = Image.base("python:3.13")

# One call of each method.
CALLS: dict[str, Callable[[Image], Image]] = {
    "apt_install": lambda image: image.apt_install("git", ["curl=7.88"]),
    "pip_install": lambda image: image.pip_install("six", ["numpy>=2"], index_url="https://host/simple"),
    "pip_install_from_requirements": lambda image: image.pip_install_from_requirements("files/requirements.txt"),
    "pip_install_from_pyproject": lambda image: image.pip_install_from_pyproject("files", "dev"),
    "uv_pip_install": lambda image: image.uv_pip_install("six", requirements="files/requirements.txt"),
    "uv_sync": lambda image: image.uv_sync("files", groups="dev", extras=["web"]),
    "npm_install": lambda image: image.npm_install("left-pad", g=True),
    "add_local_file": lambda image: image.add_local_file("files/requirements.txt", "/x/"),
    "add_local_dir": lambda image: image.add_local_dir("files", "/x", ignore="*.pyc"),
    "add_local_python_source": lambda image: image.add_local_python_source("package"),
    "add_text": lambda image: image.add_text("text", "/x", chmod="0755"),
    "add_url": lambda image: image.add_url("https://host/x", "/x", checksum="sha256:" + "0" * 64),
    "git_clone": lambda image: image.git_clone("https://host/x.git", "/x", ref="v1"),
    "copy_from": lambda image: image.copy_from(Image.base("other"), "/a", "/b"),
    "run_commands": lambda image: image.run_commands("true", ["echo", "a b"], secrets="T", cache="/c", network="none"),
    "dockerfile_commands": lambda image: image.dockerfile_commands("RUN true", ["ENV A=b"]),
    "env": lambda image: image.env({"A": "b"}, C=expand("$A")),
    "workdir": lambda image: image.workdir("/srv"),
    "user": lambda image: image.user("app:app"),
    "shell": lambda image: image.shell(["/bin/bash", "-c"]),
    "entrypoint": lambda image: image.entrypoint(["python"]),
    "cmd": lambda image: image.cmd("text for the shell"),
    "label": lambda image: image.label({"a.b/c": "d"}, e="f"),
    "expose": lambda image: image.expose(80, "53/udp"),
    "volume": lambda image: image.volume("/data"),
    "healthcheck": lambda image: image.healthcheck(["true"], interval="30s", retries=3),
    "stop_signal": lambda image: image.stop_signal("TERM"),
    "arg": lambda image: image.arg("VERSION", "1"),
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the calls above read: this file's own folder stands in for a project's."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "requirements.txt").write_text("six\n")
    (folder / "pyproject.toml").write_text(
        '[project]\nname="x"\ndependencies=["six"]\n[project.optional-dependencies]\ndev=["pytest"]\n'
    )
    monkeypatch.setattr("imagebuilder.frontends.image.caller", _caller_in(tmp_path))
    return folder


def _caller_in(root: Path) -> Callable[[], tuple[Any, Path]]:
    from imagebuilder.frontends import image

    real = image.caller

    def caller() -> tuple[Any, Path]:
        place, found = real()
        return place, root if found == Path(__file__).parent else found

    return caller


# The vocabulary -------------------------------------------------------------------------------------


def shown(signature: inspect.Signature) -> str:
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in signature.parameters.items()
        if name != "self"
    ]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def test_the_vocabulary_is_what_is_documented() -> None:
    public = [name for name in vars(Image) if not name.startswith("_") and name != "stage"]
    assert public == list(VOCABULARY)


@pytest.mark.parametrize(("name", "signature"), VOCABULARY.items(), ids=VOCABULARY)
def test_signature(name: str, signature: str) -> None:
    assert shown(inspect.signature(getattr(Image, name))) == signature


@pytest.mark.parametrize("name", VOCABULARY)
def test_types_are_given(name: str) -> None:
    signature = inspect.signature(getattr(Image, name))
    missing = [n for n, p in signature.parameters.items() if n != "self" and p.annotation is p.empty]
    assert missing == [] and signature.return_annotation in ("Image", "str")


@pytest.mark.parametrize("name", VOCABULARY)
def test_docstring(name: str) -> None:
    """What it is, what comes of it in the Dockerfile, and every argument that is not plain from its name."""
    text = inspect.getdoc(getattr(Image, name)) or ""
    first = text.splitlines()[0] if text else ""
    assert first.rstrip().endswith((".", ".*", ":", "``"))
    emits_what_it_is_given = name in ("from_dockerfile", "dockerfile_commands", *RESULTS)
    assert "Emits" in text or emits_what_it_is_given or "``python:<version>-slim-<debian>``" in text


def test_every_method_is_called_below() -> None:
    assert set(CALLS) == set(VOCABULARY) - set(BASE_METHODS) - set(RESULTS)


def test_every_operation_has_a_method_and_a_lowering_of_its_name() -> None:
    assert [op.verb for op in INTENTS] == list(LOWERING), "an intent is not lowered, or out of order"
    for op in INTENTS:
        assert op.verb in CALLS, f"no fluent method is called {op.verb}"
        assert not op.core
    assert {op.verb for op in CORE} - set(CALLS) == CORE_ONLY
    assert {op.verb for op in BASES} == set(BASE_METHODS) - {"from_dockerfile"}


def test_every_model_of_an_operation_is_listed() -> None:
    """One that is defined but in neither list would be in no front end, and nobody would notice."""
    models = {value for value in vars(ops).values() if isinstance(value, type) and issubclass(value, ops.Op)}
    listed = {*INTENTS, *CORE}
    assert {model.__name__ for model in models - listed} == {"Op", "_PipOptions"}
    for model in listed:
        assert model.verb == "".join(f"_{c.lower()}" if c.isupper() else c for c in model.__name__).lstrip("_")


@pytest.mark.parametrize(("name", "call"), CALLS.items(), ids=CALLS)
def test_a_method_appends_the_operation_of_its_name(name: str, call: Callable[[Image], Image]) -> None:
    steps = call(START).stage.steps
    expected = ["run", "env"] if name == "dockerfile_commands" else [name]
    assert [step.op.verb for step in steps] == expected


@pytest.mark.parametrize("name", BASE_METHODS[:3])
def test_a_base_is_the_operation_of_its_name(name: str) -> None:
    image = {"debian_slim": Image.debian_slim, "base": lambda: Image.base("x"), "scratch": Image.scratch}[name]()
    assert not isinstance(image.stage.base, type(image.stage))
    assert image.stage.base.verb == name


def test_debian_slim_does_not_depend_on_who_runs_it() -> None:
    assert Image.debian_slim() == Image.debian_slim("3.13")


@pytest.mark.parametrize(
    ("version", "debian", "ref"),
    [
        ("3.11", None, "python:3.11-slim-bookworm"),
        ("3.12", None, "python:3.12-slim-bookworm"),
        ("3.12.4", None, "python:3.12.4-slim-bookworm"),
        ("3.13", None, "python:3.13-slim-trixie"),
        ("3.14", None, "python:3.14-slim-trixie"),
        ("3.13", "bookworm", "python:3.13-slim-bookworm"),
        (None, None, "python:3.13-slim-trixie"),
    ],
)
def test_the_image_of_each_python(version: str | None, debian: str | None, ref: str) -> None:
    assert Image.debian_slim(version, debian=debian).dockerfile() == f"FROM {ref}\n"


@pytest.mark.parametrize(
    "call",
    [
        lambda image: image.apt_install(),
        lambda image: image.apt_install([]),
        lambda image: image.pip_install(),
        lambda image: image.uv_pip_install(),
        lambda image: image.npm_install(),
        lambda image: image.run_commands(),
        lambda image: image.env(),
        lambda image: image.env({}),
        lambda image: image.label({}),
        lambda image: image.expose(),
        lambda image: image.volume(),
        lambda image: image.add_local_python_source(),
    ],
)
def test_nothing_asked_for_is_nothing_done(call: Callable[[Image], Image]) -> None:
    assert call(START) is START or call(START) == START


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda i: i.pip_install("a", "b"), lambda i: i.pip_install(["b", "a"])),
        (lambda i: i.pip_install("a", "a"), lambda i: i.pip_install("a")),
        (lambda i: i.apt_install("git", ["curl"]), lambda i: i.apt_install("curl", "git")),
        (lambda i: i.env({"A": "b"}), lambda i: i.env(A="b")),
        (lambda i: i.env(A="1", B="2"), lambda i: i.env(B="2", A="1")),
        (lambda i: i.label({"a": "b"}), lambda i: i.label(a="b")),
        (lambda i: i.run_commands("a", secrets="T"), lambda i: i.run_commands("a", secrets=[Secret(name="T")])),
        (lambda i: i.expose(80), lambda i: i.expose("80")),
        (lambda i: i.stop_signal("TERM"), lambda i: i.stop_signal("SIGTERM")),
        (lambda i: i.cmd(["a", "b"]), lambda i: i.cmd(("a", "b"))),
        (lambda i: i.add_local_dir("files", "/x/"), lambda i: i.add_local_dir("files", "/x/files")),
        (lambda i: i.add_local_file(Path("files/requirements.txt"), "/x/"),
         lambda i: i.add_local_file("files/requirements.txt", "/x/requirements.txt")),
    ],
)  # fmt: skip
def test_what_says_the_same_is_the_same(one: Callable[[Image], Image], other: Callable[[Image], Image]) -> None:
    assert one(START) == other(START) and hash(one(START)) == hash(other(START))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda i: i.run_commands("a", "b"), lambda i: i.run_commands("b", "a")),
        (lambda i: i.run_commands("a", "b"), lambda i: i.run_commands("a").run_commands("b")),
        (lambda i: i.run_commands("a b"), lambda i: i.run_commands(["a", "b"])),
        (lambda i: i.cmd("a"), lambda i: i.cmd(["a"])),
        (lambda i: i.env(A="$B"), lambda i: i.env(A=expand("$B"))),
        (lambda i: i.env(A="1"), lambda i: i.arg("A", "1")),
        (lambda i: i.arg("A"), lambda i: i.arg("A", "")),
        (lambda i: i.healthcheck(None), lambda i: i),
        (lambda i: i.env(A="b").workdir("/x"), lambda i: i.workdir("/x").env(A="b")),
        (lambda i: i.copy_from("a", "/x", "/x"), lambda i: i.copy_from("b", "/x", "/x")),
    ],
)
def test_what_says_something_else_is_another(one: Callable[[Image], Image], other: Callable[[Image], Image]) -> None:
    assert one(START) != other(START)


# Values ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_methods_leave_the_image_alone(call: Callable[[Image], Image]) -> None:
    before = Image(START.stage)
    made = call(START)
    assert made != START and made is not START
    assert before == START and START.stage.steps == ()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_equal_calls_make_equal_images(call: Callable[[Image], Image]) -> None:
    assert call(START) == call(START) and hash(call(START)) == hash(call(START))
    assert len({call(START), call(START), START}) == 2


def test_branching_from_a_shared_base() -> None:
    shared = START.run_commands("shared")
    left, right = shared.env(A="left"), shared.env(A="right")
    assert left != right
    assert [image.stage.steps[0] for image in (left, right)] == [shared.stage.steps[0]] * 2
    assert len(shared.stage.steps) == 1
    assert left.env(B="1") == START.run_commands("shared").env(A="left").env(B="1")


def test_what_was_passed_in_may_change_later() -> None:
    variables, words, packages = {"A": "b"}, ["echo", "a"], ["six"]
    image = START.env(variables).cmd(words).pip_install(packages).run_commands(words)
    variables["A"], words[0] = "changed", "changed"
    packages.append("changed")
    assert image == START.env(A="b").cmd(["echo", "a"]).pip_install("six").run_commands(["echo", "a"])


@pytest.mark.parametrize("name", ["stage", "other"])
def test_attributes_cannot_be_set(name: str) -> None:
    with pytest.raises(AttributeError, match="never changes"):
        setattr(START, name, START.stage)
    with pytest.raises((AttributeError, TypeError)):
        setattr(START.stage, name, ())


def test_operations_cannot_be_changed() -> None:
    step = START.env(A="b").stage.steps[0]
    with pytest.raises((AttributeError, TypeError, ValueError)):
        step.op.variables = ()  # type: ignore[attr-defined]
    with pytest.raises((AttributeError, TypeError)):
        step.root = "/"  # type: ignore[misc]


def test_an_image_is_not_its_stage() -> None:
    assert START.stage != START and START != "python:3.13"
    assert (object() == START) is False


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_pickling_and_copying(call: Callable[[Image], Image]) -> None:
    image = call(START)
    for same in (pickle.loads(pickle.dumps(image)), copy.copy(image), copy.deepcopy(image)):
        assert same == image and hash(same) == hash(image)
        place, before = same.stage.steps[0].place, image.stage.steps[0].place
        assert (place and place.resolve()) == (before and before.resolve())


def test_a_pickled_image_is_equal_in_another_process(tmp_path: Path) -> None:
    """Python's hashes of texts differ from process to process; one that was kept must not travel."""
    code = f"""
import pickle, sys
from pathlib import Path
from imagebuilder import Image
image = Image.base("a").run_commands("x").copy_from(Image.base("b"), "/a", "/b")
path = Path({str(tmp_path / "pickle")!r})
if path.exists():
    other = pickle.loads(path.read_bytes())
    assert other == image and hash(other) == hash(image) and len({{other, image}}) == 1
else:
    assert len({{image, image}}) == 1
    path.write_bytes(pickle.dumps(image))
"""
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (Image.scratch(), "<Image scratch(…)>"),
        (Image.debian_slim().env(A="b"), "<Image debian_slim(…).env(…)>"),
        (Image.base("x").env(A="b").workdir("/x").user("y"), "<Image base(…).env(…).workdir(…).user(…)>"),
        (Image.base("x").arg("A").env(A="b").workdir("/x").user("y"), "<Image base(…)….env(…).workdir(…).user(…)>"),
    ],
)
def test_repr(image: Image, text: str) -> None:
    assert repr(image) == text


def test_repr_shows_no_values() -> None:
    assert "hunter2" not in repr(START.env(PASSWORD="hunter2").run_commands("login hunter2"))


# Places ---------------------------------------------------------------------------------------------


def module(folder: Path, text: str, name: str = "spec.py") -> ModuleType:
    """A Python file that is run; its images are attributes."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    linecache.checkcache(str(path))
    made = ModuleType(path.stem)
    made.__file__ = str(path)
    exec(compile(path.read_text(), str(path), "exec"), vars(made))
    return made


def under_the_caret(image: Image, step: int = -1) -> tuple[int, str]:
    """The line that is shown, and the text above the carets."""
    place = image.stage.steps[step].place
    assert place is not None
    lines = Diagnostic("IB100", "x", place).render().splitlines()
    number, _, text = lines[-2].partition(" | ")
    carets = lines[-1].partition(" | ")[2]
    return int(number), text[carets.index("^") : len(carets)]


def test_a_call_on_one_line(tmp_path: Path) -> None:
    spec = module(tmp_path, 'from imagebuilder import Image\nimage = Image.scratch().env(A="b")  # comment\n')
    span = spec.image.stage.steps[0].place.resolve()
    assert (span.file, span.line) == (str(tmp_path / "spec.py"), 2)
    assert under_the_caret(spec.image) == (2, 'env(A="b")')


def test_calls_of_a_chain(tmp_path: Path) -> None:
    spec = module(
        tmp_path,
        """\
        from imagebuilder import Image

        image = (
            Image.base("x")
            .env(A="b").workdir("/x")
            .run_commands(
                "one",
                "two",
            )
            # a comment
            .label(
                a="é漢", b="c")
            .user("u")
        )
        """,
    )
    assert [under_the_caret(spec.image, n) for n in range(5)] == [
        (5, 'env(A="b")'),
        (5, 'workdir("/x")'),
        (6, "run_commands("),
        (11, "label("),
        (13, 'user("u")'),
    ]


def test_columns_count_characters(tmp_path: Path) -> None:
    text = 'from imagebuilder import Image\nä = "漢字"; image = Image.scratch().env(Ä="é漢", B="c")\n'
    spec = module(tmp_path, text)
    assert under_the_caret(spec.image) == (2, 'env(Ä="é漢", B="c")')
    span = spec.image.stage.steps[0].place.resolve()
    assert text.splitlines()[1][span.column - 1 : span.end_column - 1] == 'env(Ä="é漢", B="c")'


def test_calls_in_functions_and_lambdas(tmp_path: Path) -> None:
    """The place is the call itself, not the call of the helper."""
    spec = module(
        tmp_path,
        """\
        from functools import reduce
        from imagebuilder import Image

        def helper(image, *, name="x"):
            return image.env(A=name)

        image = helper(Image.scratch())
        twice = (lambda i: i.workdir("/x"))(image)
        listed = [i.user("u") for i in [image]][0]
        folded = reduce(lambda i, n: i.arg(n), ["A", "B"], image)
        """,
    )
    assert under_the_caret(spec.image) == (5, "env(A=name)")
    assert under_the_caret(spec.twice) == (8, 'workdir("/x")')
    assert under_the_caret(spec.listed) == (9, 'user("u")')
    assert [under_the_caret(spec.folded, n) for n in (-2, -1)] == [(10, "arg(n)")] * 2


def test_a_method_called_by_name(tmp_path: Path) -> None:
    spec = module(
        tmp_path,
        """\
        from imagebuilder import Image

        step = Image.scratch().env
        image = step(A="b")
        other = getattr(image, "workdir")("/x")
        more = Image.user(other, "u")
        """,
    )
    assert under_the_caret(spec.image) == (4, 'step(A="b")')
    assert under_the_caret(spec.other)[0] == 5
    assert under_the_caret(spec.more) == (6, 'user(other, "u")')


def test_a_base_has_a_place(tmp_path: Path) -> None:
    spec = module(tmp_path, 'from imagebuilder import Image\n\nimage = Image.base("x")\n')
    assert str(spec.image.stage.place.resolve()).startswith(f"{tmp_path}/spec.py:3:")


@pytest.mark.parametrize("name", [name for name in CALLS if name != "dockerfile_commands"])
def test_every_method_records_its_call(name: str) -> None:
    """Not a line of the package: however many functions of it lie between."""
    place = CALLS[name](START).stage.steps[-1].place
    assert place is not None
    span = place.resolve()
    assert span.file == __file__
    line = Path(__file__).read_text().splitlines()[span.line - 1]
    assert line[span.column - 1 :].startswith(f"{name}(")


def test_code_without_a_file() -> None:
    """exec, eval and the prompt: the line is known, the text is not."""
    scope: dict[str, Any] = {}
    exec("from imagebuilder import Image\nimage = Image.scratch().env(A='b')", scope)
    place = scope["image"].stage.steps[0].place
    assert place.resolve() == Span("<string>", 2)
    assert Diagnostic("IB100", "x", place).render().splitlines()[1:] == [" --> <string>:2"]


def test_the_prompt() -> None:
    """As in a terminal: what is refused there says why, and goes on."""
    lines = "from imagebuilder import Image\nImage.scratch().workdir('x')\nprint(Image.scratch().key()[:7])\n"
    done = subprocess.run(
        [sys.executable, "-i", "-q"], input=lines, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout == "sha256:\n"
    assert "error[IB109]: a relative destination: 'x'" in done.stderr and "<stdin>:1" in done.stderr


def test_a_file_that_has_changed_or_gone_since(tmp_path: Path) -> None:
    spec = module(tmp_path, 'from imagebuilder import Image\n\n\nimage = Image.scratch().env(A="b")\n')
    (tmp_path / "spec.py").write_text("x\n")
    linecache.checkcache()
    place = spec.image.stage.steps[0].place
    assert place.resolve().line == 4 and "spec.py:4" in Diagnostic("IB100", "x", place).render()
    (tmp_path / "spec.py").unlink()
    linecache.checkcache()
    assert "spec.py:4" in Diagnostic("IB100", "x", place).render()


def test_an_error_points_at_the_call(tmp_path: Path) -> None:
    with pytest.raises(CompileError) as caught:
        module(tmp_path, 'from imagebuilder import Image\nImage.scratch().apt_install(\n    "-y",\n    "",\n)\n')
    found = caught.value.diagnostics
    assert [d.code for d in found] == ["IB106", "IB105"], "one for each cause, in order"
    for diagnostic in found:
        assert diagnostic.place is not None and diagnostic.place.resolve().line == 2
    assert "2 | Image.scratch().apt_install(" in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: START.env(A=1), "got 1"),
        (lambda: START.run_commands(3), "3"),
        (lambda: START.workdir(None), "None"),
        (lambda: START.pip_install(None), "None"),
        (lambda: START.cmd([1]), "1"),
        (lambda: START.expose(0), "'0'"),
        (lambda: START.healthcheck("true", retries="x"), "'x'"),
        (lambda: START.run_commands("x", network="internet"), "'internet'"),
        (lambda: Image.base(7), "7"),
        (lambda: Image.debian_slim(3.12), "3.12"),
        (lambda: START.copy_from(7, "/a", "/b"), "7"),
        (lambda: START.add_text(7, "/x"), "7"),
    ],
)
def test_a_value_of_the_wrong_type_is_a_diagnostic(call: Callable[[], Image], message: str) -> None:
    with pytest.raises(CompileError) as caught:
        call()
    (found,) = caught.value.diagnostics
    assert message in found.message and "pydantic" not in str(caught.value)
    assert found.place is not None and found.place.resolve().file == __file__


# Relative paths -------------------------------------------------------------------------------------


def test_paths_start_at_the_calling_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/data").write_text("one")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "data").write_text("another")
    text = 'from imagebuilder import Image\nimage = Image.scratch().add_local_file("data", "/x")\n'
    monkeypatch.chdir(tmp_path / "one")
    here = module(tmp_path / "one", text).image
    key = here.key()
    monkeypatch.chdir(elsewhere)
    again = module(tmp_path / "one", text).image
    assert again == here and again.key() == key
    assert Image.scratch().add_local_file(elsewhere / "data", "/x").key() != key


def test_paths_of_a_helper_start_at_the_helpers_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a function in another file names lies beside that file, whoever calls it."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/data").write_text("the library's")
    (tmp_path / "data").write_text("the caller's")
    helper = module(tmp_path / "lib", 'def add(image):\n    return image.add_local_file("data", "/x")\n', "helper.py")
    image = helper.add(START)
    assert image.stage.steps[0].root == str(tmp_path / "lib")


def test_paths_of_code_without_a_file_start_at_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").touch()
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    exec("from imagebuilder import Image\nimage = Image.scratch().add_local_file('data', '/x')", scope)
    monkeypatch.chdir("/")
    assert scope["image"].stage.steps[0].root == str(tmp_path)
    assert scope["image"].key().startswith("sha256:")


def test_only_what_reads_files_knows_a_folder() -> None:
    """Two projects that say the same without files are the same."""
    for name, call in CALLS.items():
        (step, *_) = call(START).stage.steps
        assert bool(step.root) is type(step.op).reads_files, name


@pytest.mark.parametrize(
    "call",
    [
        lambda image: image.pip_install_from_requirements("gone.txt"),
        lambda image: image.pip_install_from_pyproject("gone"),
        lambda image: Image.from_dockerfile("gone/Dockerfile"),
    ],
)
def test_what_is_read_at_once_is_missed_at_once(call: Callable[[Image], Image]) -> None:
    with pytest.raises(CompileError) as caught:
        call(START)
    assert "gone" in caught.value.diagnostics[0].message


@pytest.mark.parametrize("call", [lambda i: i.add_local_file("gone", "/x"), lambda i: i.add_local_dir("gone", "/x")])
def test_what_is_read_later_is_missed_later(call: Callable[[Image], Image]) -> None:
    image = call(START)
    with pytest.raises(CompileError) as caught:
        image.key()
    place = caught.value.diagnostics[0].place
    assert place is not None and place.resolve().file == __file__


# Files that Python projects have -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "includes"),
    [
        ("six\n", ()),
        ("-r more.txt\n", ("more.txt",)),
        ("--requirement more.txt\n-c deep/limits.txt # why\n", ("more.txt", "deep/limits.txt")),
        ("--requirement=more.txt\n", ("more.txt",)),
        ("# -r gone.txt\n", ()),
        ("-r requirements.txt\n", ()),
        ("-r deep/chain.txt\n", ("deep/chain.txt", "deep/limits.txt")),
        ("-r deep/../more.txt\n", ("more.txt",)),
    ],
)
def test_requirements_bring_the_files_they_name(files: Path, text: str, includes: tuple[str, ...]) -> None:
    (files / "deep").mkdir()
    (files / "more.txt").write_text("numpy\n")
    (files / "deep/limits.txt").write_text("numpy<3\n")
    (files / "deep/chain.txt").write_text("-c limits.txt\n")
    (files / "requirements.txt").write_text(text)
    op = START.pip_install_from_requirements("files/requirements.txt").stage.steps[0].op
    assert op.includes == includes


def test_a_chain_of_requirements_may_be_long(files: Path) -> None:
    names = [f"{number}.txt" for number in range(1500)]
    for name, other in zip(["requirements.txt", *names], [*names, "requirements.txt"], strict=True):
        (files / name).write_text(f"six\n-r {other}\n")
    op = START.pip_install_from_requirements("files/requirements.txt").stage.steps[0].op
    assert op.includes == tuple(names)


def test_a_text_without_an_end_is_not_read(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as /proc/kcore, which a stranger's .snap file may name."""
    monkeypatch.setattr("imagebuilder.files.MAX_TEXT", 10)
    (files / "requirements.txt").write_text("x" * 11)
    with pytest.raises(CompileError, match=r"IB201.*file too large"):
        START.pip_install_from_requirements("files/requirements.txt")


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("-r gone.txt\n", "IB201", "gone.txt"),
        ("six\n-r ../outside.txt\n", "IB127", "requirements.txt:2"),
        ("-e .\n", "IB127", "requirements.txt:1"),
        ("six\n\n./local\n", "IB127", "requirements.txt:3"),
        ("file:///x\n", "IB127", "local code"),
        ("six\n--index-url https://me:hunter2@host/simple\n", "IB107", "requirements.txt:2"),
        ("\xff", "IB202", "UTF-8"),
    ],
)
def test_requirements_that_are_refused(files: Path, text: str, code: str, says: str) -> None:
    (files / "requirements.txt").write_bytes(text.encode("latin-1"))
    with pytest.raises(CompileError) as caught:
        START.pip_install_from_requirements("files/requirements.txt")
    (found,) = caught.value.diagnostics
    assert found.code == code and says in found.message and "hunter2" not in str(caught.value)
    assert found.place is not None and found.place.resolve().file == __file__


def test_pyproject_dependencies() -> None:
    for path in ("files", "files/pyproject.toml"):
        assert START.pip_install_from_pyproject(path).stage.steps[0].op.packages == ("six",)
    assert START.pip_install_from_pyproject("files", ["dev"]).stage.steps[0].op.packages == ("pytest", "six")


@pytest.mark.parametrize(
    ("text", "extras", "code", "hint"),
    [
        ("[project]\nname='x'\n", "dev", "IB129", "no optional dependencies"),
        ("[project]\n[project.optional-dependencies]\ndevel=[]\n", "devl", "IB129", "did you mean 'devel'?"),
        ("[project\n", "", "IB128", ""),
        ("project = 3\n", "", "IB128", ""),
        ("[project]\ndependencies = 'six'\n", "", "IB128", ""),
        ("[project]\ndependencies = [3]\n", "", "IB128", ""),
        ("[project]\noptional-dependencies = []\n", "dev", "IB128", "PEP 621"),
        ("[project.optional-dependencies]\ndev = 'six'\n", "dev", "IB128", "PEP 621"),
        ("[tool.poetry.dependencies]\nsix = '*'\n", "", "IB128", "PEP 621"),
        ("[project]\ndynamic = ['dependencies']\n", "", "IB128", "write them into the file"),
        ("[project]\ndynamic = 5\n", "", "IB128", "PEP 621"),
        ("[project]\ndynamic = [[]]\n", "", "IB128", "PEP 621"),
        (f"x = {'[' * 9999}", "", "IB128", ""),
    ],
)
def test_a_pyproject_that_is_refused(files: Path, text: str, extras: str, code: str, hint: str) -> None:
    (files / "pyproject.toml").write_text(text)
    with pytest.raises(CompileError) as caught:
        START.pip_install_from_pyproject("files", extras or ())
    (found,) = caught.value.diagnostics
    assert found.code == code and hint in found.help
    assert found.place is not None and found.place.resolve().file == __file__


# Stages for Dockerfile instructions -----------------------------------------------------------------------------------


def test_instructions_take_from_the_images_that_are_named() -> None:
    build, tools = Image.base("golang:1"), Image.scratch().env(A="1")
    lines = ("COPY --from=Build /app /app", "RUN --mount=type=bind,from=tools,target=/t x", "COPY --from=alpine /a /a")
    found = START.dockerfile_commands(*lines, stages={"build": build, "TOOLS": tools})
    copy, run, other = (step.op for step in found.stage.steps)
    assert isinstance(copy, ops.Copy) and copy.origin == build.stage
    assert isinstance(run, ops.Run) and run.mounts[0].origin == tools.stage
    assert isinstance(other, ops.Copy) and other.origin == ops.ImageSource(ref="alpine")


@pytest.mark.parametrize(
    ("stages", "lines", "code"),
    [
        ({"build": START}, ["RUN x"], "IB339"),
        ({"1": START}, ["COPY --from=1 /a /a"], "IB319"),
        ({1: START}, ["RUN x"], "IB319"),
        ({"scratch": START}, ["COPY --from=scratch /a /a"], "IB319"),
        ({"a b": START}, ["RUN x"], "IB319"),
        ({"a": START, "A": START}, ["COPY --from=a /a /a"], "IB320"),
        ({"a": "python"}, ["COPY --from=a /a /a"], "IB100"),
    ],
)
def test_stages_that_cannot_be(stages: dict[str, Image], lines: list[str], code: str) -> None:
    with pytest.raises(CompileError) as error:
        START.dockerfile_commands(*lines, stages=stages)
    assert code in [found.code for found in error.value.diagnostics]
    assert all(isinstance(found.place, CallSite) for found in error.value.diagnostics)


def test_a_wrong_line_is_not_blamed_on_a_stage_as_well() -> None:
    with pytest.raises(CompileError) as error:
        START.dockerfile_commands("COPY --form=build /a /a", stages={"build": START})
    assert [found.code for found in error.value.diagnostics] == ["IB308"]


# Bases ----------------------------------------------------------------------------------------------------------------


def test_a_base_of_another_platform() -> None:
    assert Image.base("a", platform="linux/arm64").stage.base == ops.BaseImage(ref="a", platform="linux/arm64")
    automatic = expand("$BUILDPLATFORM")
    assert Image.base("a", platform=automatic).stage.base == ops.BaseImage(ref="a", platform=automatic)
    with pytest.raises(CompileError) as error:
        Image.base("a", platform="arm64")
    assert error.value.diagnostics[0].code == "IB114"


def test_an_image_as_a_base_is_a_stage_of_its_own() -> None:
    found = Image.base(START.env(A="1")).env(B="2").stage
    assert found.base == START.env(A="1").stage and len(found.steps) == 1
    assert "FROM python:3.13 AS build" in Image(found).dockerfile()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Image.base(START, platform="linux/arm64"),
        lambda: Image.base(START.dockerfile_commands("ONBUILD RUN x")),
    ],
)
def test_an_image_that_cannot_be_a_base(make: Callable[[], Image]) -> None:
    with pytest.raises(CompileError) as error:
        make()
    assert error.value.diagnostics[0].code == "IB125"
