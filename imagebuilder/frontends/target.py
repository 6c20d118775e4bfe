"""A TARGET: ``file.snap[:name]``, ``file.py[:attribute]``, a Dockerfile, or the JSON of ``imagebuilder convert``.

A Python target is code, and it is run: with its own folder first on the module
path, as ``python file.py`` would, but under a module name of its own, so that
what stands under ``if __name__ == "__main__"`` is not. That name is not the
file's: a target may be called ``json.py``.
"""

from __future__ import annotations

import linecache
import re
import runpy
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from imagebuilder.diagnostics import (
    CallSite,
    CompileError,
    Diagnostic,
    ImagebuilderError,
    Note,
    Place,
    Span,
    did_you_mean,
)
from imagebuilder.frontends.image import Image
from imagebuilder.ir.checks import PROXIES
from imagebuilder.ir.resources import Resources

if TYPE_CHECKING:
    from imagebuilder.frontends.snap import SnapshotSpec

_MODULE = "__target__"


class Target(NamedTuple):
    """What a target names: the image, a name for its snapshot, and the build arguments that are left for the build.

    ``place`` is that of the snapshot, where a ``.snap`` file has one.
    """

    image: Image
    name: str
    build_args: Mapping[str, str]
    resources: Resources = Resources()
    place: Place | None = None


_FORMS = "a target is file.snap, file.snap:name, file.py, file.py:attribute, a Dockerfile, or file.json"


def load_targets(
    target: str,
    *,
    context_dir: Path | None = None,
    build_args: Mapping[str, str] | None = None,
    stage: str | None = None,
    params: Mapping[str, str] | None = None,
    project: Path | None = None,
    platform: str | None = None,
) -> list[Target]:
    """All that a target names: each snapshot of a ``.snap`` file, and one image of any other.

    Args:
        context_dir, stage: for a Dockerfile; see :meth:`Image.from_dockerfile`.
        build_args: a Dockerfile takes them while it is read; those for others are handed back.
        platform: what a Dockerfile is built for; see :func:`imagebuilder.frontends.dockerfile.load`.
        params, project: for a ``.snap`` file; see :func:`imagebuilder.frontends.snap.load`.

    Raises:
        CompileError: there is no such file or image, its text is wrong, or its code fails.
    """
    file, name = parted(target)
    if not file.endswith(".snap"):
        if params or project is not None:
            raise CompileError(
                Diagnostic("IB404", "--param and --project belong to a .snap file", help=f"{target!r} is none")
            )
        return [load_target(target, context_dir=context_dir, build_args=build_args, stage=stage, platform=platform)]
    if context_dir is not None or stage is not None:
        raise CompileError(
            Diagnostic("IB404", "--context and --target belong to a Dockerfile", help=f"{target!r} is a .snap file")
        )
    if not Path(file).is_file():
        raise CompileError(_missing(Path(file)))
    return _from_snap(file, name, params, project, build_args or {})


def parted(target: str) -> tuple[str, str]:
    """The file and what follows its colon; a snapshot's name may hold a colon of its own."""
    for ending in (".snap", ".py"):
        file, found, rest = target.partition(f"{ending}:")
        if found:
            return file + ending, rest
    return target, ""


def _from_snap(
    file: str, name: str, params: Mapping[str, str] | None, project: Path | None, build_args: Mapping[str, str]
) -> list[Target]:
    from imagebuilder.frontends.snap import load

    found = load(file, params=params, project=project)
    place = Span(file, 1)
    if not name:
        if not found.snapshots:
            images = ", ".join(found.images)
            help = f"name an image: {file}:{next(iter(found.images))}" if images else 'snapshot "NAME:TAG" from …'
            raise CompileError(Diagnostic("IB403", f"{Path(file).name} has no snapshot", place, help=help))
        return [_of_snapshot(each, build_args) for each in found.snapshots]
    named = [each for each in found.snapshots if name in (each.name, each.name.partition(":")[0])]
    if exact := [each for each in named if each.name == name]:
        named = exact
    if len(named) > 1:
        names = ", ".join(each.name for each in named)
        raise CompileError(
            Diagnostic("IB403", f"{Path(file).name} has several snapshots {name!r}", place, help=f"name one: {names}")
        )
    if named:
        return [_of_snapshot(named[0], build_args)]
    if name in found.images:
        return [Target(found.images[name], _name(name), build_args)]
    known = [*(each.name for each in found.snapshots), *found.images]
    hint = did_you_mean(name, known) or f"it has: {', '.join(known) or 'none'}"
    raise CompileError(
        Diagnostic("IB403", f"{Path(file).name} has no snapshot and no image {name!r}", place, help=hint)
    )


def _of_snapshot(found: SnapshotSpec, build_args: Mapping[str, str]) -> Target:
    return Target(found.image, found.name, build_args, found.resources, found.place)


