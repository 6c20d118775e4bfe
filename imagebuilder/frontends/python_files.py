"""What requirements files and pyproject.toml say, read when the image is described."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Place, did_you_mean
from imagebuilder.files import is_folder, read_text
from imagebuilder.ir import ops
from imagebuilder.ir.checks import refuse_credentials

_OPTION = re.compile(r"^(?:-[rc]\s*=?|--(?:requirement|constraint)(?:\s+|=))\s*(.+)$")
_WITH_EXTRAS = re.compile(r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*\[(?P<extras>[^\]]*)\]\s*")
_EDITABLE = re.compile(r"^(-e\b|--editable\b|\.{0,2}/|file:)")


def derived_fields(model: type[ops.Op], fields: Mapping[str, Any], root: Path, place: Place | None) -> dict[str, Any]:
    """The fields of an operation that are read from the files which its other fields name.

    Of fields that are not what they have to be, nothing is read: the operation refuses them.

    Raises:
        CompileError: as the functions below.
    """
    path = fields.get("path", "." if model is ops.PipInstallFromPyproject else None)
    extras, requirements = fields.get("optional_dependencies", ()), fields.get("requirements", ())
    if model is ops.PipInstallFromRequirements and isinstance(path, str):
        return {"includes": requirement_includes(root / path, place)}
    if model is ops.PipInstallFromPyproject and isinstance(path, str) and _are_texts(extras):
        return {"packages": pyproject_dependencies(root / path, extras, place)}
    if model is ops.UvPipInstall and _are_texts(requirements):
        found = tuple(requirement_includes(root / file, place) for file in requirements)
        return {"includes": found} if any(found) else {}
    return {}


def requirement_includes(path: Path, place: Place | None) -> tuple[str, ...]:
    """The files that a requirements file names with ``-r`` and ``-c``, all the way down.

    Paths are relative to the first file's folder, in the order in which they are met.

    Raises:
        CompileError: a file is missing or outside the folder, a line names local
            code, or a URL holds a credential.
    """
    top = path.parent
    found: dict[str, None] = {}

    def lines(name: str) -> Iterator[tuple[str, int, str]]:
        return ((name, number, line) for number, line in enumerate(_read(top / name, place).splitlines(), 1))

    # Without recursion: a chain of files may be longer than Python's stack is deep.
    waiting = [lines(path.name)]
    while waiting:
        for name, number, line in waiting[-1]:
            file = top / name
            line = re.sub(r"(^|\s)#.*$", "", line).strip()
            here = f"{file.name}:{number}"
            try:
                refuse_credentials(line)
            except Invalid as error:
                raise CompileError(Diagnostic(error.code, f"{here}: {error.message}", place, help=error.help)) from None
            if _EDITABLE.match(line):
                raise CompileError(
                    Diagnostic(
                        "IB127",
                        f"{here}: local code in a requirements file: {line!r}",
                        place,
                        help="copy it with add_local_dir and install it with run_commands('pip install /path')",
                    )
                )
            if match := _OPTION.match(line):
                other = posixpath.normpath(posixpath.join(posixpath.dirname(name), match[1].strip()))
                if other.startswith(("../", "/")):
                    raise CompileError(
                        Diagnostic(
                            "IB127",
                            f"{here}: {other!r} is outside of the file's folder",
                            place,
                            help="move it beside the requirements file",
                        )
                    )
                if other not in found and other != path.name:
                    found[other] = None
                    waiting.append(lines(other))
                    break
        else:
            waiting.pop()
    return tuple(found)


def pyproject_dependencies(path: Path, extras: Sequence[str], place: Place | None) -> tuple[str, ...]:
    """``project.dependencies`` and those of the named extras (PEP 621).

    Args:
        path: the file, or the folder that holds it.

    Raises:
        CompileError: the file is missing or not TOML, or has no such extra.
    """
    import tomllib

    if is_folder(path):
        path = path / "pyproject.toml"
    at = place.part("path", None) if place is not None else None
    try:
        project = tomllib.loads(_read(path, at)).get("project")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise CompileError(Diagnostic("IB128", f"{path.name} is not valid TOML: {error}", at)) from None
    known = project.get("optional-dependencies", {}) if isinstance(project, dict) else None
    if (
        not isinstance(project, dict)
        or not isinstance(known, dict)
        or not all(map(_are_texts, (project.get("dependencies", []), project.get("dynamic", []), *known.values())))
    ):
        help = "[project] holds dependencies, an array of texts, and optional-dependencies, a table of them (PEP 621)"
        raise CompileError(Diagnostic("IB128", f"{path.name} does not declare a project", at, help=help))
    if unknown := {"dependencies", "optional-dependencies"} & set(project.get("dynamic", ())):
        names = " and ".join(sorted(unknown))
        help = "write them into the file, or install the project itself with run_commands"
        raise CompileError(Diagnostic("IB128", f"{path.name} leaves its {names} to its build", at, help=help))

    def no_extra(extra: str, at: Place | None) -> CompileError:
        names = f"it has: {', '.join(known)}" if known else "it has no optional dependencies"
        help = did_you_mean(extra, list(known)) or names
        return CompileError(Diagnostic("IB129", f"{path.name} has no extra {extra!r}", at, help=help))

    waiting = list(project.get("dependencies", []))
    for index, extra in enumerate(extras):
        if extra not in known:
            raise no_extra(extra, place.part("optional_dependencies", index) if place is not None else None)
        waiting += known[extra]
    # The project's own extras, which no index is to be asked for: it may have another project of that name.
    own = {_normalized(extra): packages for extra, packages in known.items()}
    seen = set(map(_normalized, extras))
    found: list[str] = []
    while waiting:
        package = waiting.pop(0)
        match = _WITH_EXTRAS.fullmatch(package)
        if match is None or _normalized(match["name"]) != _normalized(str(project.get("name", ""))):
            found.append(package)
            continue
        for extra in filter(None, map(str.strip, match["extras"].split(","))):
            if (name := _normalized(extra)) not in own:
                raise no_extra(extra, at)
            if name not in seen:
                seen.add(name)
                waiting += own[name]
    return tuple(found)


def _normalized(name: str) -> str:
    """A name as others are compared with it (PEP 503, PEP 685)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _are_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _read(path: Path, place: Place | None) -> str:
    try:
        return read_text(path)
    except OSError as error:
        raise CompileError(
            Diagnostic(
                "IB201",
                f"cannot read {str(path)!r}: {(error.strerror or str(error)).lower()}",
                place,
                help="relative paths start at the folder of the file that names them",
            )
        ) from None
    except UnicodeDecodeError:
        raise CompileError(Diagnostic("IB202", f"{str(path)!r} is not UTF-8 text", place)) from None
