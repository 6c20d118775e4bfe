"""Python that only describes: nothing else of a text is ever run."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder import CompileError, Image
from imagebuilder.frontends.python_source import read_source

START = "from imagebuilder import Image\n"


def test_local_paths_start_at_the_folder() -> None:
    found = read_source(START + 'image = Image.scratch().add_local_dir("x", "/x")\n', Path("/project"))
    assert found.steps[0].root == "/project"
    assert found == Image(found).stage


@pytest.mark.parametrize(
    "text",
    [
        "import os\n",
        "from os import system\n",
        "from .imagebuilder import Image\n",
        START + "image = print('x')\nprint('x')\n",
        START + "image = Image.scratch().__class__\n",
        START + "image = Image.scratch()._with(1)\n",
        START + "image = [Image.scratch() for x in [1]][0]\n",
        START + "image = (lambda: Image.scratch())()\n",
        START + "image = Image.scratch() if True else 1\n",
        START + "image = f'{1}'\n",
        START + "image: Image = Image.scratch()\n",
        START + "image = other = Image.scratch()\n",
        START + "image = Image.nothing()\n",
        START + "def f(): pass\n",
        START + "x = Secret.parse_raw('', proto='pickle', allow_pickle=True)\n",
        START + "x = '{0.__init__.__globals__}'.format(Image)\n",
        START + "x = Image.stage\n",
        START + "x = Image.scratch().mro()\n",
        START + "Image.scratch()\n",
    ],
)
def test_what_does_more(text: str) -> None:
    with pytest.raises(CompileError) as error:
        read_source(text, Path("/project"))
    assert error.value.diagnostics[0].code == "IB411"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("image = (", "IB402"),
        ("image = '\0'", "IB402"),
        (START, "IB403"),
        (START + "image = 'x'\n", "IB403"),
        (START + "image = Image.scratch().user('a b')\n", "IB120"),
        (START + "image = Image.scratch().user()\n", "IB402"),
        (START + "image = open('x')\n", "IB402"),
    ],
)
def test_what_describes_no_image(text: str, code: str) -> None:
    with pytest.raises(CompileError) as error:
        read_source(text, Path("/project"))
    assert error.value.diagnostics[0].code == code
