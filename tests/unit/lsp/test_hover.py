"""What stands at a place, and where it is declared."""

from __future__ import annotations

import pytest

from imagebuilder.frontends.snap.verbs import FACTORIES, factories, verbs
from imagebuilder.lsp import documentation
from imagebuilder.lsp.hover import Found, look
from tests.unit.lsp.editing import at


def found(marked: str) -> tuple[str, Found]:
    document, place = at(marked)
    here = look(document, place)
    assert here is not None
    return document.text[here.begin : here.end], here


def target(marked: str) -> tuple[str, str, int]:
    """The file, the text and the line of a declaration."""
    _, here = found(marked)
    assert here.target is not None
    path, text, begin, end = here.target.path, here.target.text, here.target.begin, here.target.end
    return path.name, text[begin:end], text.count("\n", 0, begin) + 1


def nothing(marked: str) -> bool:
    return look(*at(marked)) is None


def in_image(marked: str) -> str:
    return f"image x from scratch {{\n    {marked}\n}}\n"


@pytest.mark.parametrize("name", verbs())
def test_a_verb_shows_its_documentation(name: str) -> None:
    word, here = found(in_image(f"§{name} a"))
    assert word == name and here.target is None
    assert here.about.startswith(f"```snap\n{name}")
    assert documentation.explained(name).text in here.about
    assert "``" not in here.about.replace("```", "") and ":meth:" not in here.about


@pytest.mark.parametrize("name", FACTORIES)
def test_a_factory_shows_its_documentation(name: str) -> None:
    argument = "" if name == "scratch" else " a"
    word, here = found(f"image x from {name[:2]}§{name[2:]}{argument} {{\n}}")
    assert word == name and documentation.explained(name).text in here.about


def test_every_option_can_be_shown() -> None:
    for verb in (*verbs().values(), *factories().values()):
        for parameter in verb.parameters.values():
            assert documentation.of_option(verb, parameter).startswith(f"```snap\n{verb.name} ")


def test_an_option() -> None:
    word, here = found(in_image("run_commands a net§work=none"))
    assert word == "network"
    assert "`default` or `none` or `host`; `default` by default" in here.about and "cuts it off" in here.about
    word, here = found(in_image("pip_install_from_pyproject . index_url§=https://x"))
    assert word == "index_url" and "instead of the public index" in here.about
    word, here = found("image x from debian_slim debi§an=trixie")
    assert word == "debian" and "trixie" in here.about


def test_the_value_of_an_option_is_no_option() -> None:
    assert nothing(in_image("run_commands a network=no§ne"))
    assert nothing(in_image("env user§=a"))


@pytest.mark.parametrize(
    "text",
    [
        'image x from debian_slim "{pyt§hon}"', in_image("workdir /a{§python}/b"), in_image("pip_install [{python§}]"),
        in_image('env A="{{{python§}"'), in_image('run_commands """\n{{{py§thon}}} {x}"""'), "when pyth§on == a {}",
        in_image("when fast and python§ == a {"), in_image("when fast {} else when §python == a {"),
        'param other: string = "{pytho§n}"', 'use "./common.snap" as c with mode={§python}',
    ],
)  # fmt: skip
def test_a_parameter(text: str) -> None:
    word, here = found(text)
    assert word == "python"
    assert here.about == '```snap\nparam python: string = "3.12"\n```\n\nThe series of Python.'
    assert target(text) == ("app.snap", "python", 4)


def test_an_axis() -> None:
    text = 'matrix release=["a"] {\n    snapshot "x{rel§ease}" from tools\n}'
    assert "each value in turn" in found(text)[1].about
    assert target(text) == ("app.snap", "release", 10)


def test_no_parameter_in_plain_text() -> None:
    assert nothing(in_image("workdir '{pyt§hon}'"))
    assert nothing(in_image('run_commands """\n{pyt§hon} python"""'))
    assert nothing("# {pyt§hon}")


def test_a_secret() -> None:
    for text in (
        "run_commands a secrets=[OTH§ER]",
        'run_commands a secrets=["PIP_TOKEN", "§OTHER"]',
        "run_commands a secrets=OTHER§",
    ):
        word, here = found(in_image(text))
        assert word == "OTHER" and "at build time only" in here.about
        assert target(in_image(text)) == ("app.snap", "OTHER", 8)


def test_an_image() -> None:
    for text in (
        "snapshot a from to§ols",
        in_image("copy_from §tools /a /b"),
        in_image("copy_from /a /b image=tools§"),
    ):
        assert found(text)[0] == "tools"
        assert target(text) == ("app.snap", "tools", 9)
    assert found("image to§ols2 from tools")[0] == "tools2"


def test_an_image_of_another_file() -> None:
    for text in ("image x from common.comp§iler", in_image("copy_from common.§compiler /a /b")):
        word, here = found(text)
        assert word == "common.compiler" and "In `./common.snap`." in here.about
        assert target(text) == ("common.snap", "compiler", 6)


def test_an_image_called_base() -> None:
    text = "image base from scratch\nimage x from ba§se {\n}\n"
    assert target(text) == ("app.snap", "base", 10)


def test_an_alias() -> None:
    assert target("image x from com§mon.compiler") == ("app.snap", "common", 2)
    assert target("image x from common§.missing")[1] == "common"


def test_a_file() -> None:
    word, here = found('use "./com§mon.snap" as c')
    assert word == "./common.snap" and "image compiler from base" in here.about
    assert target('use "./com§mon.snap" as c') == ("common.snap", "", 1)
    assert nothing('use "./missing§.snap" as c') and nothing('use "/etc/pass§wd" as c')


def test_a_parameter_of_another_file() -> None:
    word, here = found('use "./common.snap" as c with mo§de=debug')
    assert word == "mode" and "How much is built." in here.about
    assert target('use "./common.snap" as c with mo§de=debug') == ("common.snap", "mode", 3)


@pytest.mark.parametrize("word", ["use", "param", "secret", "image", "snapshot", "matrix", "when"])
def test_a_keyword(word: str) -> None:
    assert found(f"§{word} x")[1].about == documentation.ITEMS[word]


def test_types_and_resources() -> None:
    assert found("param x: si§ze = 1GiB")[1].about == documentation.TYPES["size"]
    assert found("param x: one o§f [a]")[1].about == documentation.TYPES["one of"]
    assert "4GiB" in found('snapshot "x" from tools {\n    resources memo§ry=1GiB\n}')[1].about


def test_nothing_where_nothing_is_known() -> None:
    for text in (
        "§",
        "  §  ",
        in_image("§"),
        in_image("pip_install num§py"),
        in_image("nonsen§se a"),
        "image x from nonsen§se",
    ):
        assert nothing(text)
