"""What is suggested, by where the cursor is."""

from __future__ import annotations

import pytest

from imagebuilder.frontends.snap.params import SCALARS
from imagebuilder.frontends.snap.verbs import FACTORIES, verbs
from imagebuilder.lsp.completion import complete
from imagebuilder.lsp.suggestion import Completion, Suggestion
from tests.unit.lsp.editing import BEFORE, at

ITEMS = ["use", "param", "secret", "image", "snapshot", "matrix", "when"]
IMAGES = ["tools", "common.base", "common.compiler"]
PARAMS = ["python", "profile", "fast", "many"]


def labels(marked: str, before: str = BEFORE) -> list[str]:
    return [each.label for each in complete(*at(marked, before)).suggestions]


def in_image(marked: str) -> list[str]:
    return labels(f"image x from scratch {{\n    {marked}\n}}\n")


def replaced(marked: str) -> str:
    document, place = at(marked)
    found = complete(document, place)
    return document.text[found.begin : found.end]


def suggestion(marked: str, label: str) -> Suggestion:
    return next(each for each in complete(*at(marked)).suggestions if each.label == label)


# Where a statement begins --------------------------------------------------------------------------


def test_items_at_the_level_of_a_file() -> None:
    assert labels("§") == ITEMS
    assert labels("im§") == ITEMS
    assert labels("§", before="") == ["snap 1", *ITEMS]
    assert labels("when fast {\n    §\n}") == ITEMS
    assert labels('matrix p=["a"] {\n    sn§\n}') == ITEMS


def test_verbs_in_an_image() -> None:
    assert in_image("§") == [*verbs(), "when"]
    assert in_image("pip_i§") == [*verbs(), "when"]
    assert in_image("env A=b; §") == [*verbs(), "when"]
    assert in_image("when fast {\n §\n}") == [*verbs(), "when"]


def test_a_snapshot_has_resources_besides() -> None:
    assert labels('snapshot "x" from tools {\n    §\n}') == [*verbs(), "when", "resources"]


def test_verbs_in_a_block_that_is_not_closed() -> None:
    assert labels("image x from scratch {\n    §") == [*verbs(), "when"]
    assert labels("image x from scratch {\n    §\nimage y from scratch {\n}") == [*verbs(), "when"]
    assert labels("image x from scratch {\n    apt_install [a,\nimage y from scratch {\n §") == [*verbs(), "when"]


def test_else_after_a_branch() -> None:
    assert in_image("when fast { user a } §") == ["else"]
    assert in_image("when fast { user a } else when fast { user b } §") == ["else"]
    assert in_image("when fast { user a } else §") == ["when"]
    assert labels("image x from scratch { } §") == []


def test_a_snippet_has_what_a_verb_cannot_do_without() -> None:
    inside = "image x from scratch {\n    §\n}"
    assert suggestion(inside, "copy_from").snippet == 'copy_from ${1:image} "${2:src}" "${3:dst}"'
    assert suggestion(inside, "shell").snippet == 'shell ["${1:word}"]'
    assert suggestion(inside, "apt_install").snippet == "apt_install $0"
    assert suggestion("§", "image").snippet.startswith("image ${1:name} from ${2:")


def test_what_is_written_already_is_replaced() -> None:
    assert replaced("image x from scratch {\n    pip_§inst\n}") == "pip_"
    assert replaced("image x from scratch {\n    pip_install pre=t§\n}") == "t"
    assert replaced('image x from debian_slim "{py§"') == "py"
    assert replaced("image x from common.com§") == "common.com"


# What an image starts from --------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["image x", 'snapshot "x"'])
def test_from(head: str) -> None:
    assert labels(f"{head} §") == ["from"]
    assert labels(f"{head} from §") == [*FACTORIES, *IMAGES]
    assert labels(f"{head} from deb§ {{\n}}\n") == [*FACTORIES, *IMAGES]
    assert labels(f"{head} from scratch §") == []
    assert labels(f"{head} from debian_slim §") == ["python_version=", "debian="]
    assert labels(f'{head} from debian_slim "3.12" §') == ["debian="]
    assert labels(f"{head} from base §") == [*IMAGES, "ref=", "platform="]


