"""Conditions: what holds, and what is looked at."""

from __future__ import annotations

import pytest

from tests.unit.frontends.snap.loading import refused, variables

DECLARED = "param p: one of [a, b] = a\nparam n: int = 3\nparam t: bool = true\nparam f: bool = false\nparam s: string = 'x y'\nparam l: list = [a, c]\nparam o: string = a"


def holds(condition: str) -> bool:
    text = f"{DECLARED}\nimage it from scratch {{\nwhen {condition} {{ env A=1 }} else {{ env A=2 }}\n}}"
    return variables(text)["A"] == "1"


@pytest.mark.parametrize(
    "condition",
    [
        "t", "not f", "p == a", 'p == "a"', "p == 'a'", "p != b", "n == 3", "n == 03", "t == true", "f == false", 's == "x y"',
        "p in [a]", "p in [a, b]", "p not in [b]", "p in {l}", "n in [1, 2, 3]", "p == {o}", 'p == "{o}"', "o != {s}", "n not in []",
        "t and p == a", "f or p == a", "f or t and t", "not f and t", "not (f and t)", "not f or f", "(t or f) and (p == a or f)",
        "f and f or t", "t or t and f", "not (not t)", "p in [\n a\n b\n]", "(\nt\n)", "t and\n t", "f or\n t",
    ],
)  # fmt: skip
def test_what_holds(condition: str) -> None:
    assert holds(condition)
    assert not holds(f"not ({condition})")


def test_the_first_branch_that_holds_is_taken() -> None:
    text = (
        "param p: one of [a, b, c] = a\nimage it from scratch {\n"
        "when p == a { env A=1 } else when p == b { env A=2 } else { env A=3 }\nwhen p == c { env B=1 }\n}"
    )
    assert variables(text) == {"A": "1"}
    assert variables(text, p="b") == {"A": "2"}
    assert variables(text, p="c") == {"A": "3", "B": "1"}


def test_both_sides_are_looked_at() -> None:
    text = (
        f"{DECLARED}\nimage it from scratch {{\nwhen t or nope == a {{ env A=1 }}\nwhen f and n == x {{ env A=1 }}\n}}"
    )
    assert refused(text) == [("IB811", 9), ("IB836", 10)]


def test_a_chain_of_else_is_as_long_as_one_likes() -> None:
    chain = "when s == v0 { env A=0 }" + "".join(f" else when s == v{i} {{ env A={i} }}" for i in range(1, 300))
    assert variables(f"param s: string = v299\nimage it from scratch {{\n{chain}\n}}") == {"A": "299"}


@pytest.mark.parametrize("depth", [32, 33, 5000])
def test_blocks_nest_up_to_a_bound(depth: int) -> None:
    text = "param t: bool = true\nimage it from scratch {\n" + "when t { " * depth + "env A=1" + " }" * depth + "\n}"
    if depth <= 32:
        assert variables(text) == {"A": "1"}
    else:
        assert refused(text) == [("IB852", 3)]
