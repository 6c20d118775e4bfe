"""The formatter: what it writes is final, keeps every comment, and says what the file said."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark import Token

from imagebuilder.frontends.snap import load
from imagebuilder.frontends.snap.format import format_text
from imagebuilder.frontends.snap.grammar import tokens
from imagebuilder.frontends.snap.layout import Group, Part, glued, laid_out
from imagebuilder.frontends.snap.syntax import normalised
from imagebuilder.frontends.snap.text import dedented
from tests.property.snap_files import BLANK, ENTRY, LINE, LINES, Between, files
from tests.unit.frontends.snap.test_equal import BASES, DESIGN, STATEMENTS

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)
COMMENT = re.compile(r"# c\d+")


def lexed(text: str) -> list[Token]:
    return tokens(normalised(text) + "\n")


def said(text: str) -> list[tuple[str, str]]:
    """What a text says, from its tokens alone: where statements end, and the text of blocks."""
    found: list[tuple[str, str]] = [("", "{")]
    brackets = ["{"]
    for token in lexed(text):
        if token in ("[", "{", "("):
            brackets.append(token)
        elif token in ("]", "}", ")"):
            brackets.pop()
        if token.type in ("_NL", "_SEMI", "COMMA"):
            if brackets[-1] == "{" and found[-1][1] not in ("{", ";", "and", "or"):
                found.append(("", ";"))
            continue
        if token == "}" and found[-1] == ("", ";"):
            found.pop()
        value = dedented(token[3:-3]) if token.type in ("BLOCK", "RAWBLOCK") else str(token)
        found.append((token.type, value))
    return found[:-1] if found[-1] == ("", ";") else found


@SETTINGS
@given(files())
def test_what_is_written_is_final_and_says_the_same(text: str) -> None:
    made = format_text(text, "a.snap")
    assert format_text(made, "a.snap") == made
    assert said(made) == said(text)
    assert COMMENT.findall(made) == COMMENT.findall(text)


@SETTINGS
@given(files())
def test_the_form_of_lines(text: str) -> None:
    made = format_text(text, "a.snap")
    assert made == "" or (made.endswith("\n") and not made.endswith("\n\n"))
    assert "\r" not in made and not made.startswith(("\n", "\ufeff"))
    outside = made
    for token in reversed(lexed(made)):
        if token.type in ("BLOCK", "RAWBLOCK"):
            outside = outside[: token.start_pos] + "QUOTED" + outside[token.end_pos :]
    lines = outside.split("\n")[:-1]
    for before, line in zip(["", *lines], lines, strict=False):
        assert line == line.rstrip()
        assert (len(line) - len(line.lstrip(" "))) % 4 == 0 and not line.startswith("\t")
        if not line:
            assert before and not before.partition("# ")[0].rstrip().endswith(("{", "[", "("))
        if line.lstrip().startswith(("}", "]")):
            assert before


@SETTINGS
@given(files(), st.sampled_from(["  ", "\t", " \t "]))
def test_blanks_between_words_do_not_matter(text: str, blanks: str) -> None:
    wide = normalised(text) + "\n"
    for token in reversed(lexed(text)):
        begin = token.start_pos or 0
        if wide[begin - 1 : begin] == " ":
            wide = wide[:begin] + blanks + wide[begin:]
    assert format_text(wide, "a.snap") == format_text(text, "a.snap")


def respaced(group: Group, between: Between) -> str:
    """The members of a group with other blanks, line ends and comments between them."""
    found = between.fill(LINES)
    for index, member in enumerate(group.members):
        if index:
            found += between.fill(ENTRY if group.is_list else LINE)
        before: Part | None = None
        for part in member.parts:
            if before is not None and not glued(before, part):
                found += between.fill(BLANK)
            if isinstance(part, Group):
                begin, end = "[]" if part.is_list else "{}"
                found += f"{begin}{respaced(part, between)} {end}"
            else:
                assert isinstance(part, Token)
                found += part
            before = part
    return found + between.fill(LINES)


@pytest.mark.parametrize("seed", range(8))
def test_every_operation_stays_the_same(seed: int, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six\n")
    (tmp_path / "project").mkdir()
    (tmp_path / "project/pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\n[project.optional-dependencies]\nweb = ["flask"]\n'
    )
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/Dockerfile").write_text("ARG VERSION\nFROM scratch AS base\nFROM base AS test\n")
    images = [f"from debian_slim {{\n{statement}\n}}" for statement, _ in STATEMENTS]
    images += [f"from {source}" for source, _ in BASES]
    text = "snap 1\nsecret TOKEN OTHER\nimage other from scratch { add_text x /a }\n"
    text += "".join(f"image i{index} {image}\n" for index, image in enumerate(images))
    odd = respaced(laid_out(lexed(text), "x.snap"), Between(Random(seed), 0.7))
    made = format_text(odd, "x.snap")
    assert made != odd and COMMENT.findall(made) == COMMENT.findall(odd)
    found = load(tmp_path / "x.snap", source=made).images
    assert found == load(tmp_path / "x.snap", source=text).images
    assert len(found) == len(images) + 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_the_key_of_the_sample_of_the_design_stays(seed: int, profile: str) -> None:
    path = DESIGN / "ml.snap"
    odd = respaced(laid_out(lexed(path.read_text()), "ml.snap"), Between(Random(seed), 0.7))
    (before,) = load(path, params={"profile": profile}).snapshots
    (after,) = load(path, params={"profile": profile}, source=format_text(odd, "ml.snap")).snapshots
    assert (after.name, after.resources, after.image.key()) == (before.name, before.resources, before.image.key())
