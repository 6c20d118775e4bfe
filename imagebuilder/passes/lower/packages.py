"""Package managers, each with its cache in a cache mount and nothing left in the layer."""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Iterator, Sequence

from imagebuilder.diagnostics import Place
from imagebuilder.ir.ops import (
    AptInstall,
    BaseImage,
    Copy,
    Env,
    LocalSource,
    Mount,
    NpmInstall,
    Op,
    PipInstall,
    PipInstallFromPyproject,
    PipInstallFromRequirements,
    Run,
    Scratch,
    Secret,
    UvPipInstall,
    UvSync,
    WriteFiles,
)
from imagebuilder.ir.packages import AptRun, NpmRun
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.ir.words import Expansion, Var
from imagebuilder.passes.lower.scope import Scope
from imagebuilder.passes.lower.script import cache, script, secret, words

UV_VERSION = "0.13.9"
UV = "/run/uv/uv"
VENV = "/opt/venv"
# pip's two notices that are no use in a build. As variables, since older releases of pip refuse the options.
_QUIET = "PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore"

# What it asks the registry besides, and what it writes of its own doings.
_NPM_QUIET = "npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false npm_config_logs_max=0"
_NPM_SCRATCH = "/run/npm"
_NPM_FILES = "/run/npm-lock"
_PART = 90_000

_TIMES = (
    "/var/log/apt/*.log /var/log/apt/eipp.log.xz /var/log/dpkg.log /var/log/alternatives.log /var/log/fontconfig.log",
    "/var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old",
)

NPM_CACHE = (cache("/root/.npm"),)
APT_CACHES = (cache("/var/cache/apt"), cache("/var/lib/apt/lists"))

_Pip = PipInstall | PipInstallFromPyproject | PipInstallFromRequirements | UvPipInstall


def apt_install(op: AptInstall, scope: Scope) -> Iterator[Op]:
    yield Run(command=_apt(op.packages, recommends=op.recommends), mounts=APT_CACHES)


def apt_locked(packages: Sequence[str], dependencies: Sequence[str]) -> AptRun:
    """Just these, each as ``name=version``; ``dependencies`` are those that nobody asked for by their names."""
    pins = tuple(sorted({*packages, *dependencies}))
    automatic = [each.partition("=")[0] for each in dependencies]
    # Apt takes what it is told by name for something that a person wants to keep.
    marked = [f"apt-mark auto {words(automatic)} > /dev/null"] if automatic else []
    # What is recommended is among them, and what is not among them must not come.
    return AptRun(command=_apt(pins, *marked, recommends=False), mounts=APT_CACHES, pins=pins)


def _apt(packages: Sequence[str], *more: str, recommends: bool) -> str:
    install = "DEBIAN_FRONTEND=noninteractive apt-get install -y"
    if not recommends:
        install += " --no-install-recommends"
    return script(
        # Debian's images delete what apt fetched; the cache mount is there to keep it.
        "rm -f /etc/apt/apt.conf.d/docker-clean",
        "apt-get update",
        f"{install} -o APT::Keep-Downloaded-Packages=true {words(packages)}",
        *more,
        # They say when this was done, and nothing else that anybody needs.
        f"rm -f {' '.join(_TIMES)}",
    )


def pip_install(op: PipInstall | PipInstallFromPyproject, scope: Scope) -> Iterator[Op]:
    if op.packages:
        yield _pip(op, scope, words(op.packages))


def pip_install_from_requirements(op: PipInstallFromRequirements, scope: Scope) -> Iterator[Op]:
    mount, file = _requirements(op.path, op.includes, "/run/requirements")
    yield _pip(op, scope, f"-r {shlex.quote(file)}", mount)


def uv_pip_install(op: UvPipInstall, scope: Scope) -> Iterator[Op]:
    mounts = []
    arguments = ""
    for number, path in enumerate(op.requirements):
        includes = op.includes[number] if number < len(op.includes) else ()
        mount, file = _requirements(path, includes, f"/run/requirements/{number}")
        mounts.append(mount)
        arguments += f"-r {shlex.quote(file)} "
    where = f"--python={VENV}" if _in_venv(scope) else "--system"
    command = f"{UV} pip install {where} --compile-bytecode{_options(op, uv=True)} {arguments}{words(op.packages)}"
    yield _uv(command.rstrip(), scope, tuple(mounts), op.secrets)


