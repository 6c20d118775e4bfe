"""Every mistake: its code, its exact place, and a hint. `^` in a text marks where it must be found."""

from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError, Diagnostic, Span
from imagebuilder.frontends.dockerfile import CODES, MAX_SIZE, load, parse_commands
from imagebuilder.ir.ops import Scratch
from imagebuilder.ir.stage import Stage

TABLE = [
    ("IB304", "^"),
    ("IB304", "^# only a comment\n"),
    ("IB305", "ARG A\n^RUN x\nUSER y\nFROM a"),
    ("IB306", "^ARG A=1\n"),
    ("IB307", "FROM a\n  ^RUNN x"),
    ("IB307", "^FORM a\nRUN x"),
    ("IB307", "FROM a\nRUN x \\\n  y\n^whoami"),
    ("IB308", "FROM a\nCOPY ^--form=x a b"),
    ("IB308", "FROM a\nENV ^--x a=b"),
    ("IB308", "FROM a\nRUN ^--device=x y"),
    ("IB308", "FROM a\nCOPY --link \\\n   ^--chwon=1 \\\n a b"),
    ("IB309", "FROM a\nCOPY ^--from a b"),
    ("IB309", "FROM a\nCOPY --from=^ a b"),
    ("IB309", "FROM a\nCOPY ^--link=maybe a b"),
    ("IB309", "FROM a\nCOPY --link ^--link a b"),
    ("IB309", "FROM a\nCOPY ^--chmod=rwx a b"),
    ("IB309", "FROM a\nADD ^--checksum=md5:1 https://h/a b"),
    ("IB309", "FROM a\nRUN --network=^hots x"),
    ("IB309", "FROM a\nHEALTHCHECK --retries=^-1 CMD x"),
    ("IB310", "# escape=^x\nFROM a"),
    ("IB310", "# escape=`\n# escape=^`\nFROM a"),
    ("IB310", "#syntax=^other/frontend:1\nFROM a"),
    ("IB310", "# check=^nonsense\nFROM a"),
    ("IB311", "FROM a\nRUN ^<<EOF\nx\n EOF\n"),
    ("IB311", "FROM a\nCOPY <<A ^<<B /x/\nA\nx"),
    ("IB312", "FROM a\nCOPY a ^<<E\nE"),
    ("IB312", 'FROM a\nCOPY [^"<<E", "/x"]'),
    ("IB312", "FROM a\nCOPY ^<<  E /x\nE"),
    ("IB312", "FROM a\nCOPY <<E ^<<E /x/\nE\nE"),
    ("IB313", 'FROM a\nENV A=^"b'),
    ("IB313", "FROM a\nCOPY ^'a b' /x"),
    ("IB313", "FROM a\nUSER x^${y"),
    ("IB314", "FROM a\nCOPY <<E /x\nok\n^${a\nE"),
    ("IB314", "FROM a\nWORKDIR /a\\\n/b^${}"),
    ("IB314", "FROM a\nENV A=1 B=^${A=2}"),
    ("IB315", "FROM a\n^RUN"),
    ("IB315", "FROM a\n^RUN []"),
    ("IB315", "FROM a\n^COPY a"),
    ("IB315", "FROM a\n^ENV"),
    ("IB315", "FROM a\nENV ^A"),
    ("IB315", "FROM a\n^EXPOSE"),
    ("IB315", "FROM a\n^HEALTHCHECK CMD"),
    ("IB315", "FROM a\n^VOLUME []"),
    ("IB315", 'FROM a\nVOLUME [^" "]'),
    ("IB315", "FROM a\n^ONBUILD"),
    ("IB315", "FROM scratch\nARG A=\nCOPY ^$A /x"),
    ("IB316", "FROM a\nENV A=1 ^B C=2"),
    ("IB316", "FROM a\nLABEL a=b ^c"),
    ("IB317", "FROM a\nSHELL ^/bin/sh -c"),
    ("IB317", "FROM a\nSHELL ^['a']"),
    ("IB317", "FROM a\nSHELL ^[]"),
    ("IB317", 'FROM a\nCMD ^["a", 1]'),
    ("IB318", "FROM a ^b"),
    ("IB318", "^FROM"),
    ("IB318", "FROM a ^of b"),
    ("IB318", "ARG A=\nFROM ^$A"),
    ("IB319", "FROM a AS ^1st"),
    ("IB319", "FROM a AS ^scratch"),
    ("IB322", "FROM a\nCOPY --from=^0 a b"),
    ("IB322", "FROM a AS x\nCOPY --from=^x a b"),
    ("IB322", "FROM a\nCOPY --from=^x a b\nFROM a AS x"),
    ("IB322", "FROM a\nRUN --mount=target=/x,from=^x y\nFROM a AS x"),
    ("IB324", "FROM ^a:$V"),
    ("IB324", "ARG V\nFROM ^a:$V"),
    ("IB324", "FROM --platform=^$V a"),
    ("IB325", "FROM ^a-$TARGETARCH"),
    ("IB325", "FROM a\nARG TARGETARCH\nCOPY ^bin/$TARGETARCH /x"),
    ("IB326", "FROM a\nCOPY ok ^$HOME/x /x"),
    ("IB326", "ARG V=1\nFROM a\nCOPY ^$V /x"),
    ("IB326", "FROM a\nARG V\nCOPY ^$V /x"),
    ("IB326", "FROM a\nENV A=$B\nRUN --mount=type=secret,id=^$A y"),
    ("IB327", "FROM a\nRUN --mount=^nope=1 x"),
    ("IB327", "FROM a\nRUN --mount=type=^cahce,target=/x x"),
    ("IB327", "FROM a\nRUN --mount=type=ssh,^target x"),
    ("IB327", "FROM a\nRUN --mount=type=cache,target=/x,sharing=^none x"),
    ("IB327", "FROM a\nRUN --mount=type=bind,target=/x,mode=^0755 x"),
    ("IB327", "FROM a\nRUN --mount=type=secret,id=a,from=^b x"),
    ("IB327", "FROM a\nRUN --mount=type=secret,id=a,source=^b x"),
    ("IB327", "FROM a\nRUN --mount=^type=secret x"),
    ("IB327", "FROM a\nRUN --mount=type=cache,target=/x,uid=^me x"),
    ("IB327", "FROM a\nRUN --mount=type=cache,target=/x,readonly=^maybe x"),
    ("IB327", "FROM a\nRUN --mount=target=/x,^target=/y x"),
    ("IB327", "FROM a\nRUN --mount=target=/x,^id x"),
    ("IB328", "FROM a\nHEALTHCHECK ^curl x"),
    ("IB328", "FROM a\n^HEALTHCHECK --interval=3s NONE"),
    ("IB328", "FROM a\n^HEALTHCHECK NONE x"),
    ("IB329", "FROM a\nONBUILD ^ONBUILD RUN x"),
    ("IB329", "FROM a\nONBUILD ^from b"),
    ("IB329", "FROM a\nONBUILD ^MAINTAINER me"),
    ("IB307", "FROM a\nONBUILD ^RUNN x"),
    ("IB308", "FROM a\nONBUILD COPY ^--nope a b"),
    ("IB331", "FROM --platform=^linux a"),
    ("IB331", "FROM --platform=^linux/ a"),
    ("IB332", "FROM a\nARG B=b\nCOPY --from=^$B a b"),
    ("IB332", "FROM a\nRUN --mount=from=^${B},target=/x x"),
    ("IB333", "FROM a\nUSER " + "${a:-" * 16 + "^${a:-" + "}" * 17),
    ("IB333", "FROM scratch\nARG A=" + "x" * 60_000 + "\nCOPY ^$A$A /x"),
    ("IB334", "FROM scratch\nCOPY ^${A:?give-it} /x"),
    ("IB334", "FROM ^${A:?give-it}"),
    ("IB335", "FROM a\nUSER ^${a#\\q}"),
    ("IB336", "FROM a\n^\\\n"),
    ("IB337", "FROM a\nCOPY ^--from=b <<E /x\nE"),
    ("IB337", "FROM a\nADD ^--checksum=sha256:" + "0" * 64 + " a /x"),
    ("IB338", "FROM a\nCOPY ^https://h/a /x"),
    ("IB340", "FROM a\nARG A=1 ^# why"),
    ("IB340", "ARG A=1 ^#why\nFROM a"),
    ("IB340", "FROM a\nENV A=1 \\\n  B=2 ^# why"),
    ("IB340", "FROM a\nLABEL a=b ^# it's one"),
    ("IB340", "FROM a\nEXPOSE 80 ^# http"),
    ("IB107", "FROM a\nADD ^https://user:secret@h/a /x"),
    ("IB107", "FROM a\nADD ^https://$TOKEN@h/a /x"),
    ("IB113", "FROM ^Upper"),
    ("IB113", "FROM a\nCOPY --from=^Upper a b"),
    ("IB112", "ARG ^a$b=1\nFROM a"),
]


