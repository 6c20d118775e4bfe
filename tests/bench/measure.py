"""How figures are taken and shown: in turn with a peer's, as medians with the least and the most."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable

Command = Callable[[int], object]


def in_turn(runs: int, ours: Command, theirs: Command) -> tuple[list[float], list[float]]:
    """Seconds of each, run A B A B … after one round that is not counted."""
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(runs):
        for command, times in zip((ours, theirs), found, strict=True):
            began = time.perf_counter()
            command(number)
            times.append(time.perf_counter() - began)
    return found[0][1:], found[1][1:]


def run(*argv: str, env: dict[str, str] | None = None, any_code: bool = False) -> object:
    done = subprocess.run(argv, env=env, capture_output=True, check=False)
    assert any_code or done.returncode == 0, done.stderr.decode()
    return done


def show(
    what: str, our_name: str, ours: list[float], their_name: str, theirs: list[float], *, wanted: float | None = None
) -> None:
    print(f"{what}")
    for name, times in ((our_name, ours), (their_name, theirs)):
        middle = statistics.median(times)
        print(f"  {name:<36} {middle * 1000:8.1f} ms   ({min(times) * 1000:.1f} to {max(times) * 1000:.1f})")
    print(
        f"  {'ratio':<36} {statistics.median(ours) / statistics.median(theirs):8.2f}"
        + ("" if wanted is None else f"   ({wanted} wanted)")
    )
