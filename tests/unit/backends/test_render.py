"""The Dockerfile as a whole: its layout, and the map from its lines and steps back to what the author wrote."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import UndefinedError

from imagebuilder import Image, expand
from imagebuilder.backends.dockerfile import Dockerfile, Instruction, ca, render
from imagebuilder.backends.dockerfile.views import Views
from imagebuilder.diagnostics import CompileError
from imagebuilder.ir.ops import CORE, Op, Scratch, WriteFiles
from imagebuilder.ir.stage import Stage, Step
from tests.golden.cases import CASES
from tests.unit.backends.rendering import dockerfile, rendered

DIRECTIVE = "# check=skip="


def made(name: str) -> Dockerfile:
    return rendered(CASES[name].make(), ca=True)


def slim() -> Image:
    return Image.base("debian:trixie-slim")


def lines_of(found: Dockerfile, instruction: Instruction) -> list[str]:
    return found.text.split("\n")[instruction.first - 1 : instruction.last]


# The line map -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_every_line_belongs_to_one_instruction(name: str) -> None:
    """All but the directive and the blank lines between stages."""
    found = made(name)
    covered = [line for i in found.instructions for line in range(i.first, i.last + 1)]
    assert covered == sorted(set(covered))
    lines = found.text.split("\n")
    assert lines.pop() == ""
    rest = {number for number, line in enumerate(lines, 1) if number not in set(covered)}
    starts = {i.first for i in found.instructions if i.text.startswith("FROM ")}
    assert rest == {first - 1 for first in starts} - {0} | ({1} if lines[0].startswith(DIRECTIVE) else set())
    assert not [
        lines[number - 1] for number in rest if lines[number - 1] and not lines[number - 1].startswith(DIRECTIVE)
    ]


@pytest.mark.parametrize("name", CASES)
def test_an_instructions_lines_are_its_own(name: str) -> None:
    found = made(name)
    for each in found.instructions:
        first, *_ = lines_of(found, each)
        assert first == each.text
        keyword = first.split(" ")[0]
        assert keyword.isupper() and keyword.isalpha()
        assert [found.at_line(line) for line in range(each.first, each.last + 1)] == [each] * (
            each.last - each.first + 1
        )


@pytest.mark.parametrize("name", CASES)
def test_steps_are_counted_as_buildkit_does(name: str) -> None:
    """``[stage 2/5]``: a FROM that pulls is the first; RUN, COPY, ADD and WORKDIR go on; the others have no number."""
    found = made(name)
    stage, number, position, names = "", -1, 0, set()
    for each in found.instructions:
        words = each.text.split()
        if words[0] == "FROM":
            number += 1
            stage = words[-1] if "AS" in words else f"stage-{number}"
            base = words[2] if words[1].startswith("--platform") else words[1]
            position = int(base != "scratch" and base not in names)
            names.add(stage)
            wanted = position
        else:
            counted = words[0] in ("RUN", "COPY", "ADD", "WORKDIR")
            position += counted
            wanted = position if counted else 0
        assert (each.stage, each.position) == (stage, wanted)
        if wanted:
            assert found.at_step(stage, wanted) is each


def test_each_line_of_a_here_document_gives_the_call() -> None:
    image = slim().env(A="1").run_commands("echo a", "RUN b\nFROM c").add_text("COPY d\nEOF\n", "/e")
    found = rendered(image)
    owners = {line: found.at_line(number) for number, line in enumerate(found.text.split("\n")[:-1], 1)}
    verbs = {line: step.intent.verb for line, i in owners.items() if i and (step := i.step) and step.intent}
    assert verbs == {
        "ENV A=1": "env",
        "RUN <<'EOF'": "run_commands",
        "set -ex": "run_commands",
        "echo a": "run_commands",
        "RUN b": "run_commands",
        "FROM c": "run_commands",
        "COPY <<'EOF_1' /e": "add_text",
        "COPY d": "add_text",
        "EOF": "add_text",
        "EOF_1": "add_text",
    }
    assert found.at_line(0) is None and found.at_line(99) is None


def test_each_line_of_a_continued_instruction_gives_the_call() -> None:
    found = rendered(slim().env(A="1", B="2").run_commands("true", cache=["/a", "/b"]))
    env, run = found.instructions[-2:]
    assert lines_of(found, env) == ["ENV A=1 \\", "    B=2"]
    assert [line.split(",")[0].strip() for line in lines_of(found, run)[:2]] == [
        "RUN --mount=type=cache",
        "--mount=type=cache",
    ]
    assert found.at_line(env.last) is env and found.at_line(run.first + 1) is run


def test_a_step_leads_to_the_place_of_its_call() -> None:
    image = slim().run_commands("true")
    instruction = rendered(image).at_step("", 2)
    assert instruction is not None and instruction.step is not None
    assert instruction.step.place is image.stage.steps[0].place


def test_a_base_leads_to_the_place_of_its_call() -> None:
    image = slim()
    (start,) = rendered(image).instructions
    assert start.place is image.stage.place is not None and start.step is None
    assert rendered(image).at_step("", 1) == start


def test_a_lone_stage_may_go_without_its_name() -> None:
    found = rendered(slim().run_commands("true"))
    assert found.at_step("", 2) == found.at_step("stage-0", 2) == found.instructions[-1]
    assert found.at_step("", 3) is None and found.at_step("other", 2) is None


def test_build_arguments_belong_to_the_instruction_that_needs_them() -> None:
    """They are declared once in each stage, before it, and the builder does not count them."""
    build = slim().env(A="a\n").label(b="a\n").run_commands("true")
    found = rendered(slim().env(A="a\n").copy_from(build, "/x", "/x"))
    declared = [i for i in found.instructions if i.text.startswith("ARG ")]
    assert [i.text for i in declared] == [f"ARG {name}" for name in found.build_args] * 2
    assert list(found.build_args.values()) == ["a\n"]
    for each in declared:
        following = found.at_line(each.last + 1)
        assert following is not None and following.text.startswith("ENV ") and following.step is each.step
        assert each.position == 0


# Stages and settings ----------------------------------------------------------------------------------


def test_stages_have_the_authors_names_and_the_last_none(tmp_path: Path) -> None:
    found = dockerfile(
        tmp_path, "FROM a AS Build\nRUN true\nFROM build AS b2\nRUN false\nFROM c\nCOPY --from=b2 /x /x\n"
    )
    starts = [i for i in found.instructions if i.text.startswith("FROM ")]
    assert [i.text for i in starts] == ["FROM a AS build", "FROM build AS b2", "FROM c"]
    assert [i.stage for i in starts] == ["build", "b2", "stage-2"]


@pytest.mark.parametrize(
    ("image", "kept"),
    [
        (slim().cmd(["one"]).env(A="1").cmd(["two"]), 'CMD ["two"]'),
        (slim().entrypoint(["one"]).entrypoint(["two"]), 'ENTRYPOINT ["two"]'),
        (slim().healthcheck(["one"]).healthcheck(None), "HEALTHCHECK NONE"),
    ],
)
def test_only_the_last_of_a_setting_is_written(image: Image, kept: str) -> None:
    keyword = kept.split(" ")[0]
    assert [i.text for i in rendered(image).instructions if i.text.startswith(keyword)] == [kept]


def test_every_stage_keeps_its_last(tmp_path: Path) -> None:
    text = 'FROM a AS one\nCMD ["one"]\nRUN true\nFROM one\nCMD ["two"]\n'
    assert [line for line in dockerfile(tmp_path, text).text.split("\n") if "CMD" in line] == [
        'CMD ["one"]',
        'CMD ["two"]',
    ]


def skipped(found: Dockerfile) -> list[str]:
    """The builder's checks that the first line switches off."""
    first, second, *_ = found.text.split("\n")
    if not first.startswith(DIRECTIVE):
        assert DIRECTIVE not in found.text and first.startswith("FROM ")
        return []
    assert second == ""
    return first.removeprefix(DIRECTIVE).split(",")


