"""A matrix: one scope for each combination of its values."""

from __future__ import annotations

from tests.unit.frontends.snap.loading import loaded, refused


def names(text: str, **params: str) -> list[str]:
    return [each.name for each in loaded(text, **params).snapshots]


def test_every_combination_in_order() -> None:
    text = 'matrix a=[1, 2] b=[x, y] { snapshot "s:{a}-{b}" from scratch }'
    assert names(text) == ["s:1-x", "s:1-y", "s:2-x", "s:2-y"]


def test_matrices_nest() -> None:
    text = 'matrix a=[1, 2] { matrix b=[x] { snapshot "s:{a}-{b}" from scratch }; snapshot "t:{a}" from scratch }'
    assert sorted(names(text)) == ["s:1-x", "s:2-x", "t:1", "t:2"]


def test_a_parameter_may_be_the_list() -> None:
    text = 'param versions: list = ["3.11", "3.12"]\nmatrix v={versions} { snapshot "s:{v}" from debian_slim {v} }'
    assert names(text) == ["s:3.11", "s:3.12"]
    assert names(text, versions="3.13") == ["s:3.13"]


def test_a_value_is_a_text() -> None:
    assert names('matrix v=[3.10] { snapshot "s:{v}" from scratch }') == ["s:3.10"]


def test_images_belong_to_their_cell() -> None:
    text = 'image base1 from scratch\nmatrix v=[a, b] { image x from base1 { user {v} }; snapshot "s-{v}" from x }'
    first, second = loaded(text).snapshots
    assert first.image != second.image
    assert set(loaded(text).images) == {"base1"}


def test_conditions_see_the_values() -> None:
    text = 'matrix v=[a, b] { when v == b { snapshot "s-{v}" from scratch } }'
    assert names(text) == ["s-b"]


def test_a_mistake_in_all_cells_is_said_once() -> None:
    assert refused('matrix v=[a, b, c] {\nsnapshot "s-{v}" from scratch { nothing }\n}') == [("IB810", 2)]


def test_a_mistake_in_one_cell_is_said() -> None:
    assert refused('matrix v=["3.12", "4.0"] {\nsnapshot "s-{v}" from debian_slim {v}\n}') == [("IB124", 2)]


def test_as_many_cells_as_the_bound_allows() -> None:
    values = ", ".join(f"v{i}" for i in range(16))
    assert len(names(f'matrix a=[{values}] b=[{values}] {{ snapshot "s:{{a}}-{{b}}" from scratch }}')) == 256
    assert refused(
        f'matrix a=[{values}] b=[{values}] {{ snapshot "s:{{a}}-{{b}}" from scratch }}\nmatrix a=[1] {{ snapshot "t{{a}}" from scratch }}'
    ) == [("IB852", 2)]
