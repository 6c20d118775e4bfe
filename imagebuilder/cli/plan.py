"""``plan``: what a build would do."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from imagebuilder.cli.output import ago, print_json, size, tell
from imagebuilder.cli.target import load, locked_option, target_options
from imagebuilder.diagnostics import CompileError, Diagnostic
from imagebuilder.diagnostics.excerpt import visible

if TYPE_CHECKING:
    from imagebuilder.cache.history import History
    from imagebuilder.cache.plan import Local, Planned, Report
    from imagebuilder.cache.refresh import Fresh
    from imagebuilder.compiler import Plan

_DESCRIPTION = """\
Say what a build would do, without building and without asking the engine: which steps
run and which are there already, the local files each step sends, the largest of them,
what could be left out, and what looks like a secret.

  runs     the step runs: no build on record in this home has made its layer
  cached   its layer was made here; the builder has it, unless it was pruned since
  sets     a setting of the image, which takes no time"""
_MOST_ROWS = 8
_MOST_CAUSES = 3
_LONGEST = 100


def register(commands: Any) -> None:
    plan = commands.add_parser(
        "plan",
        help="what a build would do: which steps run, what is sent, what could be left out",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    target_options(plan)
    locked_option(plan)
    plan.add_argument("--name", help="the name that the target is built under (default: after the target)")
    plan.add_argument("--refresh", action="store_true", help="ask registries whether the bases' tags have moved")
    plan.add_argument("--json", action="store_true", help="one object on standard output, or an array")
    plan.set_defaults(command=_plan)


def _plan(arguments: argparse.Namespace) -> int:
    from imagebuilder.cache.history import History
    from imagebuilder.cache.plan import foretell
    from imagebuilder.cli.build import plans
    from imagebuilder.home import home
    from imagebuilder.store import Store

    targets = load(arguments)
    if arguments.name is not None and len(targets) > 1:
        help = f"`imagebuilder plan {arguments.target}:{targets[0].name} --name …` plans one of them"
        raise CompileError(Diagnostic("IB404", "--name for a file of several snapshots", help=help))
    where = home()
    compiled = plans(targets, arguments)
    history, store = History(where), Store(where)
    reports = [
        foretell(plan, target.name if arguments.name is None else arguments.name, history, store)
        for target, plan in zip(targets, compiled, strict=True)
    ]
    asked = [_ask(plan, history) if arguments.refresh else None for plan in compiled]
    if arguments.json:
        found = [
            {**report.as_json(), **(_bases(fresh) if fresh else {})}
            for report, fresh in zip(reports, asked, strict=True)
        ]
        print_json(found[0] if len(found) == 1 else found)
        return 0
    for number, (report, fresh) in enumerate(zip(reports, asked, strict=True)):
        if number:
            print()
        print(visible("\n".join(_shown(report))))
        if fresh is not None:
            print("\n" + visible("\n".join(_of_bases(fresh))))
            if fresh.warning is not None:
                tell(fresh.warning.render())
    return 0


def _ask(plan: Plan, history: History) -> Fresh:
    from imagebuilder.cache.refresh import asker, refreshed
    from imagebuilder.home import home

    return refreshed(plan, history, asker(home()))


def _bases(fresh: Fresh) -> dict[str, Any]:
    bases = [{"ref": base.ref, "digest": base.now or None, "moved": base.moved} for base in fresh.bases]
    return {"bases": bases, "warnings": [fresh.warning.as_json()] if fresh.warning else []}


def _of_bases(fresh: Fresh) -> list[str]:
    lines = ["bases:"]
    for base in fresh.bases:
        if base.moved:
            digests = f"{base.before[:19]}… → {base.now[:19]}…"
            state = f"has moved since the last build ({digests}); with --refresh every step runs"
        elif base.now:
            state = f"{base.now[:19]}…" + (
                "" if base.before else ", which no build with --refresh has started from yet"
            )
        else:
            state = "not known"
        lines.append(f"  {base.ref}  {state}")
    return lines


def _shown(report: Report) -> list[str]:
    lines = [f"{report.name}: {_headline(report)}", f"  key {report.key}"]
    if report.why is not None:
        causes = report.why.causes
        lines += [f"  {cause.said}" for cause in causes[:_MOST_CAUSES]]
        if len(causes) > _MOST_CAUSES:
            lines.append(f"  and {len(causes) - _MOST_CAUSES} more causes: `imagebuilder explain` has them")
    lines += ["", *_steps(report)]
    if any(step.downloads and step.state == "cached" for step in report.steps):
        lines.append("  * unless what it downloads has changed")
    if report.left:
        lines += ["", *map(str, report.left)]
    if report.local:
        lines += ["", *_files(report.local)]
    return lines


def _headline(report: Report) -> str:
    if report.built is not None:
        name, when = report.built
        other = f" as {name}" if name != report.name else ""
        return f"nothing to do, it was built{other} {ago(when)}"
    if not report.running:
        return "no step runs, all layers were made before; the image is put together anew"
    if report.running == report.working:
        return f"all {report.working} steps run" if report.working > 1 else "its one step runs"
    return f"{report.running} of {report.working} steps run{'s' if report.running == 1 else ''}"


def _steps(report: Report) -> list[str]:
    width = min(_LONGEST, max((len(step.step.shown) for step in report.steps), default=0))
    places = max((len(str(step.at or "")) for step in report.steps), default=0)
    several = len({step.number for step in report.steps}) > 1
    lines = []
    last = report.steps[-1].number if report.steps else 0
    stage = None
    for step in report.steps:
        if several and step.number != stage:
            lines.append(f"  {step.stage or ('the image' if step.number == last else 'another image')}:")
        stage = step.number
        row = f"{_state(step):<8} {step.step.shown:<{width}}  {step.at or ''!s:<{places}}  {_bytes(step)}"
        lines.append(f"  {'  ' if several else ''}{row}".rstrip())
    return lines


def _state(step: Planned) -> str:
    return step.state + ("*" if step.downloads and step.state == "cached" else "")


def _bytes(step: Planned) -> str:
    return size(step.bytes) if step.bytes else ""


def _files(local: tuple[Local, ...]) -> list[str]:
    count, total = sum(each.files for each in local), sum(each.bytes for each in local)
    lines = [f"local files: {count:,} file{'' if count == 1 else 's'}, {size(total)}"]
    if count > 1:
        biggest = sorted((each for source in local for each in source.largest), key=lambda each: -each[1])
        lines += ["  largest:", *_table([(size(bytes), path) for path, bytes in biggest[:_LARGEST]])]
    rows = [
        (size(row.bytes), row.pattern, f"{row.why}: write it into {each.ignore_in}")
        for each in local
        for row in each.ignorable
    ]
    if rows:
        lines += ["  not needed in an image:", *_table(rows)]
    secrets = [
        (each.path + (f":{each.line}" if each.line else ""), each.why) for source in local for each in source.suspects
    ]
    if secrets:
        lines += ["  may be secrets, which whoever has the image can read:", *_table(secrets)]
    if skipped := sum(each.skipped for each in local):
        lines.append(f"  {skipped:,} more files were not searched for secrets")
    return lines


_LARGEST = 5


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    shown = rows if len(rows) <= _MOST_ROWS else rows[: _MOST_ROWS - 1]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    numbers = rows[0][0][:1].isdigit() and rows[0][0].endswith("B")
    lines = []
    for row in shown:
        cells = [
            f"{cell:>{width}}" if numbers and not n else f"{cell:<{width}}"
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(("    " + "  ".join(cells)).rstrip())
    if len(shown) < len(rows):
        lines.append(f"    and {len(rows) - len(shown):,} more; --json has them")
    return lines
