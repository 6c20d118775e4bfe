"""The Dockerfile reference as a checklist: every section has cases, and they are read as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError
from imagebuilder.frontends.dockerfile import load
from imagebuilder.frontends.dockerfile.instructions import FLAGS, KEYWORDS
from imagebuilder.frontends.dockerfile.mounts import OPTIONS, SHORT
from imagebuilder.frontends.image import Image
from imagebuilder.ir.ops import Cmd, Entrypoint, Healthcheck, Op
from imagebuilder.ir.stage import Stage, ordered
from tests.unit.backends.rendering import rendered
from tests.unit.frontends.reference import Case
from tests.unit.frontends.reference.commands import COMMANDS
from tests.unit.frontends.reference.files import FILES
from tests.unit.frontends.reference.general import FORMAT, HERE_DOCUMENTS, STAGES
from tests.unit.frontends.reference.settings import SETTINGS

REFERENCE = {**FORMAT, **COMMANDS, **SETTINGS, **FILES, **STAGES, **HERE_DOCUMENTS}
# The headings of the reference that describe a form, in its order; those of its examples are left out.
HEADINGS = """
Format, Parser directives, syntax, escape, check, Environment replacement, .dockerignore file, Exec form,
Shell form, Use a different shell, FROM, Understand how ARG and FROM interact, RUN, RUN --device, RUN --mount,
RUN --mount=type=bind, RUN --mount=type=cache, RUN --mount=type=tmpfs, RUN --mount=type=secret,
RUN --mount=type=ssh, RUN --network, RUN --security, CMD, LABEL, MAINTAINER (deprecated), EXPOSE, ENV, ADD,
ADD: Adding files from the build context, ADD: Pattern matching, ADD: Adding local tar archives,
ADD: Adding files from a URL, ADD: Adding files from a Git repository, ADD: Destination, ADD --keep-git-dir,
ADD --checksum, ADD --chmod, ADD --chown, ADD --link, ADD --unpack, ADD --exclude, COPY,
COPY: Copying from the build context, COPY: Pattern matching, COPY: Destination, COPY --from, COPY --chmod,
COPY --chown, COPY --link, COPY --parents, COPY --exclude, ENTRYPOINT,
Understand how CMD and ENTRYPOINT interact, VOLUME, Notes about specifying volumes, USER, WORKDIR, ARG,
Default values, Scope, Using ARG variables, Predefined ARGs, Automatic platform ARGs in the global scope,
BuildKit built-in build args, ONBUILD, Copy or mount from stage, image, or context, ONBUILD limitations,
STOPSIGNAL, HEALTHCHECK, SHELL, Here-Documents: Running a multi-line script,
Here-Documents: Creating inline files
"""
ENGINE = Path(__file__).parents[2] / "engine" / "dockerfiles"
CASES = [
    pytest.param(case, id=f"{name}-{number}")
    for name, section in REFERENCE.items()
    for number, case in enumerate(section.cases)
]


@pytest.mark.parametrize("case", CASES)
def test_a_form_is_read_as_the_reference_says(case: Case, tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(case.text, newline="")
    if isinstance(case.expected, str):
        with pytest.raises(CompileError) as caught:
            load(file, build_args=dict(case.args))
        assert [each.code for each in caught.value.diagnostics] == [case.expected]
        return
    stage = load(file, build_args=dict(case.args))
    assert [step.op for step in stage.steps] == list(case.expected)
    if any(True for each in ordered(stage) for step in each.steps for _ in step.op.locals()):
        return
    text = rendered(Image(stage)).text
    file.write_text(text)
    again = load(file)
    assert list(map(kept, ordered(again))) == list(map(kept, ordered(stage)))
    assert rendered(Image(again)).text == text


def kept(stage: Stage) -> list[Op]:
    """The operations less the settings that a later one replaces, which are not written."""
    found = [step.op for step in stage.steps]
    last = {type(op): at for at, op in enumerate(found) if isinstance(op, Cmd | Entrypoint | Healthcheck)}
    return [op for at, op in enumerate(found) if last.get(type(op), at) == at]


def test_every_section_of_the_reference_has_cases() -> None:
    """One text of headings, since some of them have commas."""
    rest = " ".join(HEADINGS.split())
    for name in sorted(REFERENCE, key=len, reverse=True):
        rest, count = re.subn(rf"(?:^|(?<=, )){re.escape(name)}(?=, |$)", "", rest)
        assert count == 1, name
    assert rest.replace(",", "").split() == []
    assert all(section.cases for section in REFERENCE.values())


def texts(*names: str) -> str:
    """The cases of these sections that are not refused."""
    sections = [section for name, section in REFERENCE.items() if name.startswith(names)]
    return "\n".join(case.text for section in sections for case in section.cases if not isinstance(case.expected, str))


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_every_instruction_and_flag_has_a_case(keyword: str) -> None:
    """A flag that the front end learns needs one."""
    found = texts(keyword)
    assert re.search(rf"(?m)^{keyword}\b", found)
    for flag in FLAGS.get(keyword, ()):
        assert re.search(rf"(?m)^{keyword} (?:--\S+ )*--{flag}\b", found), flag


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_of_a_mount_has_a_case(option: str) -> None:
    """With each type of mount that takes it, under one of its names."""
    names = [option, *(short for short, name in SHORT.items() if name == option)]
    for kind in OPTIONS[option]:
        found = texts(f"RUN --mount=type={kind}")
        assert any(re.search(rf"[=,]{name}(?=[=, ])", found) for name in names), kind


@pytest.mark.parametrize("name", REFERENCE)
def test_a_section_is_built_by_a_real_engine_or_says_why_not(name: str) -> None:
    """The project has the instruction that the section is about, with its option."""
    project = REFERENCE[name].engine
    if project.startswith("("):
        assert project.endswith(")")
        return
    text = (ENGINE / project / "Dockerfile").read_text()
    found = re.match(r"([A-Z]{2,}\b)(?: (--[a-z-]+)(?:=(type=\w+))?)?", name)
    if found and found[1] in KEYWORDS:
        option = found[2] or ""
        assert re.search(rf"(?mi)^{found[1]}\b.*{option}.*{found[3] or ''}", text), name
