"""The TextMate grammar of the language: its words come from the operations, its shapes from ``snap.lark``.

It colours and refuses nothing. A list and a text in three quotes are rules with a beginning and an end, so that
their lines are not taken for statements; everything else is told by how a line begins.
"""

from __future__ import annotations

import json
from typing import Any

from imagebuilder.frontends.snap.params import SCALARS
from imagebuilder.frontends.snap.verbs import FACTORIES, verbs

Rule = dict[str, Any]

# A statement begins a line, a block, or follows one of its marks.
_START = r"(?:^|(?<=[;{}]))[ \t]*"
_HOLE = r"\{[A-Za-z_]\w*\}"
# Where a statement, or what stands before a block, ends: not at a hole.
_END = rf"(?=[;}}]|\{{(?!{_HOLE[2:]}))|$"
_BEFORE = r"(?<![^\s\[,(=:])(?<![=<>!~]=)"
_AFTER = r"(?![^\s,;\]){}])"


def grammar() -> str:
    return json.dumps(_grammar(), indent=2, ensure_ascii=False) + "\n"


def _grammar() -> Rule:
    return {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "name": "snap",
        "scopeName": "source.snap",
        "fileTypes": ["snap"],
        "patterns": _include(
            "comment", "header", "use", "param", "secret", "image", "matrix", "when", "else", "verb", "braces"
        ),
        "repository": {**_statements(), **_values()},
    }


def _include(*names: str) -> list[Rule]:
    return [{"include": f"#{name}"} for name in names]


def _captures(*scopes: str) -> Rule:
    return {str(index): {"name": scope} for index, scope in enumerate(scopes, 1) if scope}


def _statement(begin: str, *scopes: str, patterns: list[Rule], end: str = _END) -> Rule:
    return {
        "name": "meta.statement.snap",
        "begin": _START + begin,
        "beginCaptures": _captures(*scopes),
        "end": end,
        "patterns": patterns,
    }


def _statements() -> Rule:
    arguments = _include("comment", "option", "strings", "list", "constant", "hole")
    keyword = "keyword.control.snap"
    names = "|".join(sorted(verbs(), key=len, reverse=True))
    factories = "|".join(FACTORIES)
    return {
        "header": {"match": r"^[ \t]*(snap)[ \t]+(\d+)", "captures": _captures(keyword, "constant.numeric.snap")},
        "use": _statement(
            r"(use)(?=[ \t])", "keyword.control.import.snap",
            patterns=[
                {"match": r"\b(as)[ \t]+([A-Za-z_]\w*)", "captures": _captures(keyword, "entity.name.namespace.snap")},
                {"match": r"\bwith\b(?=[ \t])", "name": keyword},
                *arguments,
            ],
        ),
        "param": _statement(
            r"(param)[ \t]+([A-Za-z_]\w*)", "storage.type.snap", "variable.parameter.snap",
            patterns=[
                {
                    "begin": ":", "end": r"(?=[=;}])|$",
                    "patterns": [
                        {"match": r"\bone[ \t]+of\b", "name": "support.type.snap"},
                        {"match": rf"\b(?:{'|'.join(SCALARS)}|list)\b", "name": "support.type.snap"},
                        *_include("comment", "list"),
                    ],
                },
                *arguments,
            ],
        ),
        "secret": _statement(
            r"(secret)(?=[ \t])", "storage.type.snap",
            patterns=[*_include("comment"), {"match": r"[A-Za-z_]\w*", "name": "variable.other.constant.snap"}],
        ),
        "image": _statement(
            r"(image|snapshot)(?=[ \t])", "storage.type.snap",
            patterns=[
                {
                    "match": rf"\b(from)[ \t]+(?:({factories})\b(?![.\w])|([A-Za-z_][\w.]*))?",
                    "captures": _captures(keyword, "support.function.snap", "entity.name.type.snap"),
                },
                {"match": r"(?<=image[ \t])[ \t]*([A-Za-z_]\w*)", "captures": _captures("entity.name.type.snap")},
                *arguments,
            ],
        ),
        "matrix": _statement(r"(matrix)(?=[ \t])", "keyword.control.snap", patterns=arguments),
        "when": _statement(r"(when)(?=[ \t(])", "keyword.control.conditional.snap", patterns=_include("condition")),
        "else": {
            "begin": r"(?<=\})[ \t]*(else)\b(?:[ \t]+(when)\b)?",
            "beginCaptures": _captures("keyword.control.conditional.snap", "keyword.control.conditional.snap"),
            "end": _END,
            "patterns": _include("condition"),
        },
        "condition": {
            "patterns": [
                {"match": r"==|!=", "name": "keyword.operator.comparison.snap"},
                {"match": r"\b(?:and|or|not|in)\b(?![=.])", "name": "keyword.operator.logical.snap"},
                *_include("comment", "strings", "list", "constant", "hole"),
                {"match": r"(?<![\w=.-])[A-Za-z_]\w*(?=[ \t)]*(?:==|!=|[ \t](?:in|not|and|or)\b|\{|$))",
                 "name": "variable.parameter.snap"},
            ]
        },
        "verb": {
            "name": "meta.statement.snap",
            "begin": rf"{_START}(?:({names})|(resources))(?=[\s;}}]|$)",
            "beginCaptures": _captures("support.function.snap", "keyword.other.snap"),
            "end": _END,
            "patterns": arguments,
        },
        "braces": {"match": r"[{}]", "name": "punctuation.section.block.snap"},
    }  # fmt: skip


