"""What a Dockerfile declares and nothing uses, or hides: warnings for ``imagebuilder check``.

The IR cannot show it: a stage that the target does not need is not in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from imagebuilder.diagnostics import Diagnostic, Note
from imagebuilder.frontends.dockerfile.arguments import quoted_words
from imagebuilder.frontends.dockerfile.lexer import Instruction, Lexed
from imagebuilder.frontends.dockerfile.stages import Stages
from imagebuilder.ir.checks import PROXIES

# The builder reads these itself.
_BUILDERS_OWN = PROXIES | {"SOURCE_DATE_EPOCH"}
_REFERENCE = re.compile(r"\$\{?([A-Za-z_]\w*)")


def unused(lexed: Lexed, stages: Stages, *, strict: bool) -> Iterator[Diagnostic]:
    """Stages and build arguments that nothing uses, and stages whose names are given again.

    A stage with a name may be there to be built by itself; it counts at the
    strict level alone. An argument is a variable of every command behind it,
    and any program may read it: one with a RUN behind it counts as used.

    Args:
        stages: after it has read ``lexed`` without an error.
    """
    first = next(at for at, each in enumerate(lexed.instructions) if each.keyword == "FROM")
    above, below = lexed.instructions[:first], lexed.instructions[first:]
    yield from _globals(above, below)
    yield from _stages(stages, below, strict=strict)
    yield from _named_again(stages)
    yield from _arguments(stages, below)


def _globals(above: Sequence[Instruction], below: Sequence[Instruction]) -> Iterator[Diagnostic]:
    """Only a FROM, another global ARG and an ARG of the same name see what stands before the first FROM."""
    seeing = [each for each in (*above, *below) if each.keyword in ("ARG", "FROM")]
    used = {name for each in seeing for name in _references(each)}
    declared = Counter(name for each in seeing for name in _names(each))
    inside = {name for each in below for name in _references(each)}
    for instruction in above:
        for name in _names(instruction):
            if name not in used and declared[name] == 1:
                hint = f"an ARG before the first FROM is not visible in a stage: write ARG {name} there as well"
                yield _argument(name, instruction, hint if name in inside else "remove it")


def _stages(stages: Stages, below: Sequence[Instruction], *, strict: bool) -> Iterator[Diagnostic]:
    # A FROM with a variable may mean any stage that has a name.
    is_open = any(each.keyword == "FROM" and "$" in each.rest.text for each in below)
    needed = {index for draft in stages.drafts for index in draft.needs} | {len(stages.drafts) - 1}
    for draft in stages.drafts:
        if draft.index not in needed and (not draft.name or (strict and not is_open)):
            shown = f"the stage {draft.name!r}" if draft.name else f"stage {draft.index}, which has no name"
            help = (
                f"remove it, unless --target {draft.name} builds it" if draft.name else "remove it, or give it a name"
            )
            yield Diagnostic("IB908", f"nothing uses {shown}", draft.place, help=help, severity="warning")


def _named_again(stages: Stages) -> Iterator[Diagnostic]:
    for name, places in stages.names.items():
        for (_, first), (_, again) in pairwise(places):
            note = Note("the one before is here", first.span)
            help = "give it a name of its own: --from and --target mean the last stage of a name"
            yield Diagnostic("IB916", f"another stage {name!r}", again.span, (note,), help, severity="warning")


def _arguments(stages: Stages, below: Sequence[Instruction]) -> Iterator[Diagnostic]:
    """Backwards, since what counts is what stands behind an ARG, in the stages that come of it too."""
    found: list[Diagnostic] = []
    mentioned: set[str] = set()
    runs: set[int] = set()
    index = len(stages.drafts) - 1
    for instruction in reversed(below):
        if instruction.keyword in ("RUN", "ONBUILD"):
            runs.add(index)
        mentioned |= _references(instruction)
        if index not in runs:
            found += [
                _argument(name, instruction, "remove it") for name in _names(instruction) if name not in mentioned
            ]
        if instruction.keyword == "FROM":
            if index in runs:
                runs |= stages.drafts[index].needs
            index -= 1
    yield from reversed(found)


def _argument(name: str, instruction: Instruction, help: str) -> Diagnostic:
    return Diagnostic("IB909", f"nothing uses the argument {name!r}", instruction.span, help=help, severity="warning")


def _names(instruction: Instruction) -> list[str]:
    """What an ARG declares, less what the builder reads."""
    if instruction.keyword != "ARG":
        return []
    names = [word.text.partition("=")[0] for word in quoted_words(instruction.rest, instruction.escape)]
    return [name for name in names if name not in _BUILDERS_OWN and not name.startswith("BUILDKIT_")]


def _references(instruction: Instruction) -> set[str]:
    texts = (
        instruction.rest.text,
        *(flag.text for flag in instruction.flags),
        *(document.body for document in instruction.heredocs),
    )
    return {name for text in texts for name in _REFERENCE.findall(text)}
