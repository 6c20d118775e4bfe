"""What may be written at a place: by the words before it, whether or not the text parses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from imagebuilder.frontends.snap.params import SCALARS
from imagebuilder.frontends.snap.verbs import Parameter, Verb, factories, verbs
from imagebuilder.lsp import conditions, documentation
from imagebuilder.lsp.cursor import Frame, Scan, Word
from imagebuilder.lsp.names import Document, Name, Names, imported, names_of
from imagebuilder.lsp.suggestion import Completion, Suggestion

_HOLE_IN_STRING = re.compile(r"(?<!\{)(?:\{\{)*(?P<brace>\{)(?P<name>(?:[A-Za-z_]\w*)?)$")
_HOLE_IN_BLOCK = re.compile(r"\{\{\{(?P<name>(?:[A-Za-z_]\w*)?)$")
_KEY_AHEAD = re.compile(r"(?<!\S)([A-Za-z_][\w.\-]*)=(?!=)")
_ITEM_SNIPPETS = {
    "use": 'use "./${1:common}.snap" as ${2:common}',
    "param": 'param ${1:name}: ${2:string} = "$3"',
    "secret": "secret ${1:NAME}",
    "image": "image ${1:name} from ${2:debian_slim} {\n\t$0\n}",
    "snapshot": 'snapshot "${1:name}" from ${2:debian_slim} {\n\t$0\n}',
    "matrix": "matrix ${1:name}=[$2] {\n\t$0\n}",
    "when": 'when ${1:name} == "$2" {\n\t$0\n}',
    "else": "else {\n\t$0\n}",
}
_TYPE_SNIPPETS = {"list": "list[${1:string}]", "one of": 'one of ["$1"]'}
_PARAM = re.compile(r"param[ \t]+\w+[ \t]*:[ \t]*(?P<type>[^=]*?)(?P<value>=[ \t]*)?(?P<part>[\w\"']*)$", re.DOTALL)


def complete(document: Document, at: int) -> Completion:
    """The suggestions at an offset of the text; none inside of comments and of plain text."""
    scan = Scan(document.text, at)
    if scan.in_comment or not 0 <= at <= len(document.text):
        return Completion(at, at, ())
    return _Completer(document, names_of(document.text), scan, at).run()


class _Completer:
    def __init__(self, document: Document, names: Names, scan: Scan, at: int) -> None:
        self._document, self._names, self._scan, self._at = document, names, scan, at
        self._text = document.text
        self._word = scan.word

    def run(self) -> Completion:
        word, at = self._word, self._at
        if word is not None and word.kind in ("string", "word", "block") and (hole := self._hole(word)) is not None:
            return hole
        if (condition := self._condition()) is not None:
            params = self._names.params(at)
            return conditions.complete(self._text, condition, at, params)
        if word is not None and word.kind in ("raw", "string", "block", "rawblock"):
            closed = word.end == at and at > word.content and not self._open_quote(word)
            if closed or word.kind in ("block", "rawblock"):
                return Completion(at, at, ())
        begin = at if word is None else word.content if word.kind in ("raw", "string") else word.begin
        if word is not None and word.kind == "word" and word.key and at >= word.value:
            begin = word.value
        # The cursor may stand between `$` and its quote.
        return Completion(min(begin, at), at, tuple(self._suggestions()))

    def _open_quote(self, word: Word) -> bool:
        """Whether the quotes of a string that ends here still wait for their end."""
        whole = r"'[^'\n]*'" if word.kind == "raw" else r'\$?"(?:[^"\\\n]|\\.)*"'
        return re.fullmatch(whole, word.value_text) is None

    def _hole(self, word: Word) -> Completion | None:
        part = self._text[word.begin : self._at]
        pattern = _HOLE_IN_BLOCK if word.kind == "block" else _HOLE_IN_STRING
        match = pattern.search(part)
        if match is None or (word.kind == "block" and self._at >= word.end and part.endswith('"""')):
            return None
        begin = word.begin + match.start("name")
        if word.kind != "block" and self._text[begin - 2 : begin - 1] == "$" and word.begin <= begin - 2:
            return None
        after = "}}}" if word.kind == "block" else "}"
        if re.match(r"\w*\}", self._text[self._at : self._at + 200]):
            after = ""
        return Completion(begin, self._at, tuple(self._params(after)))

    def _params(self, after: str = "") -> Iterator[Suggestion]:
        for name in self._names.params(self._at).values():
            yield Suggestion(name.name, "param", name.type, name.doc, name.name + after)

    # By statement -------------------------------------------------------------------------------

    def _suggestions(self) -> Iterable[Suggestion]:
        scan = self._scan
        frame = scan.statement
        words = [word for word in frame.words if word is not self._word]
        if not words:
            return self._beginning(frame)
        head = words[0].text
        if head == "else":
            return [self._keyword("when")]
        if scan.level == "block":
            if head == "resources":
                return self._resources(words)
            return self._arguments(verbs()[head], words[1:]) if head in verbs() else ()
        match head:
            case "snap":
                return [Suggestion("1", "value", "the version of the language")] if len(words) == 1 else ()
            case "param":
                return self._param(words[0].begin)
            case "use":
                return self._use(words)
            case "image" | "snapshot":
                return self._image(words)
        return ()

    def _condition(self) -> int | None:
        """Where the condition begins that the cursor is in."""
        words = self._scan.statement.words
        if words and words[0].text == "else":
            words = words[1:]
        if words and words[0].text == "when" and self._at > words[0].end:
            return words[0].end
        return None

    def _quoted(self) -> bool:
        return self._word is not None and self._word.kind in ("raw", "string")

    def _beginning(self, frame: Frame) -> Iterator[Suggestion]:
        if self._quoted() or self._scan.inner:
            return
        if frame.closed:
            if frame.closed[0].text in ("when", "else"):
                yield self._keyword("else")
            return
        if self._scan.level == "file":
            if not self._names.scan.heads or self._names.scan.heads[0].word != "snap":
                yield Suggestion("snap 1", "keyword", "", documentation.ITEMS["snap"])
            for name in ("use", "param", "secret", "image", "snapshot", "matrix", "when"):
                yield self._keyword(name)
            return
        for verb in verbs().values():
            yield Suggestion(verb.name, "verb", "", documentation.first_paragraph(verb.name), verb.name, _snippet(verb))
        yield self._keyword("when")
        if any(head[0].text == "snapshot" for head in self._scan.heads_around()):
            yield Suggestion("resources", "keyword", "", documentation.ITEMS["resources"])

    def _keyword(self, name: str) -> Suggestion:
        return Suggestion(name, "keyword", "", documentation.ITEMS[name], name, _ITEM_SNIPPETS[name])

    def _param(self, begin: int) -> Iterator[Suggestion]:
        match = _PARAM.match(self._text[begin : self._at])
        if match is None:
            return
        written = match["type"].strip()
        if match["value"] is not None:
            choices = re.findall(r"[^\s,\[\]\"']+", written.partition("[")[2]) if written.startswith("one") else []
            for choice in ["true", "false"] if written == "bool" else choices:
                yield _literal(choice, self._quoted() or written == "bool")
        elif "[" in written + match["part"] and written.startswith("list"):
            for name in SCALARS:
                yield Suggestion(name, "type", "", documentation.TYPES[name])
        elif not written:
            for name, about in documentation.TYPES.items():
                yield Suggestion(name, "type", "", about, name, _TYPE_SNIPPETS.get(name, ""))

    def _use(self, words: list[Word]) -> Iterator[Suggestion]:
        if len(words) == 2:
            yield Suggestion("as", "keyword", "the name of the file here")
        elif len(words) == 4:
            yield Suggestion("with", "keyword", "values of its parameters")
        elif len(words) > 4:
            other = imported(self._document, words[1].unquoted)
            params = names_of(other.text).visible(0, "param") if other is not None else {}
            if (key := self._key(words)) is not None:
                yield from _values_of(params[key], self._quoted()) if key in params else ()
                return
            given = self._given(words)
            for name in params.values():
                if name.name not in given:
                    yield Suggestion(f"{name.name}=", "option", name.type, name.doc)

    def _image(self, words: list[Word]) -> Iterator[Suggestion]:
        if len(words) == 2:
            yield Suggestion("from", "keyword", "what it starts from")
        elif len(words) == 3 and words[2].text == "from" and not self._quoted():
            for verb in factories().values():
                about = documentation.first_paragraph(verb.name)
                yield Suggestion(verb.name, "verb", "", about, verb.name, _snippet(verb) if verb.positional else "")
            yield from self._images()
        elif len(words) > 3 and words[3].text in factories():
            yield from self._arguments(factories()[words[3].text], words[4:])

    def _images(self) -> Iterator[Suggestion]:
        words = self._scan.statement.words
        here = words[0].begin if words else -1
        for name in self._names.images(self._at).values():
            # An image cannot start from itself.
            if name.at != here and not name.at <= self._at < name.close:
                yield Suggestion(name.name, "image", f"from {name.source}", name.doc)
        for use in self._names.uses().values():
            other = imported(self._document, use.source)
            if other is not None:
                for name in names_of(other.text).images(0).values():
                    yield Suggestion(f"{use.name}.{name.name}", "image", f"from {name.source}", name.doc)

    # Arguments ----------------------------------------------------------------------------------

    def _key(self, words: list[Word]) -> str | None:
        """The option whose value the cursor is in."""
        inner = self._scan.inner
        if inner:
            owner = inner[0].owner
            return owner.key or None if owner is not None else None
        word = self._word
        return word.key if word is not None and word.key and self._at >= word.value else None

    def _given(self, words: list[Word]) -> set[str]:
        end = self._text.find("\n", self._at)
        begin = self._at if self._word is None else max(self._at, self._word.end)
        return {word.key for word in words} | set(_KEY_AHEAD.findall(self._text[begin : end if end >= 0 else None]))

    def _arguments(self, verb: Verb, words: list[Word]) -> Iterator[Suggestion]:
        inner = self._scan.inner
        owner = inner[0].owner if inner else None
        before = [word for word in words if word is not owner]
        key = self._key(words)
        given = self._given(before)
        parameter = verb.parameters.get(key) if key is not None else _positional(verb, before, given)
        if parameter is not None:
            yield from self._values(parameter, inner[-1] if inner else None)
        if key is not None or inner or self._quoted() or verb.mapping:
            return
        filled = {each.name for each in _filled(verb, before, given)}
        for option in verb.parameters.values():
            if not option.many and option.name not in given | filled:
                about = documentation.explained(verb.name).parameters.get(option.name, "")
                yield Suggestion(f"{option.name}=", "option", option.kind, about, "", _option_snippet(option))

    def _values(self, parameter: Parameter, frame: Frame | None) -> Iterator[Suggestion]:
        if parameter.none and frame is None and not self._quoted():
            yield Suggestion("none", "value")
        match parameter.kind:
            case "bool":
                yield Suggestion("true", "value")
                yield Suggestion("false", "value")
            case "choice":
                for choice in parameter.choices:
                    yield Suggestion(choice, "value")
            case "secrets":
                words = frame.words if frame is not None else []
                there = {word.unquoted for word in words if word is not self._word}
                for name in self._names.visible(self._at, "secret").values():
                    if name.name not in there:
                        yield Suggestion(name.name, "secret", "", name.doc)
            case "image" | "images" if not self._quoted():
                if parameter.kind == "image" or (self._word is not None and self._word.key):
                    yield from self._images()

    def _resources(self, words: list[Word]) -> Iterator[Suggestion]:
        if self._key(words) is None:
            for name, about in documentation.RESOURCES.items():
                if name not in self._given(words):
                    yield Suggestion(f"{name}=", "option", "", about)


