"""What may be written in a condition."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from imagebuilder.lsp.names import Name
from imagebuilder.lsp.suggestion import Completion, Suggestion

_TOKEN = re.compile(r"==|!=|[()\[\],]|\"(?:[^\"\\\n]|\\.)*\"?|'[^'\n]*'?|[^\s=!()\[\],\"']+|[=!]")


def complete(text: str, begin: int, at: int, params: Mapping[str, Name]) -> Completion:
    """The suggestions at an offset of a condition that begins at ``begin``."""
    tokens = list(_TOKEN.finditer(text, begin, at))
    part, quote = "", ""
    if tokens and tokens[-1].end() == at:
        last = tokens[-1][0]
        if last[0] in "\"'":
            if len(last) > 1 and last[-1] == last[0]:
                return Completion(at, at, ())
            part, quote = tokens.pop()[0][1:], last[0]
        elif last not in ("==", "!=", "(", ")", "[", "]", ","):
            part = tokens.pop()[0]
    subject, state = "", "operand"
    for token in tokens:
        state, subject = _next(state, subject, token[0])
    found = tuple(_suggestions(state, params, params.get(subject), quoted=bool(quote)))
    return Completion(at - len(part), at, found)


def _suggestions(state: str, params: Mapping[str, Name], name: Name | None, *, quoted: bool) -> Iterator[Suggestion]:
    match state:
        case "operand" if not quoted:
            for param in params.values():
                yield Suggestion(param.name, "param", param.type, param.doc)
            yield Suggestion("not", "operator")
        case "operator" if not quoted:
            for operator in ("==", "!="):
                yield Suggestion(operator, "operator")
            for operator in ("in", "not in"):
                yield Suggestion(operator, "operator", "", "", operator, f'{operator} ["$1"]')
            if name is None or name.type == "bool":
                yield Suggestion("and", "operator")
                yield Suggestion("or", "operator")
        case "literal" | "entry" if name is not None:
            for choice in ("true", "false") if name.type == "bool" else name.choices:
                yield Suggestion(choice, "value", "", "", choice if quoted or name.type == "bool" else f'"{choice}"')
        case "done" if not quoted:
            yield Suggestion("and", "operator")
            yield Suggestion("or", "operator")


def _next(state: str, subject: str, token: str) -> tuple[str, str]:
    """The state after a token, and the parameter that is compared."""
    match state, token:
        case (("operator" | "done"), ("and" | "or")):
            return "operand", ""
        case "operand", ("not" | "("):
            return "operand", ""
        case "operand", _:
            return "operator", token
        case "operator", ("==" | "!="):
            return "literal", subject
        case "operator", "in":
            return "list", subject
        case "operator", "not":
            return "operator", subject
        case (("list" | "listed"), ("[" | ",")):
            return "entry", subject
        case _, ("]" | ")"):
            return "done", ""
        case "entry", _:
            return "listed", subject
        case (("literal" | "list"), _):
            return "done", ""
    return state, subject
