"""As much of a TextMate engine as the grammar of the language needs: what a line's characters are taken for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

Rule = dict[str, Any]
Piece = tuple[str, str]


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@dataclass(frozen=True)
class _Candidate:
    match: re.Match[str]
    rule: Rule
    is_end: bool


class Engine:
    """``lines`` parts each line into pieces, each with its innermost scope."""

    def __init__(self, grammar: Rule) -> None:
        self._grammar = grammar
        self._stack: list[Rule] = [{"name": grammar["scopeName"], "patterns": grammar["patterns"]}]

    def lines(self, text: str) -> list[list[Piece]]:
        return [self._line(line) for line in text.split("\n")]

    def _line(self, line: str) -> list[Piece]:
        pieces: list[Piece] = []
        at = 0
        while True:
            found = self._next(line, at)
            until = found.match.start() if found else len(line)
            if until > at:
                pieces.append((line[at:until], self._scope()))
            if found is None:
                return pieces
            match, rule = found.match, found.rule
            if found.is_end:
                pieces += self._captured(match, rule.get("endCaptures", {}), self._scope())
                self._stack.pop()
            elif "begin" in rule:
                self._stack.append(rule)
                pieces += self._captured(match, rule.get("beginCaptures", {}), self._scope())
            else:
                pieces += self._captured(match, rule.get("captures", {}), rule.get("name", self._scope()))
            assert match.end() > at or found.is_end, f"{rule} matches nothing at {line[at:]!r}"
            at = match.end()

    def _scope(self) -> str:
        return next(rule["name"] for rule in reversed(self._stack) if "name" in rule)

    def _next(self, line: str, at: int) -> _Candidate | None:
        top = self._stack[-1]
        found: list[_Candidate] = []
        if "end" in top and (match := _compiled(top["end"]).search(line, at)):
            found.append(_Candidate(match, top, True))
        for rule in self._rules(top.get("patterns", [])):
            if match := _compiled(rule.get("begin") or rule["match"]).search(line, at):
                found.append(_Candidate(match, rule, False))
        return min(found, key=lambda each: each.match.start(), default=None)

    def _rules(self, patterns: list[Rule]) -> list[Rule]:
        found: list[Rule] = []
        for rule in patterns:
            if "include" in rule:
                rule = self._grammar["repository"][rule["include"].removeprefix("#")]
            is_group = "begin" not in rule and "match" not in rule
            found += self._rules(rule["patterns"]) if is_group else [rule]
        return found

    def _captured(self, match: re.Match[str], captures: Rule, scope: str) -> list[Piece]:
        line, at = match.string, match.start()
        scope = captures.get("0", {}).get("name", scope)
        pieces: list[Piece] = []
        for index, capture in sorted(captures.items()):
            begin, end = match.span(int(index))
            if index == "0" or begin < at:
                continue
            pieces += [(line[at:begin], scope)] if begin > at else []
            pieces.append((line[begin:end], capture["name"]))
            at = end
        return pieces + ([(line[at : match.end()], scope)] if match.end() > at else [])


def patterns(grammar: Rule) -> list[str]:
    """Every regular expression in a grammar."""
    found: list[str] = []
    waiting: list[Any] = [grammar]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            found += [value[key] for key in ("match", "begin", "end") if key in value]
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return found
