"""``RUN --mount``: its options, and what each kind of mount allows."""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Callable

from imagebuilder.diagnostics import did_you_mean
from imagebuilder.frontends.construct import construct
from imagebuilder.frontends.dockerfile import arguments
from imagebuilder.frontends.dockerfile.lexer import Token
from imagebuilder.frontends.dockerfile.problems import Problem
from imagebuilder.frontends.dockerfile.reading import Reading
from imagebuilder.ir.ops import Mount, Source
from imagebuilder.ir.words import Word

TYPES = ("bind", "cache", "secret", "ssh", "tmpfs")
SHORT = {
    "src": "source",
    "dst": "target",
    "destination": "target",
    "ro": "readonly",
    "rw": "readwrite",
}
OPTIONS = {
    "type": TYPES,
    "target": TYPES,
    "source": ("bind", "cache", "secret"),
    "from": ("bind", "cache"),
    "id": ("cache", "secret", "ssh"),
    "sharing": ("cache",),
    "env": ("secret",),
    "required": ("secret", "ssh"),
    "readonly": ("bind", "cache", "tmpfs", "secret", "ssh"),
    "readwrite": ("bind", "cache", "tmpfs"),
    "mode": ("cache", "secret", "ssh"),
    "uid": ("cache", "secret", "ssh"),
    "gid": ("cache", "secret", "ssh"),
    "size": ("tmpfs",),
}
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


def mount(flag: Token, escape: str, at: Reading) -> Mount:
    """One mount, from the value of its flag."""
    options = dict(_options(flag))
    # The type decides about all others, wherever it stands.
    kind = _kind(options.pop("type", None), escape, at)
    for name, token in options.items():
        if kind not in OPTIONS[name]:
            raise Problem("IB327", f"a {kind} mount has no {name}", token.span, _takes(kind))
    texts = {
        name: _text(options[name], escape, at)
        for name in ("id", "env", "mode", "uid", "gid", "size")
        if name in options and not (name == "id" and kind == "cache")
    }
    for name, pattern, hint in _FORMS:
        if name in texts and not re.fullmatch(pattern, texts[name]):
            raise Problem("IB327", f"not a {name}: {texts[name]!r}", options[name].span, hint)
    fields: Fields = {"type": kind}
    fields.update(texts.items())
    if "id" in options and kind == "cache":
        # It may name the platform, which is known only when building.
        fields["id"] = arguments.word(options["id"], escape)
    if "sharing" in options:
        fields["sharing"] = _sharing(options["sharing"], escape, at)
    for name in ("required", "readonly", "readwrite"):
        if name in options:
            value = _boolean(name, options[name], escape, at)
            fields["readonly" if name == "readwrite" else name] = value != (name == "readwrite")
    if "target" in options:
        fields["target"] = arguments.word(options["target"], escape)
    elif kind in ("bind", "cache", "tmpfs"):
        # BuildKit joins the target to the working directory, and takes none for that directory itself.
        fields["target"] = "."
    _SOURCES[kind](options, fields, escape, at, flag)
    return construct(Mount, flag.span, **fields)


_FORMS = (
    ("mode", r"[0-7]{1,6}", "octal digits, such as 0755"),
    ("uid", r"[0-9]{1,10}", "a number"),
    ("gid", r"[0-9]{1,10}", "a number"),
    ("size", r"(?i)\d+(\.\d+)?\s?([kmgtp]?i?b?)?", "a number of bytes, or such as 64m"),
)


