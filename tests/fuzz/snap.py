"""Random and mutated .snap files, as many as wanted: ``python -m tests.fuzz.snap [COUNT] [--seed N] [--atheris | --times]``.

Each is described, or refused with diagnostics that lie inside of it, and in at most five times the time of a valid file
of its size. ``--atheris`` lets the coverage of the front end guide the mutations, where that package is installed
(``pip install atheris``); ``--times`` measures the texts that are meant to take long, from 20 KB to 500 KB.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from traceback import print_exc

from imagebuilder.diagnostics import CompileError
from imagebuilder.frontends.snap import load
from tests.property.unit.snap_bombs import KINDS, valid
from tests.property.unit.snap_outcome import outcome
from tests.property.unit.snaps import generated, mutated, project, seeds

TIMES = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    parser.add_argument("--atheris", action="store_true")
    parser.add_argument("--times", action="store_true")
    wanted = parser.parse_args()
    with TemporaryDirectory() as folder:
        path = project(Path(folder))
        if wanted.times:
            return times(path)
        if wanted.atheris:
            return guided(path, wanted.count, wanted.seed % 2**31)
        return random_texts(path, wanted.count, wanted.seed)


def random_texts(path: Path, count: int, seed: int) -> int:
    """A tenth of random bytes, a fifth by the grammar, the rest mutations of valid files."""
    texts = seeds()
    codes: Counter[str] = Counter()
    worst = (0.0, "")
    failures = sound = 0
    for number in range(count):
        name = f"{seed}:{number}"
        random = Random(name)
        match number % 10:
            case 0:
                text = random.randbytes(random.randrange(2000)).decode("latin-1")
            case 1 | 2:
                text = generated(random)
            case _:
                text = mutated(random, texts)
        try:
            found, errors = outcome(path, text)
        except Exception:  # noqa: BLE001 - whatever it raises is what is looked for
            failures += 1
            print(f"--- {name}\n{text[-2000:]!r}")
            print_exc(file=sys.stdout)
            continue
        sound += found is not None
        codes.update({error.code for error in errors})
        if not found and len(text) > 2000 and compared(path, text, 1) > TIMES:
            worst = max(worst, (compared(path, text, 7), name))
    print(
        f"{count:,} texts from seed {seed}: {sound:,} described, {count - sound - failures:,} refused, {failures} failures"
    )
    print(
        f"the slowest took {worst[0]:.1f} times as long as a valid file of its size ({worst[1] or 'none over 5 at once'})"
    )
    print(" ".join(f"{code}×{times}" for code, times in sorted(codes.items())))
    return bool(failures or worst[0] > TIMES)


def guided(path: Path, count: int, seed: int) -> int:
    import atheris

    atheris.instrument_all()

    def one(data: bytes) -> None:
        outcome(path, data.decode("utf-8", "surrogateescape"))

    corpus = path.parent / "corpus"
    corpus.mkdir()
    for number, text in enumerate(seeds()):
        (corpus / str(number)).write_text(text)
    atheris.Setup(
        [
            sys.argv[0],
            f"-runs={count}",
            f"-seed={seed}",
            "-max_len=3000",
            "-len_control=20",
            f"-artifact_prefix={path.parent}/",
            str(corpus),
        ],
        one,
    )
    atheris.Fuzz()
    return 0


def times(path: Path) -> int:
    """Every kind that takes over three times as long, and each that takes over five."""
    failures = 0
    for size in (20_000, 100_000, 500_000):
        for kind, text in ((kind, make(size)) for kind, make in KINDS.items()):
            described = succeeds(path, text)
            ratio = compared(path, text, 1)
            if ratio > 3:
                ratio = compared(path, text, 5)
            if ratio > 3:
                failures += not described and ratio > TIMES
                print(f"{size:>8,}  {ratio:5.1f}  {kind}{' (valid)' if described else ''}", flush=True)
    return bool(failures)


def compared(path: Path, text: str, runs: int) -> float:
    """How many times as long it takes as a valid file of its size, measured in turn."""
    ordinary = valid(len(text))
    scale = len(ordinary) / max(1, len(text))
    return scale * median(seconds(path, text) / seconds(path, ordinary) for _ in range(runs))


def seconds(path: Path, text: str) -> float:
    began = time.process_time()
    succeeds(path, text)
    return time.process_time() - began


def succeeds(path: Path, text: str) -> bool:
    with suppress(CompileError):
        load(path, source=text, project=path.parent)
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
