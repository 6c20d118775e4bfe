"""Secrets in what a build prints: a command may show the value it was given.

The last line of defence, as CI services have it: a value is found as it is, not
when a program prints it in another form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from imagebuilder.engine.protocol import SecretValue

SHOWN = "***"
# A shorter value would take letters out of every other word.
SHORTEST = 4
_MOST_BYTES = 65_536


def redactor(secrets: Iterable[SecretValue]) -> Callable[[str], str]:
    """A function that replaces each line of each secret by ``***`` in a line of text."""
    hidden = {line.strip() for secret in secrets if secret.hidden for line in _text(secret).splitlines()}
    # A value that holds another goes first.
    ordered = sorted((line for line in hidden if len(line) >= SHORTEST), key=len, reverse=True)

    def redact(line: str) -> str:
        for value in ordered:
            line = line.replace(value, SHOWN)
        return line

    return redact


def _text(secret: SecretValue) -> str:
    if secret.file is None:
        return secret.value or ""
    try:
        with secret.file.open("rb") as file:
            return file.read(_MOST_BYTES).decode(errors="ignore")
    except OSError:
        return ""