@pytest.mark.parametrize(
    ("image", "checks"),
    [
        (slim().cmd("a $B"), ["JSONArgsRecommended"]),
        (slim().entrypoint("a"), ["JSONArgsRecommended"]),
        (slim().copy_from(slim().cmd("a"), "/x", "/x"), ["JSONArgsRecommended"]),
        (slim().env(A=expand("${B:-x}")), ["UndefinedVar"]),
        (slim().env(A=expand("${B:+x}")).cmd("a"), ["JSONArgsRecommended", "UndefinedVar"]),
        (slim().dockerfile_commands("MAINTAINER me"), ["MaintainerDeprecated"]),
    ],
)
def test_a_check_that_the_author_answered_is_skipped(image: Image, checks: list[str]) -> None:
    assert skipped(rendered(image)) == checks


@pytest.mark.parametrize(
    "image",
    [
        slim(),
        slim().cmd(["a"]).entrypoint(["b"]),
        slim().run_commands("a").healthcheck("a"),
        slim().env(A=expand("${B}")),
        slim().arg("B").env(A=expand("${B:-x}")),
        slim().env(B="1").env(A=expand("${B:-x}")),
    ],
)
def test_the_others_stay_on(image: Image) -> None:
    assert skipped(rendered(image)) == []


def test_a_variable_of_the_stage_below_is_defined(tmp_path: Path) -> None:
    text = "FROM a AS one\nENV B=1\nFROM one\nENV A=${B:-x}\nFROM %s\nCOPY --from=1 /x /x\nENV A=${B:-x}\n"
    assert skipped(dockerfile(tmp_path, text % "one")) == []
    assert skipped(dockerfile(tmp_path, text % "a")) == ["UndefinedVar"]