def _options(flag: Token) -> list[tuple[str, Token]]:
    """The comma-separated options, their names in full; a name alone has an empty value."""
    try:
        fields = next(csv.reader([flag.text], strict=True), [])
    except csv.Error as error:
        raise Problem(
            "IB327", f"a mount that cannot be read: {error}", flag.span, "options are parted by commas"
        ) from None
    found: list[tuple[str, Token]] = []
    at = 0
    for field in fields:
        position = flag.text.find(field, at) if flag.exact else -1
        token = Token(field, flag.line, flag.start, flag.end, exact=False)
        if position >= 0:
            at = position + len(field)
            token = Token(field, flag.line, flag.start + position, flag.start + at)
        pair = arguments.cut(token, "=")
        name = (token if pair is None else pair[0]).text.lower()
        name = SHORT.get(name, name)
        if name not in OPTIONS:
            hint = did_you_mean(name, [*OPTIONS, *SHORT]) or f"known: {', '.join(OPTIONS)}"
            raise Problem("IB327", f"a mount has no option {name!r}", token.span, hint)
        if pair is None and name not in ("readonly", "readwrite", "required"):
            raise Problem("IB327", f"{name} without a value", token.span, f"write {name}=VALUE")
        if any(name == other for other, _ in found):
            raise Problem("IB327", f"{name} is given twice", token.span, "give it once")
        found.append(
            (
                name,
                Token("true", token.line, token.start, token.end, exact=False) if pair is None else pair[1],
            )
        )
    if not found:
        raise Problem("IB327", "an empty mount", flag.span, "such as --mount=type=cache,target=/root/.cache")
    return found


def _text(token: Token, escape: str, at: Reading) -> str:
    return at.literal(arguments.word(token, escape), token)


def _kind(token: Token | None, escape: str, at: Reading) -> str:
    if token is None:
        return "bind"
    kind = _text(token, escape, at).lower()
    if kind not in TYPES:
        hint = did_you_mean(kind, TYPES) or f"one of {', '.join(TYPES)}"
        raise Problem("IB327", f"not a type of mount: {kind!r}", token.span, hint)
    return kind


def _sharing(token: Token, escape: str, at: Reading) -> str:
    value = _text(token, escape, at).lower()
    known = ("shared", "private", "locked")
    if value not in known:
        raise Problem(
            "IB327",
            f"not a way of sharing: {value!r}",
            token.span,
            did_you_mean(value, known) or "shared, private or locked",
        )
    return value


def _boolean(name: str, token: Token, escape: str, at: Reading) -> bool:
    value = _BOOLEANS.get(_text(token, escape, at))
    if value is None:
        raise Problem("IB327", f"{name} is true or false, not {token.text!r}", token.span, f"{name} alone is true")
    return value


def _takes(kind: str) -> str:
    return f"it takes {', '.join(name for name, kinds in OPTIONS.items() if kind in kinds)}"


Fields = dict[str, object]
Options = dict[str, Token]


def _files(options: Options, fields: Fields, escape: str, at: Reading, flag: Token) -> None:
    """The origin and source of a bind or cache mount; files of the context are chosen now."""
    origin: Source | None = None
    source: Word | None = None
    if "source" in options:
        source = arguments.word(options["source"], escape)
    if "from" in options:
        origin = at.origin(options["from"], False)
    elif fields["type"] == "bind":
        path = "" if source is None else _below(at.literal(source, options["source"]))
        origin = at.local(*([path] if path else []), literal=True)
        source = path or None
    elif source is not None:
        raise Problem("IB327", "a cache mount has a source only with from=", options["source"].span, "add from=STAGE")
    fields |= {"origin": origin, "source": source}


def _below(path: str) -> str:
    """Relative to the context; empty for all of it."""
    return posixpath.normpath("/" + path.lstrip("/")).lstrip("/")


def _secret(options: Options, fields: Fields, escape: str, at: Reading, flag: Token) -> None:
    """``source`` is another word for the id of a secret."""
    if "source" in options:
        if "id" in options:
            raise Problem(
                "IB327",
                "a secret with both id and source",
                options["source"].span,
                "they mean the same: give one",
            )
        fields["id"] = _text(options["source"], escape, at)
    if "id" not in fields and "target" not in fields:
        raise Problem("IB327", "a secret without an id", flag.span, "add id=NAME")


def _nothing(options: Options, fields: Fields, escape: str, at: Reading, flag: Token) -> None:
    """An SSH agent and a tmpfs have no files."""


_SOURCES: dict[str, Callable[[Options, Fields, str, Reading, Token], None]] = {
    "bind": _files,
    "cache": _files,
    "secret": _secret,
    "ssh": _nothing,
    "tmpfs": _nothing,
}