def test_images_of_a_matrix_are_seen_inside_of_it() -> None:
    matrix = 'matrix p=["a"] {{\n    image inner from scratch\n    snapshot "x{{p}}" from {}\n}}\n'
    assert "inner" in labels(matrix.format("§"))
    assert "inner" not in labels(matrix.format("scratch") + "image y from §")


# Arguments ------------------------------------------------------------------------------------------


def test_options_that_are_not_given_yet() -> None:
    options = ["find_links=", "index_url=", "extra_index_urls=", "pre=", "extra_options=", "secrets="]
    assert in_image("pip_install numpy §") == options
    assert in_image("pip_install numpy §pre=true secrets=[OTHER]") == [
        o for o in options if o not in ("pre=", "secrets=")
    ]
    assert in_image('pip_install index_url="https://x" fi§') == [o for o in options if o != "index_url="]


def test_a_positional_argument_is_no_option_any_more() -> None:
    assert in_image("add_local_dir ./a §") == ["remote_path=", "ignore=", "chown="]
    assert in_image("add_local_dir ./a /b §") == ["ignore=", "chown="]
    assert in_image("add_local_dir local_path=./a §") == ["remote_path=", "ignore=", "chown="]


def test_an_option_is_written_with_its_form() -> None:
    inside = "image x from scratch {\n    run_commands a §\n}"
    assert suggestion(inside, "network=").snippet == "network=${1|default,none,host|}"
    assert suggestion(inside, "secrets=").snippet == "secrets=[$1]"
    assert (
        suggestion("image x from scratch {\n    apt_install a §\n}", "recommends=").snippet
        == "recommends=${1|true,false|}"
    )


def test_values_of_options() -> None:
    assert in_image("apt_install a recommends=§") == ["true", "false"]
    assert in_image("run_commands a network=§") == ["default", "none", "host"]
    assert in_image('run_commands a network="§"') == ["default", "none", "host"]
    assert in_image("run_commands a network=n§ cache=[x]") == ["default", "none", "host"]
    assert in_image("pip_install a index_url=§") == []
    assert in_image("healthcheck §")[0] == "none"


def test_secrets() -> None:
    assert in_image("pip_install a secrets=[§]") == ["PIP_TOKEN", "OTHER"]
    assert in_image('pip_install a secrets=["PIP_TOKEN", "§"]') == ["OTHER"]
    assert in_image("pip_install a secrets=[\n        PIP_TOKEN,\n        §") == ["OTHER"]
    assert in_image("pip_install a secrets=§") == ["PIP_TOKEN", "OTHER"]


def test_images_to_copy_from() -> None:
    assert in_image("copy_from §")[:3] == IMAGES
    assert in_image("copy_from common.§ /a /b")[:3] == IMAGES
    assert in_image("copy_from image=§") == IMAGES
    assert in_image("copy_from tools §") == ["src=", "dst=", "chown=", "chmod="]


def test_env_has_no_options() -> None:
    assert in_image("env §") == []
    assert in_image("env A=§") == []


def test_resources() -> None:
    assert labels('snapshot "x" from tools {\n    resources cpu=2 §\n}') == ["memory=", "disk=", "gpu="]


# Parameters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        'image x from debian_slim "{§',
        'image x from debian_slim "{§"',
        'image x from debian_slim "a{python}b{py§"',
        'image x from debian_slim "{{{§"',
        "image x from base img:{§",
        "image x from scratch {\n    pip_install {§\n}",
        "image x from scratch {\n    pip_install a{pyth§ b\n}",
        "image x from scratch {\n    pip_install [{§]\n}",
        'image x from scratch {\n    env A="{§"\n}',
        'image x from scratch {\n    env A=$"{§"\n}',
        'image x from scratch {\n    run_commands """\n        a {{{§\n    """\n}',
    ],
)
def test_parameters_in_a_hole(text: str) -> None:
    assert labels(text) == PARAMS


