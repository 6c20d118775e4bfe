"""What stands at a place: its documentation, and where it is declared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imagebuilder.frontends.snap.verbs import Parameter, Verb, factories, is_factory, verbs
from imagebuilder.lsp import documentation
from imagebuilder.lsp.cursor import Scan, Word
from imagebuilder.lsp.names import Document, Name, imported, names_of

_HOLE = re.compile(r"\{([A-Za-z_]\w*)\}")
_HOLE_IN_BLOCK = re.compile(r"\{\{\{([A-Za-z_]\w*)\}\}\}")
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Target:
    """A stretch of a file."""

    path: Path
    text: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at ``text[begin:end]``: Markdown, and the declaration where there is one."""

    begin: int
    end: int
    about: str
    target: Target | None = None


def look(document: Document, at: int) -> Found | None:
    """What the character at an offset, or the one before it, belongs to."""
    text = document.text
    for stop in (at + 1, at):
        if 0 < stop <= len(text) and not text[stop - 1].isspace():
            scan = Scan(text, stop)
            if scan.word is not None and not scan.in_comment:
                found = next(_Look(document, scan, scan.word, stop - 1).all(), None)
                if found is not None:
                    return found
    return None


class _Look:
    def __init__(self, document: Document, scan: Scan, word: Word, at: int) -> None:
        self._document, self._scan, self._word, self._at = document, scan, word, at
        self._names = names_of(document.text)

    def all(self) -> Iterator[Found]:
        """The readings of the word, the likeliest first."""
        yield from self._hole()
        words = list(self._scan.statement.words)
        if words and words[0].text == "else" and len(words) > 1:
            words = words[1:]
        if not words:
            return
        head = words[0]
        if head is self._word:
            yield from self._head(head)
        elif head.text == "when":
            yield from self._param(self._part())
        elif self._scan.level == "block":
            yield from self._in_statement(head.text, words)
        else:
            yield from self._in_item(head.text, words)

    def _part(self) -> tuple[str, int, int]:
        """The name around the offset."""
        for match in _NAME.finditer(self._document.text, self._word.begin, self._word.end):
            if match.start() <= self._at < match.end():
                return match[0], match.start(), match.end()
        return "", self._word.begin, self._word.end

    def _whole(self) -> tuple[str, int, int]:
        word = self._word
        content = word.content if word.kind != "word" else word.value
        return word.unquoted, content, content + len(word.unquoted)

    # Readings -----------------------------------------------------------------------------------

    def _hole(self) -> Iterator[Found]:
        word = self._word
        if word.kind in ("raw", "rawblock", "list"):
            return
        for match in (_HOLE_IN_BLOCK if word.kind == "block" else _HOLE).finditer(word.text):
            begin, end = word.begin + match.start(1), word.begin + match.end(1)
            if word.begin + match.start() <= self._at < word.begin + match.end():
                yield from self._param((match[1], begin, end))

    def _head(self, word: Word) -> Iterator[Found]:
        if self._scan.level == "block" and word.text in verbs():
            yield Found(word.begin, word.end, documentation.of_verb(verbs()[word.text]))
        elif word.text in documentation.ITEMS:
            yield Found(word.begin, word.end, documentation.ITEMS[word.text])

    def _in_statement(self, head: str, words: list[Word]) -> Iterator[Found]:
        if head == "resources":
            name = self._word.key
            if name in documentation.RESOURCES and self._at < self._word.value:
                about = documentation.RESOURCES[name]
                yield Found(self._word.begin, self._word.value - 1, about)
        elif head in verbs():
            yield from self._in_call(verbs()[head], words[1:])

    def _in_item(self, head: str, words: list[Word]) -> Iterator[Found]:
        index = next((i for i, word in enumerate(words) if word is self._word), len(words))
        match head:
            case "image" | "snapshot" if index == 1:
                yield from self._declared(self._whole(), head)
            case "image" | "snapshot" if index == 3:
                arguments = re.match(r"[ \t]+[^\s{#]", self._document.text[self._word.end :]) is not None
                if is_factory(self._word.text, arguments):
                    yield Found(self._word.begin, self._word.end, documentation.of_verb(factories()[self._word.text]))
                else:
                    yield from self._image()
            case "image" | "snapshot" if len(words) > 3 and words[3].text in factories():
                yield from self._in_call(factories()[words[3].text], words[4:])
            case "param" if index == 1:
                yield from self._param(self._part())
            case "param":
                name, begin, end = self._part()
                name = "one of" if name in ("one", "of") else name
                if name in documentation.TYPES:
                    yield Found(begin, end, documentation.TYPES[name])
            case "secret":
                yield from self._declared(self._whole(), "secret")
            case "use" if index == 1:
                yield from self._file(self._word.unquoted)
            case "use" if index == 3:
                yield from self._file(words[1].unquoted)
            case "use":
                yield from self._given(words)
            case "matrix":
                yield from self._param(self._part())

    def _in_call(self, verb: Verb, words: list[Word]) -> Iterator[Found]:
        word, inner = self._word, self._scan.inner
        if not inner and word.key and self._at < word.value and word.key in verb.parameters:
            about = documentation.of_option(verb, verb.parameters[word.key])
            yield Found(word.begin, word.value - 1, about)
            return
        parameter = self._parameter(verb, words)
        if parameter is None:
            return
        if parameter.kind == "secrets":
            text, begin, end = self._whole() if not word.key or not inner else (word.key, word.begin, word.value - 1)
            yield from self._declared((text, begin, end), "secret")
        elif parameter.kind in ("image", "images") and word.kind == "word":
            yield from self._image()

    def _parameter(self, verb: Verb, words: list[Word]) -> Parameter | None:
        """The one that takes the word under the cursor."""
        inner = self._scan.inner
        holder = inner[0].owner if inner else self._word
        if holder is not None and holder.key:
            return verb.parameters.get(holder.key)
        waiting = [p for p in verb.positional if p.name not in {word.key for word in words}]
        for word in words:
            if word.key and word is not holder:
                continue
            if not waiting or word is holder:
                break
            if not waiting[0].many:
                waiting.pop(0)
        return waiting[0] if waiting else None

    # Declarations -------------------------------------------------------------------------------

    def _target(self, name: Name, document: Document | None = None) -> Target:
        document = document or self._document
        return Target(document.path, document.text, name.begin, name.end)

    def _param(self, part: tuple[str, int, int]) -> Iterator[Found]:
        text, begin, end = part
        if (name := self._names.params(self._at).get(text)) is not None:
            yield Found(begin, end, about(name), self._target(name))

    def _declared(self, part: tuple[str, int, int], kind: str) -> Iterator[Found]:
        text, begin, end = part
        if (name := self._names.visible(self._at, kind).get(text)) is not None:
            yield Found(begin, end, about(name), self._target(name))

    def _image(self) -> Iterator[Found]:
        text, begin, end = self._whole()
        alias, dot, inner = text.partition(".")
        if not dot:
            yield from self._declared((text, begin, end), "image")
            return
        use = self._names.uses().get(alias)
        other = imported(self._document, use.source) if use is not None else None
        if use is None or other is None:
            return
        name = names_of(other.text).images(0).get(inner)
        if self._at < begin + len(alias) or name is None:
            yield Found(begin, begin + len(alias), about(use), self._target(use))
        else:
            yield Found(begin, end, f"{about(name)}\n\nIn `{use.source}`.", self._target(name, other))

    def _file(self, written: str) -> Iterator[Found]:
        other = imported(self._document, written)
        if other is None:
            return
        names = names_of(other.text)
        lines = [f"- `{name.head.splitlines()[0]}`" for name in names.all if name.kind in ("param", "image")]
        text = "\n".join([f"`{written}`", "", *lines])
        _, begin, end = self._whole()
        yield Found(begin, end, text, Target(other.path, other.text, 0, 0))

    def _given(self, words: list[Word]) -> Iterator[Found]:
        word = self._word
        other = imported(self._document, words[1].unquoted) if len(words) > 1 else None
        if other is not None and word.key and self._at < word.value:
            name = names_of(other.text).visible(0, "param").get(word.key)
            if name is not None:
                yield Found(word.begin, word.value - 1, about(name), self._target(name, other))


def about(name: Name) -> str:
    """A declaration as it is written, with the comment above it."""
    head = name.head if len(name.head) < 400 else name.head[:400] + "…"
    lines = [f"```snap\n{head}\n```"]
    if name.kind == "axis":
        lines.append(f"`{name.name}` takes each value in turn.")
    if name.kind == "secret":
        lines.append("Its value comes from the environment, at build time only.")
    if name.doc:
        lines.append(name.doc)
    return "\n\n".join(lines)
