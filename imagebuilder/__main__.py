"""The console script."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code; ``imagebuilder --help`` says what they mean."""
    words = sys.argv[1:] if argv is None else argv
    if words == ["--version"]:
        # Answered before anything is imported: scripts ask this often.
        from imagebuilder import __version__

        print(f"imagebuilder {__version__}")
        return 0
    import os
    import signal
    from contextlib import nullcontext

    from imagebuilder import collector

    signal.signal(signal.SIGTERM, _interrupt)
    if argv is None:
        # It would look through all installed packages for some that want to take part in checking values.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        # Given words, it is a part of somebody's program, whose collector is not ours.
        with collector.of_a_command() if argv is None else nullcontext():
            from imagebuilder.cli.main import run

            return run(words)
    except KeyboardInterrupt:
        return 130
    finally:
        # What is left is the interpreter's own end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interrupt(number: int, frame: object) -> None:
    """A service that cancels a job asks by SIGTERM; it is answered as Ctrl-C is, and leaves as little."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
