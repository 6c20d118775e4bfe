"""Every call has its place."""

from __future__ import annotations

import linecache
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagebuilder import CompileError, Image
from imagebuilder.diagnostics import Diagnostic, Span
from tests.unit.frontends.image import calls
from tests.unit.frontends.image.calls import CALLS, START
from tests.unit.frontends.image.spec import module


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
    assert span.file == calls.__file__
    line = Path(span.file).read_text().splitlines()[span.line - 1]
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
