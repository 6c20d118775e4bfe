"""Files: from this machine, from text, from the network, from another image."""

from __future__ import annotations

from collections.abc import Iterator

from imagebuilder.ir.ops import (
    Add,
    AddLocalDir,
    AddLocalFile,
    AddLocalPythonSource,
    AddText,
    AddUrl,
    Copy,
    CopyFrom,
    Env,
    GitClone,
    ImageSource,
    LocalSource,
    Op,
    WriteFiles,
)
from imagebuilder.ir.words import Expansion, Var, Word, literal_pattern
from imagebuilder.passes.lower.scope import Scope

PYTHON_SOURCE = "/opt/python"


def add_local_file(op: AddLocalFile, scope: Scope) -> Iterator[Op]:
    origin = LocalSource(path=op.path, kind="file")
    yield Copy(sources=(".",), dest=op.dest, origin=origin, chmod=op.chmod or "", chown=op.chown or "")


def add_local_dir(op: AddLocalDir, scope: Scope) -> Iterator[Op]:
    origin = LocalSource(path=op.path, ignore=op.ignore, dockerignore=".dockerignore", kind="dir")
    yield Copy(sources=(".",), dest=op.dest, origin=origin, chown=op.chown or "")


def add_local_python_source(op: AddLocalPythonSource, scope: Scope) -> Iterator[Op]:
    paths = [module.replace(".", "/") for module in op.modules]
    origin = LocalSource(
        path=".",
        include=tuple((path, path + ".py") for path in paths),
        ignore=("**/__pycache__", "**/*.py[co]", *op.ignore),
        kind="dir",
    )
    yield Copy(sources=(".",), dest=PYTHON_SOURCE, origin=origin)
    before = scope.variables.get("PYTHONPATH")
    if before is None:
        # What the base has stays behind ours.
        rest = Var(name="PYTHONPATH", modifier=":+", word=Expansion(parts=(":", Var(name="PYTHONPATH"))))
        yield Env(variables=(("PYTHONPATH", Expansion(parts=(PYTHON_SOURCE, rest))),))
    elif not _leads_to_source(before):
        both = Expansion(parts=(f"{PYTHON_SOURCE}:", Var(name="PYTHONPATH")))
        yield Env(variables=(("PYTHONPATH", both),))


def _leads_to_source(path: Word) -> bool:
    texts = (path,) if isinstance(path, str) else [part for part in path.parts if isinstance(part, str)]
    return any(PYTHON_SOURCE in text.split(":") for text in texts)


def add_text(op: AddText, scope: Scope) -> Iterator[Op]:
    yield WriteFiles(files=(("", op.content),), dest=op.dest, chmod=op.chmod or "", chown=op.chown or "")


def add_url(op: AddUrl, scope: Scope) -> Iterator[Op]:
    yield Add(
        sources=(op.url,),
        dest=op.dest,
        checksum=op.checksum or "",
        chmod=op.chmod or "",
        chown=op.chown or "",
        unpack=op.unpack or None,
    )


def git_clone(op: GitClone, scope: Scope) -> Iterator[Op]:
    # BuildKit takes an http URL for a repository only when its path ends in .git.
    url = op.url.rstrip("/")
    if url.startswith(("http://", "https://")) and not url.endswith(".git"):
        url += ".git"
    source = f"{url}#{op.ref}" if op.ref else url
    yield Add(sources=(source,), dest=op.dest, keep_git_dir=op.keep_git_dir, chown=op.chown or "")


def copy_from(op: CopyFrom, scope: Scope) -> Iterator[Op]:
    origin = ImageSource(ref=op.source) if isinstance(op.source, str) else op.source
    yield Copy(
        sources=(literal_pattern(op.src),), dest=op.dest, origin=origin, chown=op.chown or "", chmod=op.chmod or ""
    )
