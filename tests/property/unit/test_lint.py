"""Whatever the description, a lint tells something or nothing, never fails, and never shows a secret."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from imagebuilder import CompileError
from imagebuilder.frontends.dockerfile import load, warnings
from imagebuilder.lint import CODES, lint
from imagebuilder.lint.shell import commands
from tests.property.hostile import hostile
from tests.property.unit.test_compile import CALLS, SPECS, Spec, image

SETTINGS = settings(max_examples=150, deadline=None, derandomize=True)
FOLDER = Path(__file__).parents[2] / "unit/frontends/dockerfiles"
SAMPLES = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.iterdir())]
# Built here, so that no scanner takes it for a secret.
TOKEN = "ghp_" + "aB3dE5fG7hJ9kL1mN0pQ2rS4tU6vW8xYzA1b"

WORDS = st.sampled_from(
    [
        "cd", "/app", "&&", ";", "||", "|", "(", ")", "\n", "\\\n", "apt-get", "install", "-y", "git", "pip", "-r",
        "requirements.txt", "npm", "ci", "'", '"', "$(", "`", "#", "<<EOF", ">", "export", "API_KEY=abc123def456", TOKEN,
        "check:", "ignore", "# check: ignore IB9", "true", "yarn", "./x.deb", "$X", "${X", "é", "\x85", "\t",
    ]
)  # fmt: skip
SHELL = st.lists(WORDS, max_size=12).map(" ".join)
MORE = st.lists(
    st.one_of(
        CALLS,
        SHELL.filter(str.strip).map(lambda text: ("run_commands", (["sh", "-c", text],), {})),
        SHELL.map(lambda text: ("add_text", (text, "/x"), {})),
        st.sampled_from(hostile()).map(lambda text: ("dockerfile_commands", (f"RUN {text}",), {})),
        st.sampled_from(hostile()).map(lambda text: ("env", ({"API_KEY": text},), {})),
        SHELL.map(lambda text: ("cmd", (text,), {})),
        st.tuples(st.just("copy_from"), st.tuples(SPECS.map(lambda spec: image(*spec)), st.just("/a"), st.just("/b")), st.just({})),
    ),
    max_size=4,
)  # fmt: skip


def check(found: list[object]) -> None:
    for each in found:
        assert each.code in CODES and each.message and each.help  # type: ignore[attr-defined]
        assert TOKEN not in each.render()  # type: ignore[attr-defined]
        each.as_json()  # type: ignore[attr-defined]


@SETTINGS
@given(SPECS, MORE)
def test_no_image_is_too_odd(spec: Spec, more: list[object]) -> None:
    try:
        made = image(spec[0], [*spec[1], *more])  # type: ignore[list-item]
    except CompileError:
        return
    check(list(lint(made.stage, level="strict")))


@SETTINGS
@given(SHELL | st.sampled_from(hostile()) | st.text())
def test_no_shell_text_is_too_odd(text: str) -> None:
    for command in commands(text):
        assert isinstance(command.program, tuple)


@SETTINGS
@given(st.data())
def test_no_dockerfile_is_too_odd(tmp_path_factory: object, data: st.DataObject) -> None:
    """Samples whose lines are in disorder, with lines of all kinds in between."""
    lines = data.draw(st.sampled_from(SAMPLES)).splitlines()
    for _ in range(data.draw(st.integers(0, 4))):
        line = data.draw(SHELL.map("RUN {}".format) | SHELL.map("# {}".format) | st.sampled_from(lines))
        lines.insert(data.draw(st.integers(0, len(lines))), line)
    path = tmp_path_factory.getbasetemp() / "Dockerfile"  # type: ignore[attr-defined]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        stage = load(path)
    except CompileError:
        return
    check(list(lint(stage, level="strict", more=warnings(path, strict=True))))
