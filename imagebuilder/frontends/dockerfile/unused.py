"""What a Dockerfile declares and nothing uses: warnings for ``imagebuilder check``.

The IR cannot show it: a stage that the target does not need is not in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebuilder.diagnostics import Diagnostic, Span
from imagebuilder.frontends.dockerfile.arguments import quoted_words
from imagebuilder.frontends.dockerfile.lexer import Instruction, Lexed
from imagebuilder.frontends.dockerfile.stages import Stages
from imagebuilder.ir.checks import PROXIES

# The builder reads these itself.
_BUILDERS_OWN = PROXIES | {"SOURCE_DATE_EPOCH"}


def unused(lexed: Lexed, stages: Stages, *, strict: bool) -> Iterator[Diagnostic]:
    """Stages and build arguments that nothing uses, in the order of the file.

    A stage with a name may be there to be built by itself; it counts at the
    strict level alone. An argument is a variable of every command behind it,
    and any program may read it: one with a RUN behind it counts as used.

    Args:
        stages: after it has read ``lexed`` without an error.
    """
    froms = [each for each in lexed.instructions if each.keyword == "FROM"]
    first = lexed.instructions.index(froms[0])
    for instruction in lexed.instructions[:first]:
        for name in _names(instruction):
            if not _is_global_used(name, instruction, lexed):
                yield _argument(name, instruction, _hint(name, lexed.instructions[first:]))
    blocks = _blocks(lexed.instructions[first:])
    # A FROM with a variable may mean any stage that has a name.
    is_open = any("$" in each.rest.text for each in froms)
    needed = {index for draft in stages.drafts for index in draft.needs} | {len(stages.drafts) - 1}
    for draft in stages.drafts:
        if draft.index not in needed and (not draft.name or (strict and not is_open)):
            yield _stage(draft.name, draft.index, draft.place)
        for at, instruction in enumerate(blocks[draft.index]):
            for name in _names(instruction):
                behind = blocks[draft.index][at + 1 :]
                for other in stages.drafts[draft.index + 1 :]:
                    if draft.index in other.needs:
                        behind = behind + blocks[other.index]
                if not _mentions(instruction, name) and not any(_may_use(each, name) for each in behind):
                    yield _argument(name, instruction, "remove it")


def _stage(name: str, index: int, place: Span) -> Diagnostic:
    shown = f"the stage {name!r}" if name else f"stage {index}, which has no name"
    help = f"remove it, unless --target {name} builds it" if name else "remove it, or name it: FROM … AS NAME"
    return Diagnostic("IB908", f"nothing uses {shown}", place, help=help, severity="warning")


def _argument(name: str, instruction: Instruction, help: str) -> Diagnostic:
    return Diagnostic("IB909", f"nothing uses the argument {name!r}", instruction.span, help=help, severity="warning")


def _names(instruction: Instruction) -> list[str]:
    if instruction.keyword != "ARG":
        return []
    names = [word.text.partition("=")[0] for word in quoted_words(instruction.rest, instruction.escape)]
    return [name for name in names if name not in _BUILDERS_OWN and not name.startswith("BUILDKIT_")]


def _is_global_used(name: str, instruction: Instruction, lexed: Lexed) -> bool:
    """By a FROM, another global ARG, or a stage that takes it over by name."""
    others = [each for each in lexed.instructions if each.keyword in ("FROM", "ARG") and each is not instruction]
    return _mentions(instruction, name) or any(_mentions(each, name) or name in _names(each) for each in others)


def _hint(name: str, instructions: tuple[Instruction, ...]) -> str:
    if any(_mentions(each, name) for each in instructions):
        return f"an ARG before the first FROM is not visible in a stage: write ARG {name} there as well"
    return "remove it"


def _blocks(instructions: tuple[Instruction, ...]) -> list[tuple[Instruction, ...]]:
    """The instructions of each stage, FROM first."""
    starts = [at for at, each in enumerate(instructions) if each.keyword == "FROM"]
    return [instructions[a:b] for a, b in zip(starts, [*starts[1:], len(instructions)], strict=True)]


def _may_use(instruction: Instruction, name: str) -> bool:
    return instruction.keyword in ("RUN", "ONBUILD") or _mentions(instruction, name)


def _mentions(instruction: Instruction, name: str) -> bool:
    pattern = re.compile(rf"\$\{{?{re.escape(name)}(?![A-Za-z0-9_])")
    texts = [instruction.rest.text, *(flag.text for flag in instruction.flags)]
    return any(pattern.search(text) for text in (*texts, *(each.body for each in instruction.heredocs)))