def _values() -> Rule:
    hole = {"match": _HOLE, "name": "variable.parameter.snap"}
    escapes = [
        {"match": r"\\(?:u\{[0-9A-Fa-f]{1,6}\}|[nrt\\\"$])", "name": "constant.character.escape.snap"},
        {"match": r"\\.", "name": "invalid.illegal.escape.snap"},
        {"match": r"\{\{|\}\}", "name": "constant.character.escape.snap"},
    ]
    variable = {"match": r"\$(?:\{[^{}\"]*\}|[A-Za-z_]\w*)", "name": "variable.other.environment.snap"}
    return {
        "comment": {"match": r"(?<![^\s{}\[\](),;])#.*$", "name": "comment.line.number-sign.snap"},
        "option": {
            "match": r"(?<![^\s\[,])([A-Za-z_][\w.\-]*)(=)(?![=\s,;\])}]|$)",
            "captures": _captures("variable.parameter.option.snap", "keyword.operator.assignment.snap"),
        },
        "strings": {"patterns": _include("block", "rawblock", "expand", "string", "raw")},
        "block": _string('"""', '"""', "string.quoted.triple.snap", [
            {"match": r"\{\{\{[A-Za-z_]\w*\}\}\}", "name": "variable.parameter.snap"},
        ]),
        "rawblock": _string("'''", "'''", "string.quoted.triple.raw.snap", []),
        "expand": _string(r'\$"', r'"|$', "string.quoted.double.expanded.snap", [*escapes, variable, hole]),
        "string": _string('"', r'"|$', "string.quoted.double.snap", [*escapes, hole]),
        "raw": _string("'", r"'|$", "string.quoted.single.snap", []),
        "list": {
            "name": "meta.list.snap",
            "begin": r"(?<![^\s\[(,=])\[|(?<=\blist)\[",
            "beginCaptures": {"0": {"name": "punctuation.section.brackets.begin.snap"}},
            "end": r"\]",
            "endCaptures": {"0": {"name": "punctuation.section.brackets.end.snap"}},
            "patterns": [
                {"match": rf"\b(?:{'|'.join(SCALARS)})\b(?=\])", "name": "support.type.snap"},
                *_include("comment", "option", "strings", "list", "constant", "hole"),
            ],
        },
        "constant": {
            "patterns": [
                {"match": rf"{_BEFORE}(?:true|false|none){_AFTER}", "name": "constant.language.snap"},
                {
                    "match": rf"{_BEFORE}-?\d+(?:\.\d+)*(?:[KMGT]i?B|B|(?:ms|[smh])(?:\d+(?:ms|[smh]))*)?{_AFTER}",
                    "name": "constant.numeric.snap",
                },
            ]
        },
        "hole": hole,
    }  # fmt: skip


def _string(begin: str, end: str, name: str, patterns: list[Rule]) -> Rule:
    return {"name": name, "begin": begin, "end": end, "patterns": patterns}