# The CA bundle ----------------------------------------------------------------------------------------


def test_the_ca_mounts_are_in_every_built_run_with_a_network() -> None:
    image = (
        slim()
        .run_commands("a")
        .run_commands("b", network="host")
        .run_commands(["c"], network="none")
        .add_text("d\n", "/d")
    )
    found = rendered(image, ca=True)
    shown = {i.text.split(" ")[0] + str(n): lines_of(found, i) for n, i in enumerate(found.instructions)}
    flags = [f"{flag} \\" for flag in ca.FLAGS]
    assert [line.removeprefix("RUN ").strip() for line in shown["RUN1"][:-1]] == flags
    assert [line.removeprefix("RUN ").strip() for line in shown["RUN2"][:-2]] == flags
    assert not [line for name in ("RUN3", "COPY4") for line in shown[name] if ca.SECRET in line]


def test_the_ca_mounts_are_not_in_the_shown_dockerfile() -> None:
    image = slim().run_commands("a").pip_install("six")
    assert ca.SECRET in rendered(image, ca=True).text
    assert ca.SECRET not in rendered(image).text and ca.SECRET not in image.dockerfile()


# Mistakes ---------------------------------------------------------------------------------------------

FIELDS: dict[str, dict[str, object]] = {
    "run": {"command": "true"},
    "copy": {"sources": ["a"], "dest": "/a", "origin": Stage(Scratch())},
    "add": {"sources": ["https://example.org/a"], "dest": "/a"},
    "write_files": {"files": [("", "a\n")], "dest": "/a"},
    "env": {"variables": {"A": "1"}},
    "label": {"labels": {"a": "1"}},
    "arg": {"name": "A"},
    "workdir": {"path": "/a"},
    "user": {"name": "a"},
    "shell": {"words": ["a"]},
    "entrypoint": {"command": ["a"]},
    "cmd": {"command": ["a"]},
    "expose": {"ports": ["1"]},
    "volume": {"paths": ["/a"]},
    "healthcheck": {"command": ["a"]},
    "stop_signal": {"signal": "15"},
    "onbuild": {"instruction": "RUN true"},
    "maintainer": {"name": "a"},
}


@pytest.mark.parametrize("op", CORE, ids=lambda op: op.verb)
def test_a_template_that_asks_for_what_its_view_has_not_is_an_error(
    op: type[Op], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a missing value would be nothing at all in the Dockerfile."""
    stage = Stage(Scratch(), (Step(op.model_validate(FIELDS[op.verb])),))
    assert "FROM scratch\n" in render(stage, {}).text
    monkeypatch.setattr(Views, "view", lambda *args: SimpleNamespace())
    with pytest.raises(UndefinedError):
        render(stage, {})


def test_all_mistakes_are_found_at_once_and_each_at_its_call() -> None:
    several = Step(
        WriteFiles(files=(("a", "no line end"), ("b", "b\n")), dest="/x/"), slim().env(A="1").stage.steps[0].place
    )
    image = Image(slim().run_commands("x" * 70_000).stage.then(several))
    with pytest.raises(CompileError) as caught:
        rendered(image)
    assert [d.code for d in caught.value.diagnostics] == ["IB144", "IB143"]
    assert [d.place for d in caught.value.diagnostics] == [step.place for step in image.stage.steps]
    assert all(d.place is not None and d.help for d in caught.value.diagnostics)


def test_a_shell_is_that_of_its_own_stage_and_of_those_on_top() -> None:
    """A command that cannot stand on a line is written as the vector that its shell's form means."""
    other = Image.base("debian").shell(["/bin/bash", "-c"]).run_commands("true")
    odd = "a\nb"
    beside = rendered(Image.base("debian").copy_from(other, "/a", "/a").cmd(odd)).text
    assert 'CMD ["/bin/sh", "-c", "a\\nb"]' in beside
    on_top = rendered(Image(Stage(other.stage)).cmd(odd)).text
    assert 'CMD ["/bin/bash", "-c", "a\\nb"]' in on_top


def test_values_that_no_command_line_holds_are_refused() -> None:
    image = Image.base("debian").env({f"V{n}": f"\n{n}" + "x" * 90_000 for n in range(12)})
    with pytest.raises(CompileError) as caught:
        rendered(image)
    assert [d.code for d in caught.value.diagnostics] == ["IB146"]
