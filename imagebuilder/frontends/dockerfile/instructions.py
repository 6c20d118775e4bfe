"""One function for each instruction: from its words to core operations."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from imagebuilder.diagnostics import did_you_mean
from imagebuilder.frontends.dockerfile import arguments, files, reading
from imagebuilder.frontends.dockerfile.arguments import Kind, blank_separated, flags, json_words, one, some, word
from imagebuilder.frontends.dockerfile.lexer import (
    BLANKS,
    Instruction,
    Token,
    heredoc_marker,
    split_flags,
    takes_heredocs,
)
from imagebuilder.frontends.dockerfile.mounts import mount
from imagebuilder.frontends.dockerfile.problems import Problem
from imagebuilder.frontends.dockerfile.reading import Reading, image, make
from imagebuilder.frontends.dockerfile.scope import AUTOMATIC, unknown
from imagebuilder.ir import ops
from imagebuilder.ir.words import Expansion, Word, variables

MAX_INT = 2**31 - 1

# What each instruction takes before its words; those that are not here take none.
FLAGS: dict[str, dict[str, Kind]] = {
    "FROM": {"platform": "text"},
    "RUN": {"mount": "list", "network": "text", "security": "text"},
    "COPY": files.COPY,
    "ADD": files.ADD,
    "HEALTHCHECK": dict.fromkeys(("interval", "timeout", "start-period", "start-interval", "retries"), "text"),
}


def read(instruction: Instruction, at: Reading) -> Sequence[ops.Op]:
    """The operations of an instruction inside of a stage."""
    handler = HANDLERS.get(instruction.keyword)
    if handler is None:
        raise unknown_instruction(instruction)
    return handler(instruction, at)


def unknown_instruction(instruction: Instruction) -> Problem:
    hint = did_you_mean(instruction.keyword, KEYWORDS) or f"known: {', '.join(sorted(KEYWORDS))}"
    return Problem("IB307", f"an unknown instruction: {instruction.word.text!r}", instruction.word.span, hint)


def _run(instruction: Instruction, at: Reading) -> list[ops.Op]:
    given = flags(instruction, FLAGS["RUN"])
    mounts = tuple(mount(token, instruction.escape, at) for token in given.texts("mount"))
    network = _choice(given.text("network"), "network", ("default", "none", "host"), "default")
    security = _choice(given.text("security"), "security", ("insecure", "sandbox"), "")
    found = _command(instruction)
    if not found and not instruction.heredocs:
        raise Problem("IB315", "RUN without a command", instruction.span, "write RUN COMMAND")
    if instruction.heredocs and isinstance(found, str):
        found = _with_heredocs(found, instruction)
    return [make(ops.Run, instruction, command=found, mounts=mounts, network=network, security=security)]


def _with_heredocs(command: str, instruction: Instruction) -> str:
    """One here-document alone is the script; among other words the shell itself reads it."""
    if heredoc_marker(command) is not None:
        return instruction.heredocs[0].content.removesuffix("\n")
    whole = command + "".join(f"\n{each.body}{each.name}" for each in instruction.heredocs)
    # Run takes text that starts with '#!' for a script; this is the shell's, to which the blank is nothing.
    return " " + whole if whole.startswith("#!") else whole


def _choice(token: Token | None, flag: str, known: tuple[str, ...], default: str) -> str:
    if token is None or token.text in known:
        return default if token is None else token.text
    hint = did_you_mean(token.text, known) or f"one of {', '.join(known)}"
    raise Problem("IB309", f"not a value of --{flag}: {token.text!r}", token.span, hint)


def _command(instruction: Instruction) -> str | tuple[str, ...]:
    found = json_words(instruction.rest)
    return instruction.rest.text if found is None else tuple(token.text for token in found)


def _cmd(instruction: Instruction, at: Reading) -> list[ops.Op]:
    flags(instruction)
    one(instruction, "COMMAND")
    model = ops.Cmd if instruction.keyword == "CMD" else ops.Entrypoint
    return [make(model, instruction, command=_command(instruction))]


def _shell(instruction: Instruction, at: Reading) -> list[ops.Op]:
    flags(instruction)
    found = json_words(one(instruction, '["program", "argument"]'))
    if not found:
        raise Problem("IB317", "SHELL takes a JSON array", instruction.rest.span, 'such as ["/bin/bash", "-c"]')
    return [make(ops.Shell, instruction, words=tuple(token.text for token in found))]


def _env(instruction: Instruction, at: Reading) -> list[ops.Op]:
    found: list[tuple[str, Word, Token]] = []
    for key, value in reading.pairs(instruction):
        name = at.literal(word(key, instruction.escape), key)
        found.append((name, word(value, instruction.escape), value))
    op = make(ops.Env, instruction, variables=tuple((name, value) for name, value, _ in found))
    # All values of one instruction see the variables as they were before it.
    at.scope.values |= {name: at.worth(name, value, token) for name, value, token in found}
    return [op]


def _label(instruction: Instruction, at: Reading) -> list[ops.Op]:
    escape = instruction.escape
    labels = [(word(key, escape), word(value, escape)) for key, value in reading.pairs(instruction)]
    return [make(ops.Label, instruction, labels=tuple(labels))]


def _arg(instruction: Instruction, at: Reading) -> list[ops.Op]:
    flags(instruction)
    found: list[ops.Op] = []
    tokens = arguments.no_comment(arguments.quoted_words(instruction.rest, instruction.escape))
    for token in some(tokens, instruction, "NAME"):
        name, default = _declaration(token, instruction.escape)
        value: Word | None
        if name.text in at.build_args:
            value = at.build_args[name.text]
        elif default is not None:
            value = default
        else:
            value = at.globals.values.get(name.text)
            if value == unknown(name.text):
                value = None
            elif isinstance(value, Expansion):
                raise reading.automatic(token, *sorted(variables(value)))
        found.append(make(ops.Arg, instruction, name=name.text, default=value))
        at.scope.declared.add(name.text)
        if value is not None:
            at.scope.values[name.text] = at.worth(name.text, value, token)
        elif name.text in AUTOMATIC:
            at.scope.values[name.text] = unknown(name.text)
    return found


def _declaration(token: Token, escape: str) -> tuple[Token, Word | None]:
    """``NAME`` or ``NAME=default``."""
    pair = arguments.cut(token, "=")
    if pair is None:
        return token, None
    return pair[0], word(pair[1], escape)


def _workdir(instruction: Instruction, at: Reading) -> list[ops.Op]:
    flags(instruction)
    return [make(ops.Workdir, instruction, path=word(one(instruction, "PATH"), instruction.escape))]


def _user(instruction: Instruction, at: Reading) -> list[ops.Op]:
    flags(instruction)
    return [make(ops.User, instruction, name=word(one(instruction, "NAME"), instruction.escape))]


def _stopsignal(instruction: Instruction, at: Reading) -> list[ops.Op]:
    flags(instruction)
    return [make(ops.StopSignal, instruction, signal=word(one(instruction, "SIGNAL"), instruction.escape))]


def _maintainer(instruction: Instruction, at: Reading) -> list[ops.Op]:
    flags(instruction)
    return [make(ops.Maintainer, instruction, name=one(instruction, "NAME").text)]


def _expose(instruction: Instruction, at: Reading) -> list[ops.Op]:
    flags(instruction)
    ports: list[Word] = []
    for token in some(arguments.no_comment(blank_separated(instruction.rest)), instruction, "PORT"):
        port = word(token, instruction.escape)
        # "[ip:]host:container/PROTOCOL" exposes the container's port alone.
        ports.append(port.rpartition(":")[2].lower() if isinstance(port, str) else port)
    return [make(ops.Expose, instruction, ports=tuple(ports))]


def _volume(instruction: Instruction, at: Reading) -> list[ops.Op]:
    flags(instruction)
    found = json_words(instruction.rest)
    tokens = some(blank_separated(instruction.rest) if found is None else found, instruction, "PATH")
    paths = tuple(word(token, instruction.escape) for token in tokens)
    for token, path in zip(tokens, paths, strict=True):
        if isinstance(path, str) and not path.strip():
            raise Problem("IB315", "an empty VOLUME", token.span, "give the path of a folder")
    return [make(ops.Volume, instruction, paths=paths)]


def _healthcheck(instruction: Instruction, at: Reading) -> list[ops.Op]:
    given = flags(instruction, FLAGS["HEALTHCHECK"])
    kind = some(blank_separated(instruction.rest), instruction, "CMD command")[0]
    rest = instruction.rest
    text = rest.text[len(kind.text) :].strip(BLANKS)
    inner = replace(instruction, rest=Token(text, rest.line, rest.end - len(text), rest.end))
    if kind.text.upper() == "NONE":
        if text or instruction.flags:
            raise Problem(
                "IB328",
                "HEALTHCHECK NONE takes nothing else",
                instruction.span,
                "write HEALTHCHECK NONE alone",
            )
        return [make(ops.Healthcheck, instruction, command=())]
    if kind.text.upper() != "CMD":
        raise Problem("IB328", f"HEALTHCHECK {kind.text}: NONE or CMD", kind.span, "write HEALTHCHECK CMD command")
    command = _command(inner)
    if not command:
        raise Problem("IB315", "HEALTHCHECK CMD without a command", instruction.span, "write HEALTHCHECK CMD command")
    fields: dict[str, object] = {}
    for option in FLAGS["HEALTHCHECK"]:
        if (token := given.text(option)) is not None and token.text:
            fields[option.replace("-", "_")] = _count(token) if option == "retries" else token.text
    return [make(ops.Healthcheck, instruction, command=command, **fields)]


def _count(token: Token) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", token.text) or int(token.text) > MAX_INT:
        raise Problem("IB309", f"not a number of retries: {token.text!r}", token.span, "such as 3")
    return int(token.text)


def _onbuild(instruction: Instruction, at: Reading) -> list[ops.Op]:
    """Kept as written, and read once to find what is wrong with it now and not in another's build."""
    flags(instruction)
    inner = _inner(instruction)
    if inner.keyword in ("ONBUILD", "FROM", "MAINTAINER"):
        raise Problem(
            "IB329",
            f"ONBUILD cannot hold {inner.keyword}",
            inner.word.span,
            "any other instruction can be kept for later",
        )
    later = Reading(at.scope.copy(), at.globals, {}, at.dockerignore, lambda token, _: image(token))
    try:
        read(inner, later)
    except Problem as problem:
        if not problem.only_if_needed:
            raise
    at.triggers.append(inner)
    text = instruction.rest.text + "".join(f"\n{each.body}{each.name}" for each in instruction.heredocs)
    return [make(ops.Onbuild, instruction, instruction=text)]


def _inner(instruction: Instruction) -> Instruction:
    rest = one(instruction, "INSTRUCTION")
    keyword = blank_separated(rest)[0]
    found, start = split_flags(rest.line, keyword.end, rest.end)
    inner = Token(rest.line.text[start : rest.end], rest.line, start, rest.end)
    taken = instruction.heredocs if takes_heredocs(keyword.text, inner.text) else ()
    return replace(instruction, keyword=keyword.text.upper(), word=keyword, flags=found, rest=inner, heredocs=taken)


HANDLERS: dict[str, Callable[[Instruction, Reading], Sequence[ops.Op]]] = {
    "RUN": _run,
    "COPY": files.copy,
    "ADD": files.add,
    "ENV": _env,
    "LABEL": _label,
    "ARG": _arg,
    "WORKDIR": _workdir,
    "USER": _user,
    "SHELL": _shell,
    "ENTRYPOINT": _cmd,
    "CMD": _cmd,
    "EXPOSE": _expose,
    "VOLUME": _volume,
    "HEALTHCHECK": _healthcheck,
    "STOPSIGNAL": _stopsignal,
    "ONBUILD": _onbuild,
    "MAINTAINER": _maintainer,
}
KEYWORDS = ("FROM", *HANDLERS)
