"""COPY and ADD: which files, from where, and the here-documents among them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from itertools import groupby

from imagebuilder.diagnostics import Invalid, Span
from imagebuilder.frontends.dockerfile import arguments
from imagebuilder.frontends.dockerfile.arguments import Flags, Kind
from imagebuilder.frontends.dockerfile.lexer import Heredoc, Instruction, Token, heredoc_marker
from imagebuilder.frontends.dockerfile.problems import Problem
from imagebuilder.frontends.dockerfile.reading import Reading, make
from imagebuilder.frontends.dockerfile.words import WordError, parse
from imagebuilder.ir import checks, ops
from imagebuilder.ir.words import Expansion, Var, Word

_COMMON: dict[str, Kind] = {"chown": "text", "chmod": "text", "link": "bool", "exclude": "list"}
COPY: dict[str, Kind] = {**_COMMON, "from": "text", "parents": "bool"}
ADD: dict[str, Kind] = {**_COMMON, "checksum": "text", "keep-git-dir": "bool", "unpack": "bool"}

MAX_AUTHORITY = 5000
_REMOTE = re.compile(r"(?:https?|git|ssh)://|[A-Za-z0-9_-]+@[A-Za-z0-9.-]+:")
_MODE = re.compile(r"0*[0-7]{1,4}|[ugoa]*[-+=][rwxXstugo]*(?:[-+=][rwxXstugo]*)*(?:,[ugoa]*[-+=][rwxXstugo]*)*")
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}|[0-9a-f]{1,64}")


def copy(instruction: Instruction, at: Reading) -> Sequence[ops.Op]:
    """``COPY``: files of the context, of a stage or of an image; then the here-documents."""
    given = arguments.flags(instruction, COPY)
    sources, documents, dest = _words(instruction)
    common = _fields(given, instruction)
    found: list[ops.Op] = []
    if sources:
        parents = bool(given.switch("parents"))
        name = given.text("from")
        if name is None:
            for token in sources:
                _refuse_remote(token, instruction)
            paths = [_path(token, instruction, at, parents=parents) for token in sources]
            origin: ops.Source = at.local(*(_pattern(path) for path in paths))
            words: tuple[Word, ...] = tuple(paths)
        else:
            origin = at.origin(name, True)
            words = tuple(arguments.word(token, instruction.escape) for token in sources)
        fields = dict(common, exclude=given.words("exclude", instruction.escape))
        found.append(make(ops.Copy, instruction, sources=words, dest=dest, origin=origin, parents=parents, **fields))
    else:
        _refuse_flags(given, ("from", "parents", "exclude"))
    return [*found, *_documents(documents, dest, common, instruction)]


def add(instruction: Instruction, at: Reading) -> Sequence[ops.Op]:
    """``ADD``: the same, and URLs and Git repositories; each run of one kind is an operation of its own."""
    given = arguments.flags(instruction, ADD)
    sources, documents, dest = _words(instruction)
    common = _fields(given, instruction)
    checksum = given.word("checksum", instruction.escape)
    if isinstance(checksum, str) and checksum and not _CHECKSUM.fullmatch(checksum):
        raise Problem("IB309", f"not a checksum: {checksum!r}", given.spans["checksum"].span, "sha256: and 64 digits")
    keep = bool(given.switch("keep-git-dir"))
    fields = dict(common, exclude=given.words("exclude", instruction.escape))
    fields |= {"checksum": checksum, "keep_git_dir": keep, "unpack": given.switch("unpack")}
    if not sources:
        _refuse_flags(given, ("checksum", "keep-git-dir", "unpack", "exclude"))
    if checksum and len(sources) + len(documents) > 1:
        raise Problem("IB337", "--checksum of several sources", given.spans["checksum"].span, "use one ADD for each")
    found: list[ops.Op] = []
    remote = [(token, _remote(token, instruction, at)) for token in sources]
    for is_remote, group in groupby(remote, lambda each: each[1] is not None):
        members = list(group)
        if is_remote:
            words = tuple(url for _, url in members if url is not None)
            found.append(make(ops.Add, instruction, sources=words, dest=dest, origin=None, **fields))
            continue
        if checksum:
            raise Problem(
                "IB337",
                "--checksum of local files",
                given.spans["checksum"].span,
                "only URLs and Git have one",
            )
        paths = [_path(token, instruction, at, parents=False) for token, _ in members]
        origin = at.local(*(_pattern(path) for path in paths))
        found.append(make(ops.Add, instruction, sources=tuple(paths), dest=dest, origin=origin, **fields))
    return [*found, *_documents(documents, dest, common, instruction)]


def _words(instruction: Instruction) -> tuple[list[Token], list[Heredoc], Word]:
    """The sources that are files, the here-documents, and the destination."""
    array = arguments.json_words(instruction.rest)
    tokens = arguments.blank_separated(instruction.rest) if array is None else array
    keyword = instruction.keyword
    if len(tokens) < 2:
        raise Problem(
            "IB315",
            f"{keyword} without a source or a destination",
            instruction.span,
            f"write {keyword} SOURCE DESTINATION",
        )
    *sources, last = tokens
    if heredoc_marker(last.text) is not None:
        raise Problem(
            "IB312",
            f"a here-document as the destination of {keyword}",
            last.span,
            f"write {keyword} <<EOF DESTINATION",
        )
    named = {each.name: each for each in instruction.heredocs}
    found, documents = [], []
    for token in sources:
        marker = heredoc_marker(token.text)
        if marker is None:
            found.append(token)
        elif marker.name not in named:
            hint = "the JSON form takes none" if array is not None else "each name is used once"
            raise Problem("IB312", f"a here-document without its lines: {token.text!r}", token.span, hint)
        else:
            documents.append(named.pop(marker.name))
    if len(documents) != len(instruction.heredocs):
        hint = "write <<EOF without a blank before its name, each name once, and the destination last"
        raise Problem("IB312", f"a here-document that {keyword} does not take", instruction.rest.span, hint)
    return found, documents, arguments.word(last, instruction.escape)


def _fields(given: Flags, instruction: Instruction) -> dict[str, object]:
    chown, chmod = (given.word(name, instruction.escape) for name in ("chown", "chmod"))
    if isinstance(chmod, str) and chmod and not _MODE.fullmatch(chmod):
        raise Problem("IB309", f"not a file mode: {chmod!r}", given.spans["chmod"].span, "such as 0755 or u+x")
    return {"chown": chown, "chmod": chmod, "link": bool(given.switch("link"))}


def _documents(
    documents: list[Heredoc], dest: Word, common: dict[str, object], instruction: Instruction
) -> list[ops.Op]:
    if not documents:
        return []
    written = tuple((each.name, _body(each, instruction)) for each in documents)
    return [make(ops.WriteFiles, instruction, files=written, dest=dest, **common)]


def _body(document: Heredoc, instruction: Instruction) -> Word:
    """Its escape is always the backslash, whatever that of the file is; its quotes are text."""
    if not document.expand:
        return document.content
    try:
        return parse(document.content, quotes=False)
    except WordError as error:
        line = document.line + document.content.count("\n", 0, error.offset)
        place = Span(instruction.span.file, line)
        raise Problem(error.code, error.message, place, f"{error.help}, or write <<'{document.name}'") from None


def _refuse_flags(given: Flags, names: tuple[str, ...]) -> None:
    for name in names:
        if name in given.spans:
            raise Problem("IB337", f"--{name} has no effect on a here-document", given.spans[name].span, "remove it")


def _refuse_remote(token: Token, instruction: Instruction) -> None:
    if _REMOTE.match(token.text):
        raise Problem("IB338", f"COPY takes no URL: {token.text!r}", token.span, "use ADD")


def _remote(token: Token, instruction: Instruction, at: Reading) -> Word | None:
    """The URL or Git reference that a source is, its variables kept; None where it is a local path."""
    word = arguments.word(token, instruction.escape)
    parts = word.parts if isinstance(word, Expansion) else (word,)
    # A credential in a variable is one all the same.
    shown = "".join("x" if isinstance(part, Var) else part for part in parts)
    starts = shown
    if isinstance(parts[0], Var):
        starts = at.literal(word, token)
    if not _REMOTE.match(starts):
        return None
    try:
        for url in (shown, starts):
            checks.refuse_credentials("/".join(url.split("/", 3)[:3])[:MAX_AUTHORITY])
    except Invalid as error:
        raise Problem(error.code, error.message, token.span, error.help) from None
    return word


def _path(token: Token, instruction: Instruction, at: Reading, *, parents: bool) -> str:
    """A source below the context: without a leading '/', and with '..' stopping at its top."""
    text = at.literal(arguments.word(token, instruction.escape), token)
    if not text:
        raise Problem("IB315", "an empty source", token.span, "write . for the whole context", only_if_needed=True)
    if parents and "/./" in text:
        # What is before "/./" does not become part of the path in the image.
        above, _, below = text.partition("/./")
        return f"{_clean(above)}/./{_clean(below)}"
    return _clean(text)


def _clean(text: str) -> str:
    path = posixpath.normpath("/" + text.lstrip("/")).lstrip("/") or "."
    return path + "/" if text.endswith("/") and path != "." else path


def _pattern(path: str) -> str:
    return _clean(path).rstrip("/") or "."