def uv_sync(op: UvSync, scope: Scope) -> Iterator[Op]:
    project = LocalSource(path=op.path, include=(("pyproject.toml",), ("uv.lock",)), kind="dir")
    options = ["--frozen" if op.frozen else "--locked", "--no-install-project", "--compile-bytecode"]
    options += [f"--group={group}" for group in op.groups] + [f"--extra={extra}" for extra in op.extras]
    command = f"{UV} sync --project=/run/project {shlex.join(options)} {op.extra_options}".rstrip()
    bind = Mount(type="bind", origin=project, target="/run/project")
    yield _uv(f"UV_PROJECT_ENVIRONMENT={VENV} {command}", scope, (bind,), op.secrets)
    path = Expansion(parts=(f"{VENV}/bin:", Var(name="PATH")))
    yield Env(variables=(("PATH", path), ("VIRTUAL_ENV", VENV)))


def venv(base: BaseImage, project: str, requires: str, place: Place | None = None) -> Stage:
    """A stage with the virtual environment that ``uv sync`` makes for a project, and no package in it.

    Args:
        requires: the versions of Python that the project is for; empty for any.
        place: where it is asked for.
    """
    about = f'[project]\nname = {json.dumps(project)}\nversion = "0"\n'
    about += f"requires-python = {json.dumps(requires)}\n" if requires else ""
    make = (
        f"printf %s {shlex.quote(about)} >/run/project/pyproject.toml",
        f"UV_PROJECT_ENVIRONMENT={VENV} {UV} sync --project=/run/project --offline --no-install-project",
    )
    folder = Mount(type="tmpfs", target="/run/project")
    return Stage(base, (Step(_uv("\n".join(make), Scope(base), (folder,), ()), place),), name="venv")


def npm_install(op: NpmInstall, scope: Scope) -> Iterator[Op]:
    if op.path is None or op.dest is None:
        flags = ["--global"] if op.g else ["--save-dev"] if op.dev else []
        yield _npm(f"npm install {' '.join([*flags, words(op.packages)])}", scope, op.secrets)
        return
    origin = LocalSource(path=op.path, include=(("package.json",), ("package-lock.json", "package.json")), kind="dir")
    yield Copy(sources=(".",), dest=op.dest, origin=origin)
    omit = "" if op.dev else " --omit=dev"
    install = f"if [ -f package-lock.json ]; then npm ci{omit}; else npm install{omit}; fi"
    yield _npm(f"cd {shlex.quote(op.dest)}\n{install}", scope, op.secrets)


def npm_locked(pins: Sequence[str], built: Sequence[str], manifest: str, lock: str) -> NpmRun:
    """Just these, each as ``path=version``; ``manifest`` and ``lock`` are npm's own files that say so.

    ``built`` are the paths of those with scripts, or with commands for the whole system.

    What ``npm install --global`` does, but for the choice of versions, which it can be told of no lock for.
    """
    top = [path for path in (pin.partition("=")[0] for pin in pins) if "/node_modules/" not in path]
    run = _npm(
        "\n".join(
            (
                "root=$(npm root --global)",
                # On the same file system, so that it can be moved, however large it is.
                'mkdir -p "$root/.locked"',
                f'cp {_NPM_FILES}/package.json "$root/.locked"',
                f'cat {_NPM_FILES}/lock.* > "$root/.locked/package-lock.json"',
                # Scripts run where the packages will be, since what they build may remember where it is.
                'npm ci --prefix "$root/.locked" --ignore-scripts',
                f"for package in {words(top)}; do",
                '    mkdir -p "$(dirname "$root/$package")"',
                '    rm -rf "$root/$package"',
                '    mv "$root/.locked/node_modules/$package" "$root/$package"',
                "done",
                'rm -rf "$root/.locked"',
                f"set -- {words(built)}",
                'for package in "$@"; do',
                "    shift",
                # What is optional may be for another machine.
                '    [ ! -d "$root/$package" ] || set -- "$@" "$root/$package"',
                "done",
                'npm rebuild --global "$@"',
            )
        ),
        Scope(Scratch()),
        (),
        npm_files(manifest, lock),
    )
    return NpmRun(command=run.command, mounts=run.mounts, pins=tuple(sorted(pins)))


