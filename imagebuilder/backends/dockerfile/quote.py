"""How text is written in a Dockerfile so that BuildKit reads back the same text.

Three forms exist. A *word* goes through BuildKit's shell lexer, which takes
away quotes and backslashes and replaces variables. An argument vector is JSON
and is taken as it is. A here-document with a quoted delimiter is taken as it is
too. What a word cannot hold (control characters; ``=`` in a label's name; more
than fits on a line) is passed as a build argument instead, which :class:`Values`
collects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from hashlib import sha256

from imagebuilder.diagnostics import Invalid
from imagebuilder.ir.heredoc import delimiter as delimiter
from imagebuilder.ir.words import Expansion, Var, Word

# A word that begins with '-' would be a flag where it comes first.
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+=,~][A-Za-z0-9_./:@%+=,~\-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Paths stand between blanks without quotes; more is plain there than in NAME=VALUE.
_BARE = re.compile(r"[^\s\"'$\\<\x00-\x1f\x7f-\x9f]*")
# In the pattern of '#', '%' and '/', escapes belong to the pattern and quotes are taken away.
_PATTERN = re.compile(r"(\\[*?\\}/]|[^\s\"'$\\}\x00-\x1f\x7f-\x9f])*")
_PATTERN_BEFORE_SLASH = re.compile(r"(\\[*?\\}/]|[^\s\"'$\\}/\x00-\x1f\x7f-\x9f])*")
# BuildKit reads lines of up to 65,535 bytes; quoting doubles some characters, and some have four bytes.
_LONGEST_WORD = 8_192
LONGEST_LINE = 65_535


class Values:
    """Values that reach the build as build arguments, because Dockerfile text cannot hold them."""

    def __init__(self) -> None:
        self.arguments: dict[str, str] = {}
        self._asked: dict[str, None] = {}

    def name(self, value: str) -> str:
        """The argument that holds the value. Its name is made of the value, so that no other step moves it."""
        digest = sha256(value.encode()).hexdigest()
        name = f"IB_VALUE_{digest[:12]}"
        # Two values whose digests begin alike, which somebody can look for, get whole ones.
        if self.arguments.setdefault(name, value) != value:
            name = f"IB_VALUE_{digest}"
            self.arguments[name] = value
        self._asked[name] = None
        return name

    def asked(self) -> tuple[str, ...]:
        """The arguments that were named since this was last called."""
        found = tuple(self._asked)
        self._asked.clear()
        return found


def word(value: Word, values: Values | None = None) -> str:
    """The value as one word; without quotes where it needs none.

    Raises:
        Invalid: it has control characters and there is no ``values`` to hold it.
    """
    if isinstance(value, str) and _PLAIN.fullmatch(value) and len(value) <= _LONGEST_WORD:
        return value
    return f'"{quoted(value, values)}"'


def quoted(value: Word, values: Values | None = None) -> str:
    """What stands between the double quotes."""
    if isinstance(value, Expansion):
        return "".join(
            _variable(part, values) if isinstance(part, Var) else quoted(part, values) for part in value.parts
        )
    # Between quotes a tab is a character like others.
    if _CONTROL.search(value.replace("\t", "")) or len(value) > _LONGEST_WORD:
        return held(value, values)
    return re.sub(r'(["$\\])', r"\\\1", value)


def flag(value: Word) -> str:
    """The value of a flag, such as ``--chown=``: one word without quotes.

    Raises:
        Invalid: it has a character that flags cannot hold.
    """
    return _unquoted(value, r"""[^\s"'\\$`\x00-\x20\x7f]*""")


def field(value: Word) -> str:
    """The value of one field of a flag that has several, parted by commas, such as ``--mount=``.

    Raises:
        Invalid: it has a character that fields cannot hold.
    """
    return _unquoted(value, r"""[^\s,"'\\$`\x00-\x20\x7f]*""")


def _unquoted(value: Word, allowed: str) -> str:
    if isinstance(value, Expansion):
        for var in (part for part in value.parts if isinstance(part, Var)):
            _unquoted(var.word, allowed)
            _unquoted(var.replacement or "", allowed)
        return "".join(
            _variable(part, None) if isinstance(part, Var) else _unquoted(part, allowed) for part in value.parts
        )
    if not re.fullmatch(allowed, value):
        raise Invalid(
            "IB142",
            f"a value that no flag can hold: {value!a}",
            "blanks, quotes, '$' and '\\' are not possible here, nor are commas in a mount",
        )
    return value


def vector(words: Sequence[str]) -> str:
    """An argument vector as JSON, which BuildKit does not expand."""
    written = [json.dumps(each, ensure_ascii=False) for each in words]
    # A line has a bound; an instruction of several lines has none.
    between = ", " if sum(map(len, written)) <= _LONGEST_WORD else ", \\\n    "
    return f"[{between.join(written)}]"


