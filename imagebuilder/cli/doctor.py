"""``doctor``: what is there, what is wrong, and how to mend it."""

from __future__ import annotations

import argparse
from typing import Any

from imagebuilder.cli.output import print_json
from imagebuilder.diagnostics import EXIT_NO_ENGINE

_MARKS = {"ok": "✓", "warning": "!", "error": "✗"}


def register(commands: Any) -> None:
    doctor = commands.add_parser("doctor", help="check the engine, buildx, disk, CA and registries")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(command=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from imagebuilder.engine.health import examine
    from imagebuilder.home import home

    findings = examine(home())
    if arguments.json:
        print_json([finding.as_json() for finding in findings])
    else:
        for finding in findings:
            print(f"{_MARKS[finding.status]} {finding.subject}: {finding.message}")
            if finding.help:
                print(f"    {finding.help}")
    return EXIT_NO_ENGINE if any(finding.status == "error" for finding in findings) else 0
