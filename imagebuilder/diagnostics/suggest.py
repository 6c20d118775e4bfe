"""What a misspelt word may have meant."""

from __future__ import annotations

from collections.abc import Sequence


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """``did you mean 'x'?`` for the nearest of ``known``, or an empty string."""
    from difflib import get_close_matches
    from heapq import nlargest

    if len(word) > 64:
        return ""
    if len(known) > 20:
        # Each comparison costs more than reading a statement: those are compared that share the most letters.
        letters, starts = set(word), {word[:length] for length in (1, len(word) // 2, len(word) - 1)}

        def likeness(name: str) -> int:
            shared = len(letters & set(name[:64])) + 2 * sum(map(name.startswith, starts))
            return shared - abs(len(word) - len(name))

        known = nlargest(20, known, key=likeness)
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""