def failing(text: str, folder: Path) -> tuple[Diagnostic, ...]:
    file = folder / "Dockerfile"
    file.write_text(text, newline="")
    with pytest.raises(CompileError) as caught:
        load(file)
    return caught.value.diagnostics


@pytest.mark.parametrize(("code", "marked"), [pytest.param(*row, id=f"{row[0]}-{row[1][:40]!r}") for row in TABLE])
def test_a_mistake_has_its_code_place_and_hint(tmp_path, code, marked):
    """One diagnostic for one cause, at the very character."""
    before, caret, after = marked.partition("^")
    (found,) = failing(before + after, tmp_path)
    assert found.code == code
    span = found.place
    assert isinstance(span, Span)
    if caret:
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        assert (span.line, span.column or 1) == (line, column)
    assert found.help
    assert str(tmp_path) in found.render()


def test_the_line_of_a_here_document(tmp_path):
    """A wrong variable in a body is shown at its own line."""
    (found,) = failing("FROM a\nCOPY <<-E /x\n\tok\n\t${a\nE", tmp_path)
    assert found.place == Span(str(tmp_path / "Dockerfile"), 4)


def test_all_independent_mistakes_come_at_once(tmp_path):
    """In the order of the file, in all of its stages."""
    text = "FROM a AS x\nRUNN y\nENV A\nFROM b c\nCOPY --from=y a\nEXPOSE nope\nFROM c:$V\nUSER\n"
    found = [(each.code, each.place.resolve().line) for each in failing(text, tmp_path)]
    assert found == [
        ("IB307", 2), ("IB315", 3), ("IB318", 4), ("IB315", 5), ("IB115", 6), ("IB324", 7), ("IB315", 8)
    ]  # fmt: skip


