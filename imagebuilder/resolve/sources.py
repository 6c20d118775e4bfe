"""Source distributions: answered with, and their wheels put in their place, which somebody else builds."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.parser import HeaderParser
from pathlib import Path

from imagebuilder.diagnostics import Place
from imagebuilder.ir.ops import BaseImage, Op
from imagebuilder.ir.packages import Distribution, DistributionFile, Install, Python
from imagebuilder.ir.stage import Stage, Step, rewrite
from imagebuilder.resolve import uv
from imagebuilder.resolve.ground import Ground, PythonOf

_MOST_METADATA = 16 << 20
# Of builds for their metadata in one request; each is of another release.
_MOST = 20


@dataclass(frozen=True, slots=True)
class Source:
    """A source distribution, and all that its wheel is made of besides.

    ``apt`` are the packages of the system that the image installs before it, and ``env`` the variables that it sets.
    ``verb`` and ``place`` are whose it is.
    """

    name: str
    version: str
    file: DistributionFile
    base: BaseImage
    python: Python
    apt: tuple[str, ...]
    index_url: str
    extra_index_urls: tuple[str, ...]
    verb: str
    place: Place | None
    env: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}"


class NotHere(Exception):
    """No wheel can be built for this base; the text is why, as the end of "… since …"."""


class Wheels:
    """Has wheels built, for the requests of one build."""

    def built(self, source: Source) -> DistributionFile:
        """The wheel of a source distribution, which is in the home's store of wheels.

        Raises:
            NotHere: none can be built in its base, whatever the package is.
            BuildError: this one cannot be built, or not be fetched.
        """
        raise NotHere("nothing is built from source here")

    def path(self, wheel: DistributionFile) -> Path:
        """Where a wheel that was built is."""
        raise NotImplementedError


def source_of(step: Step, each: Distribution, ground: Ground, index_url: str, extra: tuple[str, ...]) -> Source:
    """That of a distribution which ``step`` wants, on that ground.

    Raises:
        NotHere: not all is known that it could be made of.
    """
    if ground.unclear:
        raise NotHere(f"what {each.name} is built with depends on {ground.unclear}, whose value the build alone knows")
    assert ground.image is not None and ground.python is not None
    return Source(
        each.name,
        each.version,
        each.files[0],
        ground.image,
        ground.python,
        tuple(sorted(ground.apt)),
        index_url,
        extra,
        (step.intent or step.op).verb,
        step.place,
        tuple(sorted(ground.env.items())),
    )


def answered(
    resolve: Callable[[tuple[uv.Metadata, ...]], uv.Answer], build: Callable[[Distribution], uv.Metadata]
) -> uv.Answer:
    """What is resolved once it is known what each release requires, of those that say it once they are built.

    They are first taken to require nothing. What is not taken even then is not to be had at all, and what is taken is
    built; its real metadata may change the answer, so it is asked again.

    Raises:
        Unresolved: there is no answer.
        NotHere, BuildError: as :meth:`Wheels.built`.
    """
    built: dict[tuple[str, str], uv.Metadata] = {}
    while True:
        empty: dict[tuple[str, str], uv.Metadata] = {}
        while True:
            try:
                answer = resolve((*built.values(), *empty.values()))
                break
            except uv.Unresolved as error:
                release = error.about, error.version
                if error.kind != uv.TO_BUILD or release in built or release in empty:
                    raise
                empty[release] = uv.Metadata(*release)
        wanted = [each for each in answer.distributions if (each.name, each.version) in empty]
        if not wanted:
            return answer
        if len(built) + len(wanted) > _MOST:
            raise NotHere(f"more than {_MOST} packages would have to be built to know what they require")
        built |= {(each.name, each.version): build(each) for each in wanted}


def metadata(path: Path, name: str, version: str) -> uv.Metadata:
    """What a wheel says that it requires.

    Raises:
        NotHere: it does not say it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = [each for each in archive.infolist() if each.filename.endswith(".dist-info/METADATA")]
            if len(found) != 1 or found[0].file_size > _MOST_METADATA:
                raise NotHere(f"{path.name} has no metadata that can be read")
            said = HeaderParser().parsestr(archive.read(found[0]).decode())
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError):
        raise NotHere(f"{path.name} has no metadata that can be read") from None
    return uv.Metadata(
        name,
        version,
        tuple(map(str, said.get_all("Requires-Dist", ()))),
        str(said.get("Requires-Python", "")),
        tuple(map(str, said.get_all("Provides-Extra", ()))),
    )


def with_wheels(
    target: Stage, platform: str, python_of: PythonOf, wheels: Wheels, leave: Callable[[Step, str], None]
) -> Stage:
    """The graph with wheels in the place of source distributions, for those Installs that are laid out.

    One whose wheels cannot be built is left to the image's own installer, as a command that installs just this.
    """

    def change(stage: Stage) -> Stage:
        if not any(_sources(step.op) for step in stage.steps):
            return stage
        ground = Ground(stage.base, platform, python_of)
        steps = []
        for step in stage.steps:
            if _sources(step.op):
                step = _with_wheels(step, ground, wheels, leave)
            ground.note(step)
            steps.append(step)
        return replace(stage, steps=tuple(steps))

    return rewrite(target, change)


def _sources(op: Op) -> bool:
    if not isinstance(op, Install) or op.python is None:
        return False
    return any(file.is_source for each in op.distributions for file in each.files)


def _with_wheels(step: Step, ground: Ground, wheels: Wheels, leave: Callable[[Step, str], None]) -> Step:
    assert isinstance(step.op, Install)
    found = []
    try:
        for each in step.op.distributions:
            if each.files[0].is_source:
                source = source_of(step, each, ground, step.op.index_url, step.op.extra_index_urls)
                each = each.model_copy(update={"files": (wheels.built(source),)})
            found.append(each)
        return replace(step, op=step.op.model_copy(update={"distributions": tuple(found)}))
    except NotHere as error:
        leave(step, str(error))
        return replace(step, op=step.op.model_copy(update={"python": None}))
