"""Base images from Debian's packages, for where no registry can be reached.

They stand in for the official images: same names, same layout, and a label that
says what they are.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from imagebuilder.engine.api import Api
from imagebuilder.engine.embedded import apt, archive, recipes
from imagebuilder.engine.embedded.layout import OnLine, failure, quiet, read_json, write_atomically
from imagebuilder.engine.embedded.recipes import Recipe
from imagebuilder.engine.embedded.rootfs import remove_tree
from imagebuilder.locks import lock

STAND_IN = "imagebuilder.stand-in"
NOTE = "imagebuilder.stand-in.note"
RECIPE = "imagebuilder.stand-in.recipe"
EPOCH = 1735689600
"""SOURCE_DATE_EPOCH of every base: nothing in it is younger, whenever it was made."""
CREATED = "2025-01-01T00:00:00Z"

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_UNREAD = ("doc", "man", "info", "locale", "lintian", "linda", "groff")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Layer:
    """A layer on disk, and the exact version of the Python in it."""

    path: Path
    diff_id: str
    python_version: str


def build_bases(
    names: Sequence[str] | None,
    api: Api,
    home: Path,
    on_line: OnLine = quiet,
    *,
    stand_in: bool = False,
    force: bool = False,
) -> list[str]:
    """Assemble the named base images (None: the honest pairs) and load them; their full names.

    Args:
        names: ``python:3.11-slim-bookworm``, ``3.13``, ``debian:trixie-slim``, …
        stand_in: where Debian lacks that Python, give the suite's own under the name.
        force: replace an image of that name even if it was not made here.

    Raises:
        CompileError: IB530 and IB531 for the names, before anything is done.
        EngineError: IB532 where an image that is not ours has the name; IB5xx where the engine does not answer
            or refuses; IB514 to IB516 and IB535 where Debian's packages cannot be had.
    """
    wanted = _recipes(names, stand_in)
    for recipe in wanted:
        _build(recipe, api, home, on_line, force)
    return [recipe.name for recipe in wanted]


def full_names(names: Sequence[str] | None, *, stand_in: bool = False) -> list[str]:
    """The names as images have them: ``3.13`` is ``python:3.13-slim-trixie``. Errors are IB530 and IB531."""
    return [recipe.name for recipe in _recipes(names, stand_in)]


def _recipes(names: Sequence[str] | None, stand_in: bool) -> list[Recipe]:
    return [recipes.parse(name, stand_in=stand_in) for name in (recipes.DEFAULTS if names is None else names)]


def _build(recipe: Recipe, api: Api, home: Path, on_line: OnLine, force: bool) -> None:
    mirrors, settings = apt.find_mirrors(), apt.settings()
    digest = recipe.digest([*mirrors.sources(recipe.suite), *settings])
    labels = _labels(api.image(recipe.name))
    if labels is not None:
        if labels.get(RECIPE) == digest and not force:
            on_line(f"{recipe.name}: there already ({recipe.note})")
            return
        if STAND_IN not in labels and not force:
            raise failure(
                "IB532",
                f"the engine has an image {recipe.name} that was not made by `imagebuilder base build`",
                "it is left alone; `--force` replaces it",
            )
    layer = _layer(recipe, mirrors, settings, home, on_line)
    env = [f"PATH=/usr/local/bin:{_PATH}", "LANG=C.UTF-8", f"PYTHON_VERSION={layer.python_version}"]
    image = archive.Image(
        name=recipe.name,
        architecture=_architecture(),
        created=CREATED,
        env=tuple(env) if recipe.python else (f"PATH={_PATH}",),
        cmd=("python3",) if recipe.python else ("bash",),
        labels=((STAND_IN, "debian"), (NOTE, recipe.note), (RECIPE, digest)),
        comment=recipe.note,
    )
    api.load(archive.stream(image, layer.path, layer.diff_id))
    on_line(f"{recipe.name}: {recipe.note}")


def _layer(recipe: Recipe, mirrors: apt.Mirrors, settings: list[str], home: Path, on_line: OnLine) -> Layer:
    """The layer from HOME/base, assembled where it is missing or out of date."""
    folder = Path(os.path.realpath(home)) / "base"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shared = Recipe(recipe.kind, recipe.suite, recipe.python, recipe.python)
    digest = shared.digest([*mirrors.sources(recipe.suite), *settings])
    path = folder / f"{recipe.kind}-{digest}.tar"
    facts = path.with_suffix(".json")
    waiting = f"waiting for another build of {recipe.kind}"
    with lock(folder / f"{recipe.kind}.lock", lambda: on_line(waiting)):
        for ending in ("part", "version", "work"):
            for leftover in folder.glob(f"{recipe.kind}-*.{ending}"):
                remove_tree(leftover)
        if not (path.exists() and facts.exists()):
            part = path.with_suffix(".part")
            try:
                _assemble(recipe, mirrors, settings, part, on_line)
                version = _version_file(part).read_text().strip() if recipe.python else ""
                text = json.dumps({"diff_id": archive.sha256_of(part), "python_version": version})
                facts.unlink(missing_ok=True)
                part.replace(path)
                write_atomically(facts, text)
                for stale in folder.glob(f"{recipe.kind}-*"):
                    if stale not in (path, facts) and stale.suffix in (".tar", ".json"):
                        stale.unlink()
            finally:
                for leftover in (part, _version_file(part), _work(part)):
                    remove_tree(leftover)
        found = read_json(facts)
        return Layer(path, str(found.get("diff_id")), str(found.get("python_version")))


def _assemble(recipe: Recipe, mirrors: apt.Mirrors, settings: list[str], part: Path, on_line: OnLine) -> None:
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        raise failure(
            "IB535",
            "a base image is assembled by mmdebstrap, which needs root and a Debian machine",
            "run the command with sudo, or pull the image from a registry",
        )
    apt.require_space(part.parent)
    apt.ensure_mmdebstrap(on_line)
    on_line(f"assembling {recipe.kind} from Debian's packages (once; about half a minute)")
    packages = ["ca-certificates", "netbase", "tzdata"]
    if recipe.python:
        packages += ["python3", "python3-pip", "python3-venv"]
    with as_file(files("imagebuilder.engine.embedded").joinpath("customize.sh")) as hook:
        arguments = [
            "--mode=root",
            "--variant=minbase",
            "--format=tar",
            "--skip=cleanup/apt",
            '--aptopt=APT::Sandbox::User "root"',
            *(f"--aptopt={line.rstrip(';')}" for line in settings),
            *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _UNREAD),
            "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            f"--include={','.join(packages)}",
            f'--customize-hook=sh {shlex.quote(str(hook))} "$1"',
            recipe.suite,
            str(part),
            *mirrors.sources(recipe.suite),
        ]
        env = {
            "SOURCE_DATE_EPOCH": str(EPOCH),
            "PYTHON": recipe.python or "",
            "APT_SETTINGS": "\n".join(settings),
            "FACTS": str(_version_file(part)),
            "TMPDIR": str(_work(part)),
        }
        _work(part).mkdir(mode=0o700)
        apt.mmdebstrap(arguments, env=env, on_line=on_line, cwd=part.parent)


def _version_file(part: Path) -> Path:
    return part.with_suffix(".version")


def _work(part: Path) -> Path:
    return part.with_suffix(".work")


def _architecture() -> str:
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def _labels(image: Mapping[str, Any] | None) -> dict[str, str] | None:
    """The labels of an image as the engine describes it; None where there is none."""
    if image is None:
        return None
    labels = (image.get("Config") or {}).get("Labels") or {}
    return {str(key): str(value) for key, value in labels.items()}