def paths(values: Sequence[Word], holder: Values | None) -> str:
    """Paths of COPY, ADD or VOLUME: plain words where possible, else JSON, whose elements are words again."""
    if all(map(_is_bare, values)):
        return " ".join(quoted(value, holder) for value in values)
    return vector([word(value, holder) for value in values])


def ports(value: Word, holder: Values | None) -> str:
    """A word of EXPOSE: its variables without quotes, since their values may be several ports, or none."""
    written = quoted(value, holder)
    return written if re.fullmatch(r"[^\s\"']*", written) else f'"{written}"'


def heredoc_destination(value: Word, holder: Values | None) -> str:
    """A destination behind a here-document, where JSON is not possible."""
    if _is_bare(value):
        return quoted(value, holder)
    parts = value.parts if isinstance(value, Expansion) else (value,)
    return "".join(_variable(part, holder) if isinstance(part, Var) else held(part, holder) for part in parts)


def _is_bare(value: Word) -> bool:
    """Whether a path can stand between blanks: BuildKit cuts there before it looks at quotes."""
    if isinstance(value, Expansion):
        texts = [part for part in value.parts if isinstance(part, str)]
        first = value.parts[0] if value.parts else ""
        if any(isinstance(part, Var) and part.modifier for part in value.parts):
            return False
    else:
        texts, first = [value], value
    starts = first if isinstance(first, str) else "$"
    return bool(starts) and starts[0] not in "-[\ufeff" and all(_BARE.fullmatch(text) for text in texts)


def is_one_line(text: str) -> bool:
    """Whether shell text can stand on its instruction's line and mean the same.

    Text that begins with ``[`` can where it is no JSON: BuildKit then reads it as text too.
    """
    return bool(text) and not (
        _CONTROL.search(text.replace("\t", ""))
        or text != text.strip()
        or text.startswith(("-", "#", "<<"))
        or (text.startswith("[") and _is_json(text))
        or "<<" in text
        or text.endswith("\\")
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    except RecursionError:
        return True  # It may be one, which the builder reads however deep it is.
    return True


def heredoc_body(value: Word, values: Values | None) -> str:
    """The body of an unquoted here-document, in which ``$`` and backslashes are escaped."""
    if isinstance(value, Expansion):
        return "".join(
            _variable(part, values) if isinstance(part, Var) else heredoc_body(part, values) for part in value.parts
        )
    return re.sub(r"([$\\])", r"\\\1", value)


def _variable(var: Var, values: Values | None) -> str:
    if not var.modifier:
        return "${%s}" % var.name
    if var.modifier in ("#", "%") and _edge(var.word, last=False) == var.modifier:
        raise Invalid("IB145", f"a pattern that begins with {var.modifier!r}", f"it would mean {var.modifier * 2}")
    if var.modifier[0] in "#%/" and _edge(var.word, last=var.modifier[0] == "%") == "\ufeff":
        raise Invalid("IB141", "a byte order mark at the edge of a pattern", "the builder would pass over it")
    if var.modifier[0] == "/":
        if var.word in ("", Expansion(parts=())):
            raise Invalid("IB145", f"an empty pattern in ${{{var.name}{var.modifier}…}}", "say what is to be replaced")
        inner = _pattern(var.word, values, _PATTERN_BEFORE_SLASH) + "/" + _pattern(var.replacement or "", values)
    else:
        inner = (_pattern if var.modifier[0] in "#%" else _inner)(var.word, values)
    return "${%s%s%s}" % (var.name, var.modifier, inner)


def _edge(value: Word, *, last: bool) -> str:
    """The first character of a pattern, or the last: BuildKit turns a pattern for a suffix around."""
    parts = (value,) if isinstance(value, str) else value.parts
    part = parts[-1 if last else 0] if parts else ""
    return "" if isinstance(part, Var) else part[-1:] if last else part[:1]


def _inner(value: Word, values: Values | None) -> str:
    """A word inside of braces, a context of its own: quotes around it are not the outer ones."""
    if isinstance(value, Expansion):
        return "".join(
            _variable(part, values) if isinstance(part, Var) else _inner(part, values) for part in value.parts
        )
    if _CONTROL.search(value) or len(value) > _LONGEST_WORD:
        return held(value, values)
    return re.sub(r"""(["'$\\}])""", r"\\\1", value)


def _pattern(value: Word, values: Values | None, plain: re.Pattern[str] = _PATTERN) -> str:
    if isinstance(value, Expansion):
        return "".join(
            _variable(part, values) if isinstance(part, Var) else _pattern(part, values, plain) for part in value.parts
        )
    return value if plain.fullmatch(value) else held(value, values)


def held(value: str, values: Values | None) -> str:
    """The argument that holds a value which text cannot.

    Raises:
        Invalid: there is no ``values``.
    """
    if values is None:
        raise Invalid("IB141", f"text that cannot be written here: {value[:60]!a}", "leave it out")
    return "${%s}" % values.name(value)