def load_target(
    target: str,
    *,
    context_dir: Path | None = None,
    build_args: Mapping[str, str] | None = None,
    stage: str | None = None,
    platform: str | None = None,
) -> Target:
    """The image of a target that is Python or a Dockerfile; see :func:`load_targets`."""
    file, colon, attribute = target.rpartition(":")
    if not colon or not file.endswith(".py"):
        file, attribute = target, ""
    path = Path(file)
    if path.is_dir():
        if not (path / "Dockerfile").is_file():
            raise CompileError(_no_dockerfile(path))
        path = path / "Dockerfile"
    if not path.is_file():
        raise CompileError(_missing(path))
    if path.suffix == ".py":
        if context_dir is not None or stage is not None:
            raise CompileError(
                Diagnostic("IB404", "--context and --target belong to a Dockerfile", help=f"{target!r} is Python")
            )
        return Target(*_from_python(path, attribute), build_args or {})
    if path.suffix == ".json":
        from imagebuilder.frontends.json_document import load as load_json

        if context_dir is not None or stage is not None:
            raise CompileError(
                Diagnostic("IB404", "--context and --target belong to a Dockerfile", help=f"{target!r} is JSON")
            )
        return Target(Image(load_json(path)), _name(path.stem), build_args or {})
    if "dockerfile" not in path.name.lower() and "containerfile" not in path.name.lower():
        raise CompileError(
            Diagnostic(
                "IB401",
                f"not a target: {target!r}",
                help=_FORMS,
            )
        )
    from imagebuilder.frontends.dockerfile import load

    stage_found = load(path.absolute(), context_dir=context_dir, build_args=build_args, target=stage, platform=platform)
    left = {name: value for name, value in (build_args or {}).items() if name in PROXIES}
    return Target(Image(stage_found), _name(path.absolute().parent.name), left)


def _from_python(path: Path, attribute: str) -> tuple[Image, str]:
    with _as_script(path):
        names = _execute(path)
    images = {name: value for name, value in names.items() if isinstance(value, Image) and not name.startswith("_")}
    if attribute:
        if attribute not in images:
            hint = did_you_mean(attribute, list(images)) or _has(images)
            raise CompileError(
                Diagnostic("IB403", f"{path.name} has no Image called {attribute!r}", Span(str(path), 1), help=hint)
            )
        return images[attribute], _name(attribute if attribute != "image" else path.stem)
    if "image" in images:
        return images["image"], _name(path.stem)
    if len(set(images.values())) == 1:
        return next(iter(images.values())), _name(path.stem)
    if images:
        raise CompileError(
            Diagnostic(
                "IB403",
                f"{path.name} has several Images",
                Span(str(path), 1),
                help=f"{_has(images)}; name one: {path}:{next(iter(images))}",
            )
        )
    raise CompileError(
        Diagnostic(
            "IB403",
            f"{path.name} has no Image",
            Span(str(path), 1),
            help="assign one to a name at the top level: image = Image.debian_slim()…",
        )
    )


def _execute(path: Path) -> Mapping[str, object]:
    try:
        return runpy.run_path(str(path.absolute()), run_name=_MODULE)
    except ImagebuilderError:
        raise
    except SystemExit as error:
        raise CompileError(
            Diagnostic(
                "IB402",
                f"{path.name} ended itself with exit code {error.code}",
                help="the target's own code may not exit",
            )
        ) from None
    except SyntaxError as error:
        place = Span(error.filename or str(path), error.lineno or 1, error.offset or 0)
        raise CompileError(Diagnostic("IB402", f"{path.name} is not valid Python: {error.msg}", place)) from None
    except Exception as error:  # noqa: BLE001 - whatever the person's code raises is theirs, and is shown to them
        raise CompileError(_failed(path, error)) from None


def _failed(path: Path, error: Exception) -> Diagnostic:
    """The person's own frames; the machinery that ran the file is of no use to them."""
    import traceback

    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "runpy" not in frame.filename]
    own = [frame for frame in frames if not _is_internal(frame.filename)]
    trace = "".join(traceback.format_list(own[:-1])).rstrip()
    notes = (Note(f"called from:\n{trace}"),) if trace else ()
    hint = ""
    if isinstance(error, AttributeError) and error.name:
        hint = did_you_mean(error.name, [name for name in dir(error.obj) if not name.startswith("_")])
    message = f"{path.name} raised {type(error).__name__}: {_shown(error)}"
    return Diagnostic("IB402", message, _place(path, error), notes, hint)


def _shown(error: Exception) -> str:
    try:
        return str(error)
    except Exception as inner:  # noqa: BLE001 - the person's own __str__ may raise whatever it likes
        return f"({type(inner).__name__} while it was shown)"


def _place(path: Path, error: Exception) -> Place:
    """The expression of the person's own code that raised, with its columns."""
    place: Place = Span(str(path), 1)
    at = error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        if not _is_internal(code.co_filename) and "runpy" not in code.co_filename:
            place = CallSite(code, at.tb_lasti, at.tb_lineno)
        at = at.tb_next
    return place


def _is_internal(file: str) -> bool:
    return file.startswith("<frozen") or Path(__file__).parent.parent in Path(file).parents


@contextmanager
def _as_script(path: Path) -> Iterator[None]:
    """The module path and arguments that the file would see; what it prints goes to standard error."""
    before = sys.path[:], sys.argv
    sys.path.insert(0, str(path.absolute().parent))
    sys.argv = [str(path)]
    linecache.checkcache(str(path.absolute()))
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.path[:], sys.argv = before[0], before[1]


def _no_dockerfile(folder: Path) -> Diagnostic:
    there = sorted(str(path) for path in folder.iterdir() if path.suffix == ".snap" or "ockerfile" in path.name)
    help = f"name a file: {', '.join(there)}" if there else _FORMS
    return Diagnostic("IB401", f"there is no file {str(folder / 'Dockerfile')!r}", help=help)


def _missing(path: Path) -> Diagnostic:
    near = ""
    if path.parent.is_dir():
        near = did_you_mean(
            path.name, [p.name for p in path.parent.iterdir() if p.suffix in (".py", ".snap") or "ockerfile" in p.name]
        )
    return Diagnostic(
        "IB401",
        f"there is no file {str(path)!r}",
        help=near or _FORMS,
    )


def _has(images: Mapping[str, Image]) -> str:
    return f"it has: {', '.join(images)}" if images else "it has none"


def _name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "image"
