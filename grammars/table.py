"""Lark's tables in one order: it numbers states and symbols as its sets happen to be gone through."""

from __future__ import annotations

import json
from typing import Any

from imagebuilder.frontends.snap import grammar


def table(text: str) -> str:
    """What :func:`imagebuilder.frontends.snap.grammar.table` gives, the same for the same text every time."""
    data, memo = json.loads(grammar.table(text))
    order = {old: new for new, old in enumerate(sorted(memo, key=lambda key: json.dumps(memo[key], sort_keys=True)))}
    data, memo = _renamed(data, order), {str(order[key]): _renamed(value, order) for key, value in memo.items()}
    tables = data["parser"]["parser"]
    data["parser"]["parser"] = _numbered(tables)
    for holder in (data, data["parser"]["lexer_conf"], data["parser"]["parser_conf"]):
        for key in ("rules", "terminals"):
            if key in holder:
                holder[key] = sorted(holder[key], key=lambda each: int(each["@"]))
    return json.dumps([data, memo], separators=(",", ":"), ensure_ascii=False, sort_keys=True) + "\n"


def _renamed(node: Any, order: dict[str, int]) -> Any:
    if isinstance(node, dict):
        if set(node) == {"@"}:
            return {"@": order[str(node["@"])]}
        return {key: _renamed(value, order) for key, value in node.items()}
    return [_renamed(each, order) for each in node] if isinstance(node, list) else node


def _numbered(tables: dict[str, Any]) -> dict[str, Any]:
    """States in the order in which they are reached, symbols by name."""
    names: dict[str, str] = tables["tokens"]
    tokens = {old: str(new) for new, old in enumerate(sorted(names, key=lambda key: names[key]))}
    starts: dict[str, int] = tables["start_states"]
    found = {starts[name]: None for name in sorted(starts)}
    waiting = list(found)
    for state in waiting:
        actions = tables["states"][str(state)]
        for token in sorted(actions, key=lambda key: names[key]):
            kind, target = actions[token]
            if kind == 0 and target not in found:
                found[target] = None
                waiting.append(target)
    states = {old: new for new, old in enumerate(found)}
    return {
        **tables,
        "tokens": {tokens[old]: name for old, name in names.items()},
        "states": {
            str(states[int(old)]): {
                tokens[token]: [kind, states[target] if kind == 0 else target]
                for token, (kind, target) in actions.items()
            }
            for old, actions in tables["states"].items()
        },
        "start_states": {name: states[state] for name, state in starts.items()},
        "end_states": {name: states[state] for name, state in tables["end_states"].items()},
    }