def npm_files(manifest: str, lock: str) -> Mount:
    """A folder with the text of a package.json, and that of its lock in the order of its parts' names."""
    parts = [(f"lock.{number:03}", part) for number, part in enumerate(_parts(lock))]
    files = WriteFiles(files=(("package.json", manifest + "\n"), *parts), dest="/")
    return Mount(type="bind", origin=Stage(Scratch(), (Step(files),), name="npm"), target=_NPM_FILES)


def _parts(text: str) -> Iterator[str]:
    """The text cut between lines, each part no longer than the text of one file may be."""
    part, size = "", 0
    for line in text.splitlines(keepends=True):
        length = len(line.encode())
        if part and size + length > _PART:
            yield part
            part, size = "", 0
        part, size = part + line, size + length
    yield part


def _npm(command: str, scope: Scope, secrets: tuple[Secret, ...], *mounts: Mount) -> Run:
    """A command of npm's that leaves nothing behind but what it installs."""
    # Node's compile cache and npm's own temporary files go there; its modules are bytecode of one run.
    left = Mount(type="tmpfs", target=_NPM_SCRATCH)
    cached = _home_cache("/root/.npm", scope)
    cache = "/root/.npm" if cached else f"{_NPM_SCRATCH}/cache"
    settings = f"TMPDIR={_NPM_SCRATCH} PYTHONDONTWRITEBYTECODE=1 npm_config_cache={cache} {_NPM_QUIET}"
    # The headers that node-gyp fetches, which it is told of by no variable that others do not read.
    text = script(f"export {settings}", command, "rm -rf ~/.cache/node-gyp", trace=not secrets)
    return Run(command=text, mounts=(*cached, left, *mounts, *map(secret, secrets)))


def _pip(op: _Pip, scope: Scope, arguments: str, *mounts: Mount) -> Run:
    cached = _home_cache("/root/.cache/pip", scope, "shared")
    # What uv makes has no pip, so the one below it installs there. Others may have put folders before it.
    below = f'PATH="$(echo "$PATH" | sed s#{VENV}/bin:##)"'
    pip = f"{below} python -m pip --python={VENV}" if _in_venv(scope) else "python -m pip"
    command = f"{_QUIET} {pip} install{_options(op)} {arguments}"
    return Run(command=script(command, trace=not op.secrets), mounts=(*cached, *mounts, *map(secret, op.secrets)))


def _in_venv(scope: Scope) -> bool:
    """Whether ``uv_sync`` has made an environment that is on PATH; one of the author's own has its own pip."""
    return scope.synced and f"{VENV}/bin" in scope.path


def _options(op: _Pip, *, uv: bool = False) -> str:
    options = [f"--find-links={link}" for link in op.find_links]
    if op.index_url:
        options.append(f"--index-url={op.index_url}")
    options += [f"--extra-index-url={url}" for url in op.extra_index_urls]
    if op.pre:
        options.append("--prerelease=allow" if uv else "--pre")
    return "".join(f" {shlex.quote(option)}" for option in options) + (
        f" {op.extra_options}" if op.extra_options else ""
    )


def _requirements(path: str, includes: tuple[str, ...], target: str) -> tuple[Mount, str]:
    """A requirements file and those it names, bound at ``target``, and where the first one is then."""
    folder, name = posixpath.split(path)
    origin = LocalSource(
        path=folder or ".", include=((name,), *((other,) for other in includes)), kind="dir", literal=True
    )
    return Mount(type="bind", origin=origin, target=target), f"{target}/{name}"


def _home_cache(target: str, scope: Scope, sharing: str = "locked") -> tuple[Mount, ...]:
    """A cache in root's home; another user could neither reach it nor write to it."""
    return (cache(target, sharing),) if scope.is_root else ()


def _uv(command: str, scope: Scope, mounts: tuple[Mount, ...], secrets: tuple[Secret, ...]) -> Run:
    base = scope.base_image
    if isinstance(base, Scratch):
        base = BaseImage(ref="python:3.13-slim-trixie")
    install = Run(
        command=f"{_QUIET} python -m pip install --target=/opt/uv uv=={UV_VERSION}",
        mounts=(cache("/root/.cache/pip", "shared"),),
    )
    tool = Stage(base, (Step(install),), name="uv")
    bound = (
        Mount(type="bind", origin=tool, source="/opt/uv/bin", target="/run/uv"),
        *_home_cache("/root/.cache/uv", scope, "shared"),
    )
    text = script("export UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never", command, trace=not secrets)
    return Run(command=text, mounts=(*bound, *mounts, *map(secret, secrets)))