def test_a_broken_stage_does_not_break_those_on_top(tmp_path):
    """One diagnostic for the cause, none for what follows from it."""
    text = "FROM a AS x\nRUNN y\nFROM x AS z\nCOPY --from=x a b\nFROM z\nCOPY --from=0 a b\n"
    assert [each.code for each in failing(text, tmp_path)] == ["IB307"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("FROM a\nRUNN x", "did you mean 'RUN'?"),
        ("FROM a\nCOPY --chwon=1 a b", "did you mean '--chown'?"),
        ("ARG VERSION=1\nFROM a:$VERSON", "did you mean 'VERSION'?"),
        ("FROM a\nRUN --mount=type=cahce,target=/x y", "did you mean 'cache'?"),
        ("FROM a\nRUN --mount=type=cache,tagret=/x y", "did you mean 'target'?"),
        ("FROM a\nARG SRC=x\nCOPY $SCR /x", "did you mean 'SRC'?"),
        ("ARG V=1\nFROM a\nCOPY $V /x", "an ARG before the first FROM must be repeated: ARG V"),
        (
            "FROM a\nARG TARGETOS TARGETARCH BIN\nCOPY d/$TARGETOS/$TARGETARCH/$BIN$TARGETOS /x",
            "--platform reads it for one; or pass --build-arg TARGETOS=… --build-arg TARGETARCH=… --build-arg BIN=…, or"
            " build_args={'TARGETOS': …, 'TARGETARCH': …, 'BIN': …}",
        ),
        (
            "FROM a-$TARGETOS",
            "--platform reads it for one; or pass --build-arg TARGETOS=…, or build_args={'TARGETOS': …}",
        ),
    ],
)
def test_hints(tmp_path, text, hint):
    """A near miss is recognised."""
    (found,) = failing(text, tmp_path)
    assert found.help == hint