def _filled(verb: Verb, words: list[Word], given: set[str]) -> list[Parameter]:
    """The parameters that the words without a name have gone to."""
    waiting = [parameter for parameter in verb.positional if not parameter.many and parameter.name not in given]
    return waiting[: sum(1 for word in words if not word.key)]


def _positional(verb: Verb, words: list[Word], given: set[str]) -> Parameter | None:
    """The parameter that the next word without a name goes to."""
    waiting = [parameter for parameter in verb.positional if parameter.name not in given]
    for _ in (word for word in words if not word.key):
        if waiting and not waiting[0].many:
            waiting.pop(0)
    return waiting[0] if waiting else None


def _values_of(name: Name, quoted: bool) -> Iterator[Suggestion]:
    for choice in ("true", "false") if name.type == "bool" else name.choices:
        yield _literal(choice, quoted or name.type == "bool")


def _literal(text: str, plain: bool) -> Suggestion:
    return Suggestion(text, "value", "", "", text if plain else f'"{text}"')


def _snippet(verb: Verb) -> str:
    """The verb with what it cannot do without."""
    words = [verb.name]
    for index, parameter in enumerate((p for p in verb.positional if p.required), 1):
        match parameter.kind:
            case "image" | "word":
                words.append(f"${{{index}:{parameter.name}}}")
            case "argv":
                words.append(f'["${{{index}:word}}"]')
            case _:
                words.append(f'"${{{index}:{parameter.name}}}"')
    return " ".join(words) if len(words) > 1 else f"{verb.name} $0"


def _option_snippet(option: Parameter) -> str:
    match option.kind:
        case "bool":
            return f"{option.name}=${{1|true,false|}}"
        case "choice":
            return f"{option.name}=${{1|{','.join(option.choices)}|}}"
        case "secrets" | "pairs" | "images":
            return f"{option.name}=[$1]"
        case "texts" | "paths" | "argv":
            return f'{option.name}=["$1"]'
        case "int":
            return f"{option.name}=$1"
    return f'{option.name}="$1"'
