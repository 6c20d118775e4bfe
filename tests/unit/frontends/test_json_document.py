"""Documents that somebody else wrote: each mistake has its code, its pointer and its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagebuilder import CompileError, Image
from imagebuilder.backends.json_document import write
from imagebuilder.diagnostics import Diagnostic, Span
from imagebuilder.frontends.json_document import load, read
from imagebuilder.ir.document import MAX_DEPTH, MAX_SIZE, MAX_STAGES

HERE = Path("/project")


def document(*steps: Any, base: Any = None) -> str:
    """Every step begins on a line of its own: the first on line 2."""
    lines = ",\n".join(json.dumps(step) for step in steps)
    return f'{{"version": 1, "stages": [{{"base": {json.dumps(base or {"op": "scratch"})}, "steps": [\n{lines}\n]}}]}}'


def refused(text: str) -> Diagnostic:
    with pytest.raises(CompileError) as error:
        read(text, HERE, "spec.json")
    (found,) = error.value.diagnostics
    assert isinstance(found.place, Span) and found.place.file == "spec.json"
    lines = text.split("\n")
    assert 1 <= found.place.line <= len(lines)
    assert 1 <= found.place.column <= len(lines[found.place.line - 1]) + 1
    assert found.render()
    return found


STEPS = [
    # A step, the code, the end of the pointer, and what the message says.
    ({"op": "runn", "command": "x"}, "IB413", "/op", "no operation is called"),
    ({"command": "x"}, "IB413", "", "no operation"),
    ("run", "IB413", "", "no operation"),
    ({"op": "run"}, "IB413", "", "command is missing"),
    ({"op": "run", "command": 1}, "IB413", "/command", "1"),
    ({"op": "run", "command": "x", "comand": "y"}, "IB413", "/comand", "no field"),
    ({"op": "run", "command": "x", "network": "off"}, "IB413", "/network", "off"),
    ({"op": "run", "command": "x", "mounts": [{"type": "cache"}]}, "IB125", "", "without a target"),
    ({"op": "run", "command": "x", "mounts": [{"type": "bind", "target": "/x"}]}, "IB125", "", "without an origin"),
    ({"op": "user", "name": "a b"}, "IB120", "/name", "not an owner"),
    ({"op": "user", "name": None}, "IB413", "/name", "null"),
    ({"op": "user", "name": "a", "root": "x"}, "IB413", "/root", "no local files"),
    ({"op": "add_local_dir", "path": "x", "dest": "/x", "root": 1}, "IB413", "/root", "not a text"),
    ({"op": "add_local_dir", "path": "x", "dest": "x"}, "IB109", "/dest", "relative destination"),
    ({"op": "add_local_dir", "path": "x", "dest": "/../x"}, "IB110", "/dest", "'..'"),
    ({"op": "add_local_dir", "path": "", "dest": "/x"}, "IB103", "/path", "empty"),
    ({"op": "apt_install", "packages": "git"}, "IB413", "/packages", "is a list"),
    ({"op": "apt_install", "packages": []}, "IB103", "/packages", "no packages"),
    ({"op": "apt_install", "packages": ["a", "--x"]}, "IB106", "", "starts with '-'"),
    ({"op": "pip_install", "packages": ["a"], "secrets": 5}, "IB413", "/secrets", "5"),
    ({"op": "pip_install", "packages": ["a"], "secrets": [{"name": "-"}]}, "IB112", "/secrets/0/name", "not a valid"),
    ({"op": "pip_install", "packages": ["a"], "index_url": "https://u:p@h/"}, "IB107", "/index_url", "credential"),
    ({"op": "pip_install", "packages": ["a"], "pre": "yes"}, "IB413", "/pre", "yes"),
    ({"op": "pip_install_from_requirements", "path": "r", "includes": []}, "IB413", "/includes", "read from"),
    ({"op": "pip_install_from_requirements"}, "IB413", "", "path is missing"),
    ({"op": "uv_pip_install", "requirements": 1}, "IB413", "/requirements", "is a list"),
    ({"op": "uv_pip_install", "requirements": [1]}, "IB413", "/requirements/0", "1"),
    ({"op": "env", "variables": []}, "IB103", "/variables", "no variables"),
    ({"op": "env", "variables": {"A": "b"}}, "IB413", "/variables", "is a list"),
    ({"op": "env", "variables": [["A"]]}, "IB413", "/variables/0", ""),
    ({"op": "env", "variables": [["A B", "c"]]}, "IB111", "/variables/0/0", "not a variable name"),
    ({"op": "env", "variables": [["A", {"parts": [{"name": "x} y"}]}]]}, "IB111", "", "not a variable name"),
    ({"op": "env", "variables": [["A", "\ud800"]]}, "IB101", "/variables/0/1", "Unicode"),
    ({"op": "env", "variables": [["A", "x\0"]]}, "IB101", "/variables/0/1", "NUL"),
    ({"op": "run_commands", "commands": []}, "IB103", "/commands", "no commands"),
    ({"op": "healthcheck", "command": [], "retries": 1.5}, "IB413", "/retries", "1.5"),
    ({"op": "healthcheck", "command": [], "retries": -1}, "IB413", "/retries", "-1"),
    (
        {"op": "copy_from", "source": {"stage": 0}, "src": "/a", "dest": "/b"},
        "IB413",
        "/source/stage",
        "no earlier stage",
    ),
    (
        {"op": "copy_from", "source": {"stage": True}, "src": "/a", "dest": "/b"},
        "IB413",
        "/source/stage",
        "no earlier stage",
    ),
    (
        {"op": "copy_from", "source": {"stage": -1}, "src": "/a", "dest": "/b"},
        "IB413",
        "/source/stage",
        "no earlier stage",
    ),
    ({"op": "copy_from", "source": "A B", "src": "/a", "dest": "/b"}, "IB113", "/source", "not an image"),
    ({"op": "copy", "sources": ["a"], "dest": "/a", "origin": {"ref": "x y\nRUN z"}}, "IB113", "", "not an image"),
    ({"op": "copy", "sources": [], "dest": "/a", "origin": {"path": "."}}, "IB103", "/sources", "no sources"),
    ({"op": "onbuild", "instruction": "RUN x\nRUN y"}, "IB413", "", "not one instruction"),
    ({"op": "onbuild", "instruction": "FROM x"}, "IB329", "", "ONBUILD cannot hold"),
    ({"op": "maintainer", "name": "me\nRUN x"}, "IB413", "", "not one instruction"),
    ({"op": "write_files", "files": [], "dest": "/x"}, "IB103", "/files", "no files"),
    ({"op": "write_files", "files": [["E' /x\nRUN y", "a\n"]], "dest": "/x"}, "IB112", "", "here-document"),
    ({"op": "write_files", "files": [["EOF", "a\nEOF\n"]], "dest": "/x"}, "IB112", "", "its own delimiter"),
]


@pytest.mark.parametrize(("step", "code", "pointer", "message"), STEPS)
def test_a_step_that_is_refused(step: Any, code: str, pointer: str, message: str) -> None:
    found = refused(document({"op": "user", "name": "root"}, step))
    assert (found.code, found.place.line) == (code, 3)  # type: ignore[union-attr]
    assert message in found.message
    assert f"at /stages/0/steps/1{pointer}" in found.notes[0].message


TEXTS = [
    ("", "IB412", 1),
    ('{"version": 1,\n"stages": [}', "IB412", 2),
    ('{"version": 1, "version": 1, "stages": []}', "IB412", 1),
    ('{"version": NaN}', "IB412", 1),
    (f'{{"version": {"9" * 5000}}}', "IB412", 1),
    ("[" * 200_000, "IB412", 1),
    (" " * MAX_SIZE + "1", "IB412", 1),
    ("[]", "IB413", 1),
    ("null", "IB413", 1),
    ('{"version": 1}', "IB413", 1),
    ('{"stages": []}', "IB413", 1),
    ('{\n"version": 2, "stages": []}', "IB414", 2),
    ('{"version": true, "stages": []}', "IB414", 1),
    ('{"version": 1, "stages": []}', "IB413", 1),
    ('{"version": 1, "stages": {}}', "IB413", 1),
    ('{"version": 1, "stages": [\n1]}', "IB413", 2),
    ('{"version": 1, "stages": [{"base": {"op": "scratch"}}], "author": "me"}', "IB413", 1),
    ('{"version": 1, "stages": [{}]}', "IB413", 1),
    ('{"version": 1, "stages": [{"base": {"op": "scratch"}, "name": 1}]}', "IB413", 1),
    ('{"version": 1, "stages": [{"base": 1}]}', "IB413", 1),
    ('{"version": 1, "stages": [{"base": {"stage": 0}}]}', "IB413", 1),
    ('{"version": 1, "stages": [{"base": {"stage": 0, "x": 1}}]}', "IB413", 1),
    ('{"version": 1, "stages": [{"base": {"op": "user", "name": "x"}}]}', "IB413", 1),
    ('{"version": 1, "stages": [{"base": {"op": "base", "ref": "a", "platform": "x"}}]}', "IB114", 1),
    ('{"version": 1, "stages": [{"base": {"op": "debian_slim", "python_version": "2.7"}}]}', "IB124", 1),
]


@pytest.mark.parametrize(("text", "code", "line"), TEXTS)
def test_a_text_that_is_refused(text: str, code: str, line: int) -> None:
    found = refused(text)
    assert (found.code, found.place.line) == (code, line)  # type: ignore[union-attr]


def test_bounds() -> None:
    stage = '{"base": {"op": "scratch"}}'
    assert refused(f'{{"version": 1, "stages": [{", ".join([stage] * (MAX_STAGES + 1))}]}}').code == "IB413"
    deep: Any = "x"
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert refused(document({"op": "run", "command": deep})).code == "IB412"


def test_onbuild_is_not_inherited() -> None:
    first = '{"base": {"op": "scratch"}, "steps": [{"op": "onbuild", "instruction": "RUN x"}]}'
    assert refused(f'{{"version": 1, "stages": [{first}, {{"base": {{"stage": 0}}}}]}}').code == "IB125"


def test_a_shared_graph_is_not_drawn_in_a_message() -> None:
    """A message that showed what it holds would be as long as the graph has paths."""
    stages = ['{"base": {"op": "scratch"}}']
    step = '{{"op": "copy_from", "source": {{"stage": {0}}}, "src": "/a", "dest": "/b"}}'
    stages += [f'{{"base": {{"stage": {n}}}, "steps": [{step.format(n)}]}}' for n in range(60)]
    wrong = '{"base": {"op": "scratch"}, "steps": [{"op": "user", "name": {"stage": 60}}]}'
    assert "stage" in refused(f'{{"version": 1, "stages": [{", ".join([*stages, wrong])}]}}').message


def test_roots() -> None:
    step = {"op": "add_local_dir", "path": "x", "dest": "/x"}
    found = read(document(step, {**step, "root": "../a"}, {**step, "root": "/b"}), HERE)
    assert [step.root for step in found.steps] == ["/project", "/a", "/b"]


def test_a_place_for_every_step() -> None:
    found = read(document({"op": "user", "name": "a"}, {"op": "user", "name": "b"}), HERE, "spec.json")
    assert [step.place for step in found.steps] == [Span("spec.json", 2, 1), Span("spec.json", 3, 1)]


def test_what_is_read_from_local_files(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r more.txt\n")
    (tmp_path / "more.txt").write_text("six\n")
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["six"]\n')
    image = (
        Image.scratch()
        .pip_install_from_requirements(tmp_path / "requirements.txt")
        .uv_pip_install(requirements=tmp_path / "requirements.txt")
        .pip_install_from_pyproject(tmp_path)
    )
    text = write(image.stage, str(Path(__file__).parent))
    assert "more.txt" not in text and "six" not in text
    assert read(text, Path(__file__).parent) == image.stage
    (tmp_path / "more.txt").unlink()
    assert refused(text).code == "IB201"


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_bytes(b"\xef\xbb\xbf" + document({"op": "user", "name": "a"}).encode())
    assert load(path).steps[0].op.verb == "user"
    path.write_bytes(b'{"version": "\xff"}')
    for wrong, code in ((path, "IB202"), (tmp_path, "IB201"), (tmp_path / "none.json", "IB201")):
        with pytest.raises(CompileError) as error:
            load(wrong)
        assert error.value.diagnostics[0].code == code