def test_files_that_cannot_be_read(tmp_path):
    """Missing, a folder, of another encoding, too large, or with a NUL."""

    def code(path: Path) -> tuple[str, object]:
        with pytest.raises(CompileError) as caught:
            load(path)
        (found,) = caught.value.diagnostics
        return found.code, found.place and (found.place.resolve().line, found.place.resolve().column)

    file = tmp_path / "Dockerfile"
    assert code(file) == ("IB301", None)
    assert code(tmp_path) == ("IB301", None)
    assert code(Path("a\0b")) == ("IB301", None)
    file.write_bytes("FROM a\nRUN é\xff".encode("latin-1"))
    assert code(file) == ("IB302", (2, 5))
    file.write_bytes(b"FROM a\nRUN \0")
    assert code(file) == ("IB302", (2, 5))
    file.write_bytes(b"#" * (MAX_SIZE + 1))
    assert code(file) == ("IB303", None)


def test_commands(tmp_path):
    """FROM and stages are not for commands; the place is the call, and a note shows the line."""
    with pytest.raises(CompileError) as caught:
        parse_commands(["RUN a", "FROM b\nRUNN c", "COPY --from=0 a b"], context_dir=tmp_path)
    assert [(each.code, str(each.place)) for each in caught.value.diagnostics] == [
        ("IB330", "<commands>:2:1"),
        ("IB307", "<commands>:3:1"),
        ("IB332", "<commands>:4:13"),
    ]
    call = Span("spec.py", 7, 1)
    with pytest.raises(CompileError) as caught:
        parse_commands(["RUN a", "RUNN b"], context_dir=tmp_path, place=call)
    (found,) = caught.value.diagnostics
    assert found.place == call
    assert found.notes[0].message == "in line 2: RUNN b"
    (step,) = parse_commands(["RUN a"], context_dir=tmp_path, place=call)
    assert step.place == call
    assert parse_commands([], context_dir=tmp_path) == []
    with pytest.raises(CompileError) as caught:
        parse_commands(["RUN \ud800"], context_dir=tmp_path)
    assert caught.value.diagnostics[0].code == "IB302"


def test_a_stage_that_no_command_takes_from(tmp_path):
    stage = Stage(Scratch())
    with pytest.raises(CompileError) as caught:
        parse_commands(["COPY --from=b /x /x"], context_dir=tmp_path, stages={"B": stage, "c": stage})
    (found,) = caught.value.diagnostics
    assert (found.code, found.help) == ("IB339", "write --from=c, or leave it out of stages=")


def test_too_many_stages(tmp_path):
    """The bound that keeps walks over stages from ending in a recursion error."""
    found = failing("FROM a AS s0\n" + "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(250)), tmp_path)
    assert [each.code for each in found] == ["IB333"]


def test_every_code_is_listed_and_tested():
    """The codes in the package are the keys of CODES, and each has a case here."""
    import re

    import imagebuilder.frontends.dockerfile as package

    sources = "".join(each.read_text() for each in Path(package.__file__).parent.glob("*.py"))
    used = set(re.findall(r'"(IB3\d\d)",', sources.replace("CODES", "")))
    assert used == set(CODES)
    tested = {row[0] for row in TABLE} | {"IB301", "IB302", "IB303", "IB320", "IB321", "IB323", "IB330", "IB339"}
    assert set(CODES) <= tested
