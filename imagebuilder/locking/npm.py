"""npm, asked in a base which packages it would install."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from imagebuilder.backends.dockerfile import Dockerfile
from imagebuilder.diagnostics import BuildError, CompileError, Diagnostic, Note
from imagebuilder.engine.protocol import BuildFailed
from imagebuilder.failure import explain_failure
from imagebuilder.ir.ops import Run
from imagebuilder.ir.stage import Step
from imagebuilder.locking.system import Asker, At
from imagebuilder.passes.lower.packages import NPM_CACHE, npm_files
from imagebuilder.resolve.system import npm
from imagebuilder.resolve.system.npm import LockedNpm, NpmAsk, NpmGround, NpmPackage

_SCRIPT = Path(npm.__file__).with_name("ask_npm.sh")
_FAILED = 71
_LARGEST = 16 * 1024 * 1024
_CODE = re.compile(r"npm (?:error|ERR!) code (?P<code>\w+)")
# What npm says where it was the registry that did not answer; any other is about what is asked for.
_NO_REGISTRY = re.compile(
    r"E(NOTFOUND|AI_AGAIN|CONN\w+|(SOCKET)?TIMEDOUT|SOCKETTIMEOUT|NETUNREACH|HOSTUNREACH|5\d\d|429)|\w*CERT\w*"
)


class NpmAsker(Asker[NpmAsk, LockedNpm]):
    @staticmethod
    def _ground() -> type[NpmGround]:
        return NpmGround

    def _question(self, ask: NpmAsk, known: Sequence[LockedNpm], marker: str) -> Run:
        kept = self._kept(known)
        files = npm_files(npm.manifest(ask.packages), npm.npms_lock(ask.packages, kept) if kept else "")
        script = _SCRIPT.read_text(encoding="utf-8")
        return Run(command=f"ANSWER={marker}\nFILES={files.target}\n{script}", mounts=(*NPM_CACHE, files))

    def _read(self, at: At, ask: NpmAsk, lines: Sequence[str]) -> LockedNpm:
        return LockedNpm(*at, ask.packages, _packages(lines))

    @staticmethod
    def _failed(failure: BuildFailed, dockerfile: Dockerfile, step: Step) -> CompileError | BuildError:
        if failure.exit_code != _FAILED:
            return BuildError(explain_failure(failure, dockerfile, "NAME"))
        code = next((match["code"] for line in failure.log if (match := _CODE.match(line))), "")
        said = [line for line in failure.log if line.startswith(("npm error", "npm ERR!"))] or list(failure.log)
        notes = (Note("npm says:\n" + "\n".join(said)),)
        if _NO_REGISTRY.fullmatch(code):
            help = "can a build reach it from this machine? HTTPS_PROXY and --ca are taken notice of"
            message = "npm_install: npm's registry does not answer"
            return BuildError(Diagnostic("IB671", message, step.place, notes, help))
        words = " ".join(getattr(step.intent, "packages", ()))
        help = "are the names right, and are there such versions?"
        return CompileError(Diagnostic("IB670", f"npm_install: npm cannot install {words}", step.place, notes, help))

    def _kept(self, known: Sequence[LockedNpm]) -> list[NpmPackage]:
        """What was locked for the same base, without what is to be upgraded."""
        found = {each.path: each for answer in known for each in answer.packages}
        gone = {path for path, each in found.items() if each.name in self._upgrade}
        return [each for path, each in found.items() if not any(f"{path}/".startswith(f"{old}/") for old in gone)]


def _packages(lines: Sequence[str]) -> tuple[NpmPackage, ...]:
    """
    Raises:
        ValueError: why there are none that can be locked.
    """
    if lines[:1] == ["No npm"]:
        raise ValueError("the base has no npm")
    if lines and lines[0].startswith("Old npm "):
        raise ValueError(f"npm {lines[0].removeprefix('Old npm ')} of the base is older than 9")
    try:
        text = zlib.decompressobj().decompress(base64.b64decode("".join(lines), validate=True), _LARGEST).decode()
    except (ValueError, zlib.error):
        text = ""
    if not text:
        raise ValueError("npm does not say what it would install")
    try:
        return npm.packages_of(text)
    except (KeyError, TypeError, AttributeError):
        raise ValueError("npm does not say what it would install") from None