def test_a_hole_is_closed_where_it_is_not() -> None:
    assert suggestion('image x from debian_slim "{py§"', "python").insert == "python}"
    assert suggestion('image x from debian_slim "{py§}"', "python").insert == "python"
    assert suggestion('image x from scratch {\n    run_commands """{{{§"""\n}', "python").insert == "python}}}"


@pytest.mark.parametrize(
    "text", ["'{§'", '"{{§"', '"\\\\${§"', '"""{§"""', "'''{{{§'''", '"a§"', '"{python}§"', '"{python}"§']
)
def test_no_parameters_in_plain_text(text: str) -> None:
    assert in_image(f"workdir {text}") == []


def test_the_axes_of_a_matrix_are_parameters_inside_of_it() -> None:
    assert labels('matrix release=["a"] {\n    snapshot "x{§"\n}') == [*PARAMS, "release"]


def test_types() -> None:
    types = [*SCALARS, "list", "one of"]
    assert labels("param x: §") == types
    assert labels("param x: st§") == types
    assert labels("param x: list[§") == list(SCALARS)
    assert labels("param x: list[s§]") == list(SCALARS)
    assert labels("param x: string §") == []


def test_defaults() -> None:
    assert labels("param x: bool = §") == ["true", "false"]
    assert labels('param x: one of ["a", "b"] = §') == ["a", "b"]
    assert labels('param x: one of ["a", "b"] = "§"') == ["a", "b"]
    assert labels("param x: string = §") == []


# Conditions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", ["image x from scratch {{\n    {}\n}}\n", "{}\n"])
def test_conditions(block: str) -> None:
    def here(marked: str) -> list[str]:
        return labels(block.format(marked))

    operators = ["==", "!=", "in", "not in"]
    assert here("when §") == [*PARAMS, "not"]
    assert here("when pro§") == [*PARAMS, "not"]
    assert here("when not (fast and §") == [*PARAMS, "not"]
    assert here("when profile §") == operators
    assert here("when profile =§") == operators
    assert here("when fast §") == [*operators, "and", "or"]
    assert here("when profile == §") == ["cpu", "gpu"]
    assert here("when profile ==§") == ["cpu", "gpu"]
    assert here("when profile != g§") == ["cpu", "gpu"]
    assert here('when profile == "c§"') == ["cpu", "gpu"]
    assert here('when profile == "c§') == ["cpu", "gpu"]
    assert here("when profile in §") == []
    assert here("when profile in [§") == ["cpu", "gpu"]
    assert here('when profile not in ["cpu", §] {') == ["cpu", "gpu"]
    assert here('when profile in ["cpu"§') == []
    assert here("when fast == §") == ["true", "false"]
    assert here('when profile == "gpu" §') == ["and", "or"]
    assert here('when (profile in ["gpu"]) §') == ["and", "or"]
    assert here('when profile == "gpu" or §') == [*PARAMS, "not"]
    assert here("when profile == {§") == PARAMS
    assert here("when fast {} else when §") == [*PARAMS, "not"]


def test_a_choice_is_written_in_quotes() -> None:
    assert suggestion("when profile == §", "gpu").insert == '"gpu"'
    assert suggestion('when profile == "§"', "gpu").insert == "gpu"
    assert suggestion("when fast == §", "true").insert == "true"


# Imports --------------------------------------------------------------------------------------------


def test_use() -> None:
    assert labels('use "./common.snap" §') == ["as"]
    assert labels('use "./common.snap" as c §') == ["with"]
    assert labels('use "./common.snap" as c with §') == ["mode=", "size="]
    assert labels('use "./common.snap" as c with size=2GiB §') == ["mode="]
    assert labels('use "./common.snap" as c with mode=§') == ["debug", "release"]
    assert labels('use "./missing.snap" as c with §') == []


# Nothing --------------------------------------------------------------------------------------------


def test_nothing_in_comments() -> None:
    assert labels("# when §") == []
    assert in_image("user app # §") == []


@pytest.mark.parametrize("place", [-1, 10**9])
def test_a_place_outside_of_the_text(place: int) -> None:
    document, _ = at("§")
    assert complete(document, place) == Completion(place, place, ())
