"""What a call builds: images with what is told of each; several at the same time, each in a thread of its own; and
builds that may take only so long.

Threads do little but wait for the builder. They are daemons, so that none keeps
an interrupted program alive, whatever it waits for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from imagebuilder.compiler import Described, Plan, Trees, check_lock, compile
from imagebuilder.diagnostics import BuildError, Diagnostic, ImagebuilderError, Interrupted, refused_by_system
from imagebuilder.engine.protocol import Cancel, Event, WarningEvent
from imagebuilder.options import BuildOptions
from imagebuilder.store import Resources, Snapshot

if TYPE_CHECKING:
    # Imported late: most builds have no lock.
    from imagebuilder.resolve.lock import LockFile

Outcome = Snapshot | ImagebuilderError

# The builder parallelises each build; more at once would only compete.
PARALLEL = 4
_GRACE = 20.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """One of the images that :meth:`imagebuilder.Client.build_all` builds."""

    name: str
    image: Described
    resources: Resources = field(default_factory=Resources)
    build_args: Mapping[str, str] = field(default_factory=dict)
    lock: LockFile | None = None


def planned(
    wanted: Sequence[Wanted],
    options: BuildOptions,
    state: Path,
    tell: Callable[[str, Event], None],
    *,
    platform: str | None,
    locked: bool,
    reproducible: bool | None,
) -> list[tuple[Plan, BuildOptions]]:
    """The plan of each image, and what its build is told besides ``options``, which are those of the whole call.

    Args:
        state: the home.
        tell: called with the name as it was given.

    Raises:
        CompileError: a description or an argument is wrong.
    """
    known: Trees = {}
    found = []
    for each in wanted:
        plan = compile(
            each.image, platform=platform, build_args=each.build_args, known=known, state=state, lock=each.lock
        )
        if told := check_lock(plan, each.lock, locked=locked):
            tell(each.name, WarningEvent(told))
        answered = each.lock is not None and not plan.open
        its = replace(
            options,
            build_args=dict(each.build_args),
            resources=each.resources,
            lock=each.lock.path if each.lock is not None and answered else None,
            reproducible=answered if reproducible is None else reproducible,
        )
        found.append((plan, its))
    return found


def run_all(builds: Sequence[Callable[[], Snapshot]], cancel: Cancel) -> list[Outcome]:
    """The outcome of each build, in their order. One that fails does not end the others.

    Raises:
        Interrupted: the person pressed Ctrl-C; the builds were stopped.
    """
    outcomes: dict[int, Outcome | BaseException] = {}
    waiting: SimpleQueue[int] = SimpleQueue()
    ended: SimpleQueue[None] = SimpleQueue()
    for number in range(len(builds)):
        waiting.put(number)

    def work() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except Empty:
                return
            try:
                outcomes[number] = builds[number]()
            except OSError as error:
                outcomes[number] = refused_by_system(error)
            except BaseException as error:  # noqa: BLE001 - handed to the thread that asked
                outcomes[number] = error
            ended.put(None)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(PARALLEL, len(builds)))]
    try:
        for thread in threads:
            thread.start()
        for _ in builds:
            ended.get()
    except KeyboardInterrupt:
        cancel.cancel()
        for thread in threads:
            # The signal may have come before all of them were started.
            if thread.is_alive():
                thread.join(_GRACE / len(threads))
        raise Interrupted(Diagnostic("IB601", "interrupted; the builder has stopped and nothing was kept")) from None
    found: list[Outcome] = []
    for number in range(len(builds)):
        outcome = outcomes[number]
        if isinstance(outcome, BaseException) and not isinstance(outcome, ImagebuilderError):
            raise outcome
        found.append(outcome)
    return found


@contextmanager
def given_up(cancel: Cancel | None, timeout: float | None, name: str) -> Iterator[None]:
    """Cancel what the block does after so many seconds."""
    if cancel is None or not timeout:
        yield
        return
    timer = threading.Timer(timeout, cancel.cancel)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Interrupted:
        if not cancel.is_set:
            raise
        help = "give a longer timeout; what was built of it by then is in the builder's cache"
        raise BuildError(Diagnostic("IB604", f"{name!r} was not built within {timeout:g} s", help=help)) from None
    finally:
        timer.cancel()
