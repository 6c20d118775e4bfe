"""What a file may ask for: a small text that means much is refused, whatever it says much of."""

from __future__ import annotations

import gc
from contextlib import suppress
from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError
from imagebuilder.frontends.snap import load
from imagebuilder.frontends.snap.bounds import MAX_DEPTH, MAX_ERRORS, MAX_OPEN
from imagebuilder.frontends.snap.mistakes import MAX_MISTAKES
from tests.unit.frontends.snap.loading import loaded, refused, written

BODY = "\n".join(f"env A{number}=1" for number in range(200))


def test_a_mistake_is_told_once_for_all_cells_of_a_matrix() -> None:
    assert refused('matrix a=[x, y] b=[x, y] {\nsnapshot "s:{a}-{b}" from scratch {\nusr app\n}\n}') == [("IB810", 3)]


def test_no_more_mistakes_are_told_than_anybody_reads() -> None:
    text = "image a from scratch {\n" + "usr app\n" * 10_000 + "}"
    assert len(refused(text)) == MAX_MISTAKES
    assert len(refused("] ; " * 10_000)) == MAX_ERRORS


def test_what_is_refused_in_one_file_is_told_beside_what_is_in_another(tmp_path: Path) -> None:
    many = "image a from scratch {\n" + "usr app\n" * 200 + "}"
    path = written(tmp_path, it='use "./many.snap" as many\nusr app', many=many)
    with pytest.raises(CompileError) as caught:
        load(path)
    assert len(caught.value.diagnostics) == MAX_MISTAKES


def test_lists_that_nest_too_deeply() -> None:
    depth = MAX_DEPTH + 1
    assert refused(f"image a from scratch {{\napt_install {'[' * depth}a{']' * depth}\n}}") == [("IB852", 2)]
    assert refused(f"param p: list = {'[' * depth}x{']' * depth}") == [("IB852", 1)]


def test_brackets_that_nest_too_deeply_in_a_file_that_does_not_parse() -> None:
    assert ("IB852", 1) in refused("image a from scratch " + "{ when a " * MAX_OPEN)


def test_a_matrix_that_repeats_too_much() -> None:
    cells = ", ".join(str(number) for number in range(200))
    text = f'matrix a=[{cells}] {{\nsnapshot "s:{{a}}" from scratch {{\n{BODY}\n}}\n}}'
    assert refused(text) == [("IB852", 1)]
    assert len(loaded(text.replace(cells, "1, 2, 3")).snapshots) == 3


def test_files_that_are_used_too_often(tmp_path: Path) -> None:
    uses = "\n".join(f'use "./c.snap" as c{number} with n={number}' for number in range(200))
    path = written(tmp_path, it=uses, c=f"param n: int = 0\nimage a from scratch {{\n{BODY}\n}}")
    with pytest.raises(CompileError) as caught:
        load(path)
    assert {error.code for error in caught.value.diagnostics} == {"IB852"}


def test_files_that_use_one_another_in_a_long_chain(tmp_path: Path) -> None:
    files = {f"f{number}": f'use "./f{number + 1}.snap" as next' for number in range(2 * MAX_DEPTH)}
    path = written(tmp_path, it='use "./f0.snap" as next', **files)
    with pytest.raises(CompileError) as caught:
        load(path)
    assert [error.code for error in caught.value.diagnostics] == ["IB852"]


def test_files_that_use_one_another_in_diamonds_are_read_once(tmp_path: Path) -> None:
    files = {
        f"f{number}": f'use "./f{number + 1}.snap" as a\nuse "./f{number + 1}.snap" as b\nimage i from a.i'
        for number in range(20)
    }
    path = written(tmp_path, it='use "./f0.snap" as a\nimage i from a.i', f20="image i from scratch", **files)
    assert load(path).images["i"]


def test_parameters_that_put_in_too_much() -> None:
    long = "x" * 50_000
    text = f'param p: string = "{long}"\nimage a from scratch {{\n' + 'env A="{p}"\n' * 100 + "}"
    assert {code for code, _ in refused(text)} == {"IB852"}
    items = ", ".join("x" * 10 for _ in range(5_000))
    text = f"param p: list = [{items}]\nimage a from scratch {{\n" + "apt_install {p}\n" * 100 + "}"
    assert {code for code, _ in refused(text)} == {"IB852"}
    text = (
        f"param p: list = [{items}]\nparam q: string = y\nimage a from scratch {{\n"
        + "when q in {p} { }\n" * 1000
        + "}"
    )
    assert {code for code, _ in refused(text)} == {"IB852"}


def test_images_that_take_over_too_many_steps() -> None:
    chain = "\n".join(f"image i{number} from i{number - 1} {{ user a }}" for number in range(1, 1_500))
    assert {code for code, _ in refused(f"image i0 from scratch\n{chain}")} == {"IB852"}


def test_a_long_cycle_is_shown_by_its_ends() -> None:
    ring = "\n".join(f"image i{number} from i{(number + 1) % 1000}" for number in range(1000))
    with pytest.raises(CompileError) as caught:
        loaded(ring)
    (error,) = caught.value.diagnostics
    assert error.message == (
        "images that need one another: i0 → i1 → i2 → i3 → i4 → i5 → i6 → i7 → i8 → … (990 more) … → i999 → i0"
    )
    assert len(error.notes) == 10


@pytest.mark.parametrize("text", ["image a from scratch", "imag a from scratch"])
def test_the_collector_is_as_it_was(text: str) -> None:
    for enabled in (False, True):
        (gc.enable if enabled else gc.disable)()
        with suppress(CompileError):
            loaded(text)
        assert gc.isenabled() == enabled
