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
    from imagebuilder.cli.main import run

    return run(words)


if __name__ == "__main__":
    sys.exit(main())
