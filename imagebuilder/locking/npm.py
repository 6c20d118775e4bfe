"""npm, asked in a base which packages it would install."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path
from uuid import uuid4

from imagebuilder.backends.dockerfile import Dockerfile
from imagebuilder.compiler import Plan
from imagebuilder.diagnostics import BuildError, CompileError, Diagnostic, Note
from imagebuilder.engine.protocol import BuildFailed, OnEvent
from imagebuilder.failure import explain_failure
from imagebuilder.ir.ops import Run
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.locking.throwaway import ThrowAway
from imagebuilder.passes.lower.packages import NPM_CACHE, npm_files
from imagebuilder.resolve.ask import Left
from imagebuilder.resolve.resolver import LeftOut
from imagebuilder.resolve.system import npm
from imagebuilder.resolve.system.npm import LockedNpm, NpmAsk, NpmGround, NpmPackage
from imagebuilder.steps import beside

_SCRIPT = Path(npm.__file__).with_name("ask_npm.sh")
_FAILED = 71
_LARGEST = 16 * 1024 * 1024
_CODE = re.compile(r"npm (?:error|ERR!) code (?P<code>\w+)")
# What npm says where it was the registry that did not answer; any other is about what is asked for.
_NO_REGISTRY = re.compile(
    r"E(NOTFOUND|AI_AGAIN|CONN\w+|(SOCKET)?TIMEDOUT|SOCKETTIMEOUT|NETUNREACH|HOSTUNREACH|5\d\d|429)|\w*CERT\w*"
)


class NpmAsker:
    """For one lock. ``locked`` are the answers, ``left`` the requests without one."""

    def __init__(
        self,
        plan: Plan,
        known: Sequence[LockedNpm],
        upgrade: Collection[str],
        build: ThrowAway,
        on_event: OnEvent,
    ) -> None:
        """
        Args:
            known: the versions in these stay where they still fit.
            upgrade: the packages whose versions need not stay.
        """
        self._plan = plan
        self._known = known
        self._upgrade = frozenset(upgrade)
        self._build = build
        self._on_event = on_event
        self.locked: list[LockedNpm] = []
        self.left: list[LeftOut] = []

    def ask(self, target: Stage) -> None:
        """
        Args:
            target: what the plan builds, with the digests of its bases.

        Raises:
            CompileError: npm cannot install what is asked for; at its line.
            BuildError: the registry does not answer.
            EngineError: the engine does not answer.
        """
        npm.pinned(target, self._answer)

    def _answer(self, step: Step, ask: NpmAsk | Left, ground: NpmGround) -> LockedNpm | None:
        if isinstance(ask, Left):
            self._leave(step, ask.reason)
            return None
        at = ask.base, self._plan.platform, ask.request
        found = next((each for each in self.locked if (each.base, each.platform, each.request) == at), None)
        if found is None:
            with beside(f"asking npm for {' '.join(ask.packages)}", self._on_event):
                lines = self._asked(step, ask, ground)
            try:
                found = LockedNpm(*at, ask.packages, _packages(lines))
            except ValueError as error:
                self._leave(step, str(error))
                return None
            self.locked.append(found)
        return found

    def _leave(self, step: Step, reason: str) -> None:
        self.left.append(LeftOut("npm_install", step.place, reason))

    def _asked(self, step: Step, ask: NpmAsk, ground: NpmGround) -> list[str]:
        marker = uuid4().hex
        kept = self._kept(ask)
        lock = npm.npms_lock(ask.packages, kept) if kept else ""
        files = npm_files(npm.manifest(ask.packages), lock)
        script = _SCRIPT.read_text(encoding="utf-8")
        run = Run(command=f"ANSWER={marker}\nFILES={files.target}\n{script}", mounts=(*NPM_CACHE, files))
        assert ground.image is not None
        stage = Stage(ground.image, (*ground.before, Step(run, step.place, "", step.intent)), step.place)
        plan = Plan(stage, self._plan.platform, {}, {})
        return self._build.answer(plan, marker, lambda failure, dockerfile: _failed(failure, dockerfile, step))

    def _kept(self, ask: NpmAsk) -> list[NpmPackage]:
        """What was locked for the same base and more or less the same words, without what is to be upgraded."""
        alike = [each for each in self._known if (each.base, each.platform) == (ask.base, self._plan.platform)]
        found = {each.path: each for answer in alike for each in answer.packages}
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


def _failed(failure: BuildFailed, dockerfile: Dockerfile, step: Step) -> CompileError | BuildError:
    if failure.exit_code != _FAILED:
        return BuildError(explain_failure(failure, dockerfile, "NAME"))
    code = next((match["code"] for line in failure.log if (match := _CODE.match(line))), "")
    said = [line for line in failure.log if line.startswith(("npm error", "npm ERR!"))] or list(failure.log)
    notes = (Note("npm says:\n" + "\n".join(said)),)
    if _NO_REGISTRY.fullmatch(code):
        help = "can a build reach it from this machine? HTTPS_PROXY and --ca are taken notice of"
        return BuildError(Diagnostic("IB671", "npm_install: npm's registry does not answer", step.place, notes, help))
    words = " ".join(getattr(step.intent, "packages", ()))
    help = "are the names right, and are there such versions?"
    return CompileError(Diagnostic("IB670", f"npm_install: npm cannot install {words}", step.place, notes, help))
