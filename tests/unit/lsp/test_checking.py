"""What is wrong with a file, as an editor is told."""

from __future__ import annotations

from pathlib import Path

from imagebuilder.lsp.checking import Checked, Problem, check
from imagebuilder.lsp.names import Document


def checked(folder: Path, text: str, **unsaved: str) -> Checked:
    others = {(folder / f"{name}.snap").resolve(): other for name, other in unsaved.items()}
    return check(Document(folder / "app.snap", text, others))


def problems(folder: Path, text: str, **unsaved: str) -> list[tuple[str, str]]:
    """The code of each problem, and the text it is at."""
    return [(each.code, text[each.begin : each.end]) for each in checked(folder, text, **unsaved).problems]


def only(folder: Path, text: str, **unsaved: str) -> Problem:
    (problem,) = checked(folder, text, **unsaved).problems
    return problem


def test_a_file_without_a_mistake(tmp_path: Path) -> None:
    found = checked(tmp_path, "snap 1\nimage x from scratch\n")
    assert found.problems == () and found.files == {(tmp_path / "app.snap").resolve()}


def test_every_mistake_at_its_place(tmp_path: Path) -> None:
    text = 'snap 1\nimage x from scratch {\n    pip_instal a\n    workdir "😀/{nmae}"\n    user\n}\n'
    assert problems(tmp_path, text) == [("IB810", "pip_instal"), ("IB811", "{nmae}"), ("IB840", "user")]


def test_while_somebody_types(tmp_path: Path) -> None:
    """Beside what does not parse all else is checked, but names that may be missing because of it are no mistakes."""
    text = 'snap 1\nimage x from scratch {\n    env A="\n    user a{nmae}\n}\n'
    assert problems(tmp_path, text) == [("IB806", '"'), ("IB811", "{nmae}")]
    text = "snap 1\nparam nmae string\nimage x from scratch {\n    user a{nmae}\n}\n"
    assert problems(tmp_path, text) == [("IB808", "string")]


def test_help_and_notes(tmp_path: Path) -> None:
    text = "snap 1\nparam x: int = 1\nparam x: int = 2\n"
    problem = only(tmp_path, text)
    assert problem.code == "IB814" and problem.severity == "error"
    ((place, said),) = problem.related
    assert (place.line, place.column, said) == (2, 7, "first here")
    problem = only(tmp_path, "snap 1\nimage x from scratch {\n    pip_instal a\n}\n")
    assert problem.message.endswith("\nhelp: did you mean 'pip_install'?")


def test_a_parameter_without_a_value_is_no_mistake_of_the_file(tmp_path: Path) -> None:
    problem = only(tmp_path, 'snap 1\nparam version: string\nimage x from debian_slim "{version}"\n')
    assert (problem.code, problem.severity) == ("IB832", "information")


def test_unsaved_text_of_another_file(tmp_path: Path) -> None:
    (tmp_path / "common.snap").write_text("snap 1\n")
    text = 'snap 1\nuse "./common.snap" as common\nimage x from common.tools\n'
    assert problems(tmp_path, text) == [("IB812", "common.tools")]
    assert problems(tmp_path, text, common="snap 1\nimage tools from scratch\n") == []
    assert (tmp_path / "common.snap").resolve() in checked(tmp_path, text).files


def test_a_mistake_in_another_file_is_shown_where_it_is_used(tmp_path: Path) -> None:
    text = 'snap 1\nuse "./common.snap" as common\n'
    problem = only(tmp_path, text, common="snap 1\nimage tools from nowhere\n")
    assert text[problem.begin : problem.end] == '"./common.snap"'
    assert problem.message.startswith("common.snap:2: no image 'nowhere'")
    ((place, said),) = problem.related
    assert (Path(place.file).name, place.line, place.column, said) == ("common.snap", 2, 18, "no image 'nowhere'")


def test_a_value_that_another_file_needs_is_a_mistake(tmp_path: Path) -> None:
    text = 'snap 1\nuse "./common.snap" as common\n'
    problem = only(tmp_path, text, common="snap 1\nparam mode: string\n")
    assert (problem.code, problem.severity) == ("IB832", "error")
    assert text[problem.begin : problem.end] == '"./common.snap"'


def test_a_mistake_in_a_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "web.Dockerfile").write_text("FROM scratch\nCOPYY a b\n")
    text = 'snap 1\nimage x from scratch\nimage y from from_dockerfile "web.Dockerfile"\n'
    problem = only(tmp_path, text)
    assert text[problem.begin : problem.end] == "web.Dockerfile"
    assert problem.message.startswith("web.Dockerfile:2: ")


def test_nothing_outside_of_the_project_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret.snap").write_text("snap 1\nimage x from scratch\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    found = check(Document(inside / "app.snap", 'snap 1\nuse "../secret.snap" as s\nimage y from s.x\n', {}))
    assert [problem.code for problem in found.problems] == ["IB850"]
    assert found.files == {inside / "app.snap"}


def test_text_that_no_file_holds(tmp_path: Path) -> None:
    assert [code for code, _ in problems(tmp_path, "snap 1\n\0")] == ["IB802"]
    assert [code for code, _ in problems(tmp_path, "")] == ["IB804"]


def test_what_is_seldom_meant(tmp_path: Path) -> None:
    text = "snap 1\nparam spare: int = 1\nsnapshot x from scratch\n"
    problem = only(tmp_path, text)
    assert (problem.code, problem.severity, text[problem.begin : problem.end]) == ("IB911", "warning", "spare")


def test_a_comment_of_the_unsaved_text_silences(tmp_path: Path) -> None:
    text = "snap 1\nparam spare: int = 1\nsnapshot x from scratch\n"
    (tmp_path / "app.snap").write_text(text)
    assert [code for code, _ in problems(tmp_path, text)] == ["IB911"]
    assert problems(tmp_path, text.replace("= 1\n", "= 1  # check: ignore IB911\n")) == []
    assert [code for code, _ in problems(tmp_path, text)] == ["IB911"]


def test_warnings_of_a_used_file_are_shown_in_it_alone(tmp_path: Path) -> None:
    common = 'snap 1\nparam spare: int = 1\nimage tools from scratch {\n    run_commands "cd /x"\n}\n'
    text = 'snap 1\nuse "./common.snap" as common\nsnapshot x from common.tools { user a }\n'
    assert problems(tmp_path, text, common=common) == []
    assert [code for code, _ in problems(tmp_path, common)] == ["IB911", "IB905"]
