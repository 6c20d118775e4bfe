"""The examples in the passes' docstrings are true, and every pass has one."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module
from types import ModuleType

import pytest

import imagebuilder.passes
from imagebuilder.passes import PASSES, Pass

MODULES = ["imagebuilder.passes"] + [
    found.name for found in pkgutil.walk_packages(imagebuilder.passes.__path__, "imagebuilder.passes.")
]


def examples(module: ModuleType) -> int:
    return sum(len(test.examples) for test in doctest.DocTestFinder().find(module))


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    module = import_module(name)
    result = doctest.testmod(module)
    assert (result.failed, result.attempted) == (0, examples(module))


@pytest.mark.parametrize("step", PASSES, ids=lambda step: step.__name__)
def test_a_pass_has_an_example_that_calls_it(step: Pass) -> None:
    function = step.__name__  # type: ignore[attr-defined]
    module = import_module(step.__module__)
    assert module.__name__ in MODULES
    sources = [example.source for test in doctest.DocTestFinder().find(module) for example in test.examples]
    assert any(f"{function}(" in source for source in sources)
