"""What was answered before, on this machine: the same request is the same packages until somebody asks anew.

So a build goes on as BuildKit's cache would have it: an unchanged statement is
not looked up again because a later one changed. Nothing of this decides what a
key is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from imagebuilder.ir.packages import Distribution
from imagebuilder.locks import lock
from imagebuilder.resolve.shelf import Answers

_ORDER = "order"
_ANSWER = TypeAdapter(tuple[Distribution, ...])


class Memory:
    """The answers of one home, and the order in which it first met each package."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._answers = Answers(home)

    def recall(self, digest: str) -> tuple[Distribution, ...] | None:
        """The answer to the ask of that digest; None where it is not known."""
        try:
            return _ANSWER.validate_json(self._answers.get(_name(digest)) or b"")
        except ValidationError:
            return None

    def keep(self, digest: str, answer: Sequence[Distribution]) -> None:
        self._answers.keep(_name(digest), _ANSWER.dump_json(tuple(answer), indent=1).decode())

    def ordered(self, answer: Iterable[Distribution]) -> tuple[Distribution, ...]:
        """Those met before in the order of that, then the new ones, the largest first.

        Layers in this order stay where they are when a package is added.
        """
        with lock(self._home / "locks" / "resolved"):
            known = self._order()
            by_size = sorted(answer, key=lambda each: (-each.size, each.name))
            if new := [each.name for each in by_size if each.name not in known]:
                known |= {name: len(known) + n for n, name in enumerate(new)}
                self._answers.keep(_ORDER, json.dumps(list(known)))
        return tuple(sorted(by_size, key=lambda each: known[each.name]))

    def _order(self) -> dict[str, int]:
        with suppress(ValueError):
            found = json.loads(self._answers.get(_ORDER) or b"")
            if isinstance(found, list) and all(isinstance(name, str) for name in found):
                return {name: number for number, name in enumerate(dict.fromkeys(found))}
        return {}


def _name(digest: str) -> str:
    # Raised where what was answered before may be wrong.
    return f"{digest.removeprefix('sha256:')}-2"
