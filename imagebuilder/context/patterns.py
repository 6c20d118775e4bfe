"""The pattern languages of ``.dockerignore`` and of COPY sources.

``.dockerignore`` follows moby's patternmatcher: patterns are anchored at the
root, ``**`` spans folders, a match of a folder is a match of all below it, and
the last pattern that matches decides, ``!`` meaning 'not ignored'. COPY sources
follow Go's ``path.Match``, in which ``**`` is nothing special.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from itertools import groupby, takewhile
from typing import NamedTuple

from imagebuilder.diagnostics import Invalid

_SUFFIX = re.compile(r"\*\*([^/*?\[\]\\][^*?\[\]\\]*)")


class IgnoreRule(NamedTuple):
    """One line: the folder-wise pattern, its regular expression, and whether it takes things back in."""

    text: str
    regex: re.Pattern[str]
    negated: bool

    def may_match_below(self, folder: str) -> bool:
        """Whether something inside the folder could match; may say yes too often, never no wrongly."""
        for part, name in zip(self.text.split("/"), folder.split("/"), strict=False):
            if "**" in part or "[" in part or "\\" in part:
                # It may span folders: a class can hold a slash, and a slash can be escaped.
                return True
            if not re.fullmatch(_translate(part, spans=False), name):
                return False
        return True


class IgnoreRules:
    """The rules of one folder, in order."""

    def __init__(self, lines: Iterable[str]) -> None:
        """
        Raises:
            Invalid: a line is not a pattern.
        """
        self.rules = tuple(rule for line in lines if (rule := _rule(line)) is not None)
        self._negated = tuple(rule for rule in self.rules if rule.negated)
        # Of rules of one sign that follow one another it is the same which of them matched, so they are asked at once.
        self._runs = tuple(
            (re.compile("|".join(f"(?:{rule.regex.pattern})" for rule in run), re.DOTALL), negated)
            for negated, run in groupby(self.rules, key=lambda rule: rule.negated)
        )
        # What decides; two of the same words ignore the same.
        self.words = repr([(rule.text, rule.negated) for rule in self.rules])

    def __bool__(self) -> bool:
        return bool(self.rules)

    def matches(self, path: str, parent: Sequence[bool] = ()) -> tuple[bool, ...]:
        """Which rules matched a path or a folder above it, one value for each run of rules of one sign.

        ``parent`` is what this returned for the folder that holds the path.
        """
        return tuple(
            bool(parent and parent[number]) or regex.fullmatch(path) is not None
            for number, (regex, _) in enumerate(self._runs)
        )

    def ignores(self, path: str, parent: Sequence[bool] = ()) -> bool:
        """Whether a path is ignored: the last rule that matches decides."""
        for number in range(len(self._runs) - 1, -1, -1):
            regex, negated = self._runs[number]
            if (parent and parent[number]) or regex.fullmatch(path):
                return not negated
        return False

    def may_include_below(self, folder: str) -> bool:
        """Whether something inside an ignored folder might be taken back in."""
        return any(rule.may_match_below(folder) for rule in self._negated)


def ignore_lines(text: str) -> list[str]:
    """The lines of an ignore file that are not comments (``#`` in the first column).

    Only a line feed ends a line: ``str.splitlines`` knows further separators, which a name may hold.
    """
    return [line for line in text.removeprefix("\ufeff").split("\n") if not line.startswith("#")]


def source_regex(pattern: str, *, literal: bool = False) -> re.Pattern[str]:
    """What a COPY source selects: the paths that match it.

    Raises:
        Invalid: the pattern has an unclosed class or ends in a backslash.
    """
    cleaned = (posixpath.normpath(pattern).lstrip("/") if pattern else "") or "."
    return re.compile(re.escape(cleaned) if literal else _translate(cleaned, spans=False), re.DOTALL)


def is_wildcard(pattern: str) -> bool:
    return any(c in pattern for c in "*?[\\")


def fixed_folder(pattern: str) -> str:
    """The folder that leads to a pattern's first wildcard; empty for the root."""
    parts = posixpath.normpath(pattern).lstrip("/").split("/")
    return "/".join(takewhile(lambda part: not is_wildcard(part), parts))


def _rule(line: str) -> IgnoreRule | None:
    text = line.strip()
    negated = text.startswith("!")
    if negated:
        text = text[1:].strip()
    if not text:
        if negated:
            raise Invalid("IB204", "an ignore pattern that is only '!'", "write what is not to be ignored after it")
        return None
    text = posixpath.normpath(text).lstrip("/")
    if text in ("", "."):
        # Docker: a pattern for the root itself is dropped.
        return None
    return IgnoreRule(text, re.compile(_translate(text, spans=True), re.DOTALL), negated)


def _translate(pattern: str, *, spans: bool) -> str:
    """A regular expression for Go's ``path.Match``, with ``**`` where ``spans``.

    A ``**`` ends a folder or is the whole rest, except that ``**`` before plain text is any suffix:
    ``**foo`` takes ``a/xfoo``, ``**foo*`` does not. So moby has it.
    """
    out = []
    at = 0
    if spans and (suffix := _SUFFIX.fullmatch(pattern)):
        return ".*" + re.escape(suffix[1])
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            if spans and pattern.startswith("*", at):
                at += 1
                at += pattern.startswith("/", at)
                out.append(".*" if at == len(pattern) else "(?:.*/)?")
            else:
                out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "\\":
            if at == len(pattern):
                raise _bad(pattern)
            out.append(re.escape(pattern[at]))
            at += 1
        elif char == "[":
            end, text = _class(pattern, at, spans=spans)
            out.append(text)
            at = end
        else:
            out.append(re.escape(char))
    return "".join(out)


def _class(pattern: str, at: int, *, spans: bool) -> tuple[int, str]:
    """A class as a regular expression, and where the pattern goes on. As in Go, ``]`` and ``-`` in it are escaped."""
    start = at
    negate = pattern.startswith("^", at)
    at += negate
    ranges = []
    while not pattern.startswith("]", at):
        low, at = _class_character(pattern, at)
        if pattern.startswith("-", at):
            high, at = _class_character(pattern, at + 1)
            if high < low:
                raise _bad(pattern[start - 1 :])
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            ranges.append(re.escape(low))
    if not ranges:
        raise _bad(pattern)
    return at + 1, f"[{'^' if negate else ''}{'' if spans or not negate else '/'}{''.join(ranges)}]"


def _class_character(pattern: str, at: int) -> tuple[str, int]:
    if pattern[at : at + 1] in ("", "-", "]"):
        raise _bad(pattern)
    at += pattern[at] == "\\"
    if at >= len(pattern):
        raise _bad(pattern)
    return pattern[at], at + 1


def _bad(pattern: str) -> Invalid:
    return Invalid(
        "IB204", f"not a pattern: {pattern!r}", "'[' opens a class that ']' closes; '\\' escapes a character"
    )
