"""``explain``: why something is, or was, built again."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagebuilder.cli.output import ago, print_json, tell
from imagebuilder.cli.target import load, locked_option, target_options
from imagebuilder.diagnostics import CompileError, Diagnostic, Span
from imagebuilder.diagnostics.excerpt import excerpt, visible

if TYPE_CHECKING:
    from imagebuilder.cache.explain import Again, Explanation
    from imagebuilder.cache.history import History
    from imagebuilder.cache.record import At, Record

_DESCRIPTION = """\
Say why a target would be built again: what changed since the last build of its name,
and which steps run again because of it. Asks no engine.

  explain TARGET               the target as it is now, against the last build of its name
  explain TARGET --against B   against another build
  explain A                    the last build of the name A, against the one before it
  explain A B                  one build against another

A build is NAME (the last one of that name), NAME~1 (the one before it), a key or its
beginning, or the id of a snapshot. Builds of this home are on record, 20 of each name."""
# Of the steps that run again.
_SHOWN = 12


def register(commands: Any) -> None:
    explain = commands.add_parser(
        "explain",
        help="why a target is built again: what changed, and what follows",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    target_options(explain)
    locked_option(explain)
    explain.add_argument("other", metavar="B", nargs="?", help="another build, where TARGET is one too")
    explain.add_argument("--against", metavar="BUILD", help="compare with this build (default: the name's last)")
    explain.add_argument("--name", help="the name that the target is built under (default: after the target)")
    explain.add_argument("--json", action="store_true", help="one object on standard output, or an array")
    explain.set_defaults(command=_explain)


def _explain(arguments: argparse.Namespace) -> int:
    from imagebuilder.cache.history import History
    from imagebuilder.home import home

    history = History(home())
    if not _is_file(arguments.target):
        found = [_of_builds(arguments, history)]
        hint = ""
    elif arguments.other is not None:
        help = f"`imagebuilder explain {arguments.target} --against {arguments.other}`"
        raise CompileError(Diagnostic("IB700", "a target is compared with --against", help=help))
    else:
        found, hint = _of_targets(arguments, history)
    if arguments.json:
        shown = [each.as_json() for each in found]
        print_json(shown[0] if len(shown) == 1 else shown)
        return 0
    for number, each in enumerate(found):
        if number:
            print()
        _show(each)
    if hint:
        tell(hint)
    return 0


def _of_builds(arguments: argparse.Namespace, history: History) -> Explanation:
    from imagebuilder.cache.builds import find, is_build, previous
    from imagebuilder.cache.explain import explain_records

    if not is_build(history, arguments.target) and _looks_like_file(arguments.target):
        load(arguments)  # which says what is wrong with it
    one = find(history, arguments.target)
    other = arguments.other if arguments.other is not None else arguments.against
    if arguments.other is not None and arguments.against is not None:
        raise CompileError(Diagnostic("IB700", "three builds to compare", help="`imagebuilder explain A B`"))
    if other is None:
        return explain_records(previous(history, one), one, history)
    if _is_file(other):
        help = f"`imagebuilder explain {other} --against {arguments.target}`"
        raise CompileError(Diagnostic("IB700", "a target comes first", help=help))
    return explain_records(one, find(history, other), history)


def _of_targets(arguments: argparse.Namespace, history: History) -> tuple[list[Explanation], str]:
    """An explanation for each snapshot of the target, and what to say at the end."""
    from imagebuilder.cache.builds import find, none_succeeded
    from imagebuilder.cache.explain import explain_plan
    from imagebuilder.cli.build import plans

    targets = load(arguments)
    if arguments.name is not None and len(targets) > 1:
        help = f"`imagebuilder explain {arguments.target}:{targets[0].name} --name …` explains one of them"
        raise CompileError(Diagnostic("IB404", "--name for a file of several snapshots", help=help))
    before = find(history, arguments.against) if arguments.against is not None else None
    found, missing = [], []
    for target, plan in zip(targets, plans(targets, arguments), strict=True):
        name = target.name if arguments.name is None else arguments.name
        explanation = explain_plan(plan, name, history, before)
        if explanation is None:
            missing.append(name)
        else:
            found.append(explanation)
    if not found:
        if len(missing) == 1 and (failed := history.failed(missing[0].removesuffix(":latest"))):
            raise CompileError(none_succeeded(missing[0], failed))
        names = " and ".join(map(repr, missing))
        help = f"`imagebuilder plan {arguments.target}` says what a first build does; --against names another build"
        raise CompileError(Diagnostic("IB650", f"no build of {names} is on record", help=help))
    return found, f"\n{', '.join(missing)}: no build is on record" if missing else ""


def _is_file(text: str) -> bool:
    """Whether it names a file as a TARGET does."""
    path = Path(text)
    if path.is_file() or (path / "Dockerfile").is_file():
        return True
    return ":" in text and Path(text.rpartition(":")[0]).is_file()


def _looks_like_file(text: str) -> bool:
    return "/" in text or any(text.partition(":")[0].endswith(each) for each in (".py", ".snap", ".json", "ockerfile"))


def _show(found: Explanation) -> None:
    before, after = found.before, found.after
    print(visible(_title(before, after, len(found.changes))))
    for cause in found.causes:
        print()
        print(visible(cause.said))
        if cause.at is not None:
            place, *text = _drawn(cause.at)
            print(visible("\n".join([place + (" (as it was)" if cause.changes[0].removed else ""), *text])))
    if found.again:
        print("\nrun again:")
        _list(found.again)


def _title(before: Record, after: Record, count: int) -> str:
    changes = f"{count:,} change{'' if count == 1 else 's'}"
    if after.built:
        one = (
            f"{before.name}, built {_moment(before)}"
            if before.name != after.name
            else f"the build of {_moment(before)}"
        )
        if not count:
            return f"{after.name}, built {_moment(after)}: nothing changed since {one} UTC; the key is the same"
        return f"{after.name}, built {_moment(after)}: {changes} since {one} UTC"
    since = f"its last build, {_when(before)}" if before.name == after.name else f"{before.name}, {_when(before)}"
    if not count:
        return f"{after.name}: nothing changed since {since}; the key is the same"
    return f"{after.name}: {changes} since {since}"


def _moment(record: Record) -> str:
    return f"{datetime.fromtimestamp(record.built, UTC):%Y-%m-%d %H:%M:%S}"


def _when(record: Record) -> str:
    return ago(datetime.fromtimestamp(record.built, UTC))


def _drawn(at: At) -> list[str]:
    from imagebuilder.cache.record import from_here

    span = Span(from_here(at.file), at.line, at.column, at.end_line, at.end_column)
    return excerpt(span, text=at.text)


def _list(again: Sequence[Again]) -> None:
    shown = again if len(again) <= _SHOWN else again[: _SHOWN - 1]
    width = max(len(each.shown) for each in shown)
    for each in shown:
        print(visible(f"  {each.shown.ljust(width)}  {each.at or ''}".rstrip()))
    if len(shown) < len(again):
        print(f"  and {len(again) - len(shown):,} more")
