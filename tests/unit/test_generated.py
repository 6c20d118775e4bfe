"""What is generated is what `make grammar` would write now."""

from __future__ import annotations

import pytest

from grammars.generate import OUTPUTS, ROOT


@pytest.mark.parametrize("name", OUTPUTS)
def test_it_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == OUTPUTS[name](), "run `make grammar`"
