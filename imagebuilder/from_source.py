"""Wheels of source distributions, each built once in a stage on the base that it is for.

What a package runs when it is built, it runs there: with the system's packages that the image installs before it, and
with compilers, neither of which is in the image for it. The wheel alone comes out, and is then as any other.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import file_digest, sha256
from pathlib import Path

from pydantic import ValidationError

from imagebuilder.backends.dockerfile import ca as ca_bundle
from imagebuilder.diagnostics import BuildError, Diagnostic, Interrupted, Note
from imagebuilder.engine.protocol import BuildFailed, BuildRequest, Engine, LogEvent, OnEvent
from imagebuilder.files import link_or_copy, write_text
from imagebuilder.home import private_folder
from imagebuilder.ir.packages import DistributionFile
from imagebuilder.layering.archive import TIME
from imagebuilder.layering.wheels import WheelStore
from imagebuilder.locks import lock
from imagebuilder.options import BuildOptions
from imagebuilder.registries import Registries
from imagebuilder.resolve import uv
from imagebuilder.resolve.ask import MACHINES, target_of
from imagebuilder.resolve.logins import Logins
from imagebuilder.resolve.shelf import BUILT, WHEELS, Shelf
from imagebuilder.resolve.sources import NotHere, Source, Wheels, metadata
from imagebuilder.secret_values import ca_secrets
from imagebuilder.steps import beside
from imagebuilder.store import Store

# Raised when the same source would be built otherwise.
_RECIPE = 1
_LIMIT = 3600.0
_MOST_LINES = 25
# Looked at before it is copied, packed and exported to this machine.
_MOST_MIB = 2048
_RUN = "/run/imagebuilder"
_DOCKERFILE = """\
FROM {ref} AS compilers
{installs}
FROM compilers AS build
RUN {ca} --mount=type=bind,from={uv},target={run}/uv --mount=type=bind,from={source},target={run}/source \
["/bin/sh", "{run}/source/build.sh"]
FROM scratch
COPY --from=build /wheels/*.whl /
"""
# Of the compilers first, whatever else a package needs: that step is then the same for all of a base.
_INSTALL = """\
RUN {ca} --mount=type=cache,target=/var/cache/apt,sharing=locked \
--mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
--mount=type=bind,from={compilers},target={run} {command}"""
_COMPILERS = """\
set -e
wanted="$*"
for each in cc c++ make; do command -v $each >/dev/null || wanted="$wanted build-essential"; done
headers=$({python} -IB -c 'import sysconfig; print(sysconfig.get_config_var("INCLUDEPY"))')
[ -e "$headers/Python.h" ] || wanted="$wanted python3-dev"
[ -n "$wanted" ] || exit 0
command -v apt-get >/dev/null || {{ echo "the base has no apt-get, which compilers would come from"; exit 1; }}
rm -f /etc/apt/apt.conf.d/docker-clean
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $wanted
"""
# No cache is shared with other builds: what a package runs could leave anything in it. Without debug information, in
# which the folder of the build is, a compiler's output is the same each time.
_BUILD = """\
set -e
export SOURCE_DATE_EPOCH={time} PYTHONHASHSEED=0
export CFLAGS="${{CFLAGS:-}} -g0" CXXFLAGS="${{CXXFLAGS:-}} -g0" LDFLAGS="${{LDFLAGS:-}} -Wl,-s"
{env}
cd /
{run}/uv/uv build --wheel --no-cache --no-config --no-python-downloads --color never --no-progress \
--python {python} --out-dir /wheels {options} {run}/source/{file}
[ -z "$(find /wheels -size +{most_mib}M)" ] || {{ echo "its wheel has more than {most_mib} MiB"; exit 1; }}
"""
_NO_HEADER = re.compile(r"fatal error: (?P<name>\S+?\.(?:h|hpp)): No such file")
_NO_CONFIG = re.compile(r"(?P<name>\b[\w-]+[_-]config)\b.{0,20}not found")
_NO_PROGRAM = re.compile(r"(?:Unknown compiler|can't find Rust|[Rr]ust.*not (?:found|installed)|'(?:cargo|rustc)')")
_NO_NETWORK = re.compile(r"Failed to fetch|error sending request|dns error|Could not connect")


class FromSource(Wheels):
    """Those that one build, or one lock, has built."""

    def __init__(
        self,
        store: Store,
        engine: Callable[[], Engine],
        platform: str,
        on_event: OnEvent,
        options: BuildOptions,
        logins: Logins | None = None,
    ) -> None:
        """
        Args:
            options: those of the build that wants them.
            logins: those of indexes, besides the user's own.
        """
        self._store = store
        self._connect = engine
        self._platform = platform
        self._on_event = on_event
        self._options = options
        self._shelf = Shelf(store.home)
        self._wheels = WheelStore(store.home, options.ca, logins)
        self._done: dict[str, DistributionFile] = {}

    def built(self, source: Source) -> DistributionFile:
        engine = self._connect()
        image = engine.image(source.base.ref)
        if image is None:
            raise NotHere(f"{source.base.ref} is not there any more")
        key = self._key(source, image.id)
        if (known := self._done.get(key)) or (known := None if self._options.no_cache else self._kept(key)):
            self._shelf.used(BUILT, key)
            self._shelf.used(WHEELS, known.sha256)
            return known
        if not sys.platform.startswith("linux") or self._platform not in MACHINES:
            raise NotHere("packages are built from source on Linux alone")
        if missing := self._wheels.missing([source.file]):
            with beside(f"fetching the source of {source.title}", self._on_event):
                self._wheels.fetch(missing)
        with self._staging(key, source) as folder:
            # Somebody else may have built it while this waited.
            if self._options.no_cache or (kept := self._kept(key)) is None:
                with beside(f"building {source.title} from source", self._on_event):
                    path = _noted(self._build(source, engine, folder))
                kept = self._keep(key, path)
            self._done[key] = kept
        return kept

    @contextmanager
    def _staging(self, key: str, source: Source) -> Iterator[Path]:
        """A folder for one build, which the next build of anything removes if this one is killed."""
        name = f"source-{key[:40]}"
        waits = f"another process builds {source.title} from source; waiting for it"
        with lock(self._store.locks / name, lambda: self._on_event(LogEvent("", waits)), self._still):
            folder = private_folder(self._store.home / "staging") / name
            shutil.rmtree(folder, ignore_errors=True)
            try:
                yield private_folder(folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def _still(self) -> None:
        if self._options.cancel is not None and self._options.cancel.is_set:
            raise Interrupted(Diagnostic("IB601", "interrupted before it began"))

    def path(self, wheel: DistributionFile) -> Path:
        return self._wheels.path(wheel)

    def _key(self, source: Source, image: str) -> str:
        made_of = (_RECIPE, uv.VERSION, source.file.sha256, source.file.name, image, self._platform)
        more = (source.python.executable, source.apt, source.env, source.index_url, source.extra_index_urls)
        return sha256(json.dumps([*made_of, *more]).encode()).hexdigest()

    def _kept(self, key: str) -> DistributionFile | None:
        with suppress(OSError, ValidationError):
            said = (self._shelf.item(BUILT, key) / "wheel.json").read_bytes()
            found = DistributionFile.model_validate_json(said)
            return None if self._wheels.missing([found]) else found
        return None

    def _keep(self, key: str, path: Path) -> DistributionFile:
        try:
            with path.open("rb") as file:
                content = file_digest(file, "sha256").hexdigest()
            # The URL gives a name; nothing is fetched from there.
            found = DistributionFile(url=f"built:///{path.name}", sha256=content, size=path.stat().st_size)
            path.chmod(0o644)
            folder = self._shelf.new(WHEELS, content)
            with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as new:
                link_or_copy(path, Path(new) / path.name)
                (Path(new) / path.name).replace(folder / path.name)
            write_text(self._shelf.new(BUILT, key) / "wheel.json", found.model_dump_json(), force=True)
        except OSError as error:
            message = f"cannot keep {path.name}: {error.strerror or error}"
            raise BuildError(Diagnostic("IB671", message, help="`imagebuilder cache prune` frees space")) from None
        return found

    def _build(self, source: Source, engine: Engine, folder: Path) -> Path:
        request = self._request(source, folder)
        with Registries(self._store).docker_config([source.base.ref]) as logins:
            try:
                engine.build(replace(request, docker_config=logins), lambda event: None)
            except BuildFailed as failure:
                if not failure.step.startswith("[build "):
                    said = failure.log[-1] if failure.log else failure.message
                    raise NotHere(f"{source.title} cannot be built from source on the base: {said}") from None
                raise BuildError(_explained(source, failure)) from failure
        assert request.export is not None
        return self._checked(source, request.export)

    def _request(self, source: Source, folder: Path) -> BuildRequest:
        python, file = source.python.executable, source.file
        options = [f"--default-index={source.index_url}"] if source.index_url else []
        options += [f"--index={url}" for url in source.extra_index_urls]
        # A source's own name could be anything.
        name = "source" + (".zip" if file.name.endswith(".zip") else ".tar.gz")
        compilers = _COMPILERS.format(python=shlex.quote(python))
        env = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in source.env)
        build = _BUILD.format(
            env=env,
            time=TIME,
            run=_RUN,
            most_mib=_MOST_MIB,
            python=shlex.quote(python),
            options=shlex.join(options),
            file=name,
        )
        contexts: dict[str, Path | str] = {}
        for kind, script, more in (
            ("compilers", compilers, None),
            ("uv", "", (uv.program(), "uv")),
            ("source", build, (self._wheels.path(file), name)),
        ):
            # A name is that of one content; see CONTRIBUTING.
            content = sha256(json.dumps([script, uv.VERSION, file.sha256 if kind == "source" else ""]).encode())
            path = folder / kind
            path.mkdir()
            contexts[f"{kind}-{content.hexdigest()[:16]}"] = path
            if script:
                (path / ("build.sh" if kind == "source" else "compilers.sh")).write_text(script, encoding="utf-8")
            if more:
                link_or_copy(more[0], path / more[1])
        names = dict(zip(("compilers", "uv", "source"), contexts, strict=True))
        flags = {"ca": " ".join(ca_bundle.FLAGS), "run": _RUN, **names}
        commands = [["/bin/sh", f"{_RUN}/compilers.sh", *more] for more in ([[], source.apt] if source.apt else [[]])]
        installs = "\n".join(_INSTALL.format(command=json.dumps(each), **flags) for each in commands)
        text = _DOCKERFILE.format(ref=source.base.ref, installs=installs, **flags)
        (folder / "Dockerfile").write_text(text, encoding="utf-8")
        (folder / "main").mkdir()
        return BuildRequest(
            dockerfile=folder / "Dockerfile",
            context=folder / "main",
            tag="",
            platform=self._platform,
            contexts=contexts,
            build_args=self._options.proxies,
            secrets=ca_secrets(self._options.ca),
            no_cache=self._options.no_cache,
            builder=self._options.builder,
            limit=_LIMIT,
            cancel=self._options.cancel,
            export=folder / "wheels",
        )

    def _checked(self, source: Source, folder: Path) -> Path:
        """The one wheel that came out, which a package may have had a hand in."""
        found = list(folder.iterdir())
        target = target_of(source.python, self._platform)
        for path in found:
            if len(found) > 1 or not stat.S_ISREG(path.lstat().st_mode) or not _is_of(path.name, source):
                break
            file = DistributionFile(url=f"built:///{path.name}", sha256="0" * 64)
            with suppress(NotHere):
                if target is not None and uv.fits(file, target) and metadata(path, source.name, source.version):
                    return path
        made = ", ".join(sorted(path.name for path in found)) or "nothing"
        message = f"{source.verb}: what {source.title} builds is no wheel of it for this Python: {made}"
        raise BuildError(Diagnostic("IB677", message, source.place, help="take another version"))


def _noted(path: Path) -> Path:
    """The wheel with what uv puts beside the metadata of what it builds: its settings, of which there are none."""
    with zipfile.ZipFile(path, "a") as archive:
        about = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        archive.writestr(zipfile.ZipInfo(f"{posixpath.dirname(about)}/uv_build.json"), "{}")
    return path


def _is_of(name: str, source: Source) -> bool:
    from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    try:
        its, version, *_ = parse_wheel_filename(name)
        return (its, version) == (canonicalize_name(source.name), Version(source.version))
    except (InvalidWheelFilename, InvalidVersion):
        return False


def _explained(source: Source, failure: BuildFailed) -> Diagnostic:
    lines = list(_lines(failure.log))[-_MOST_LINES:]
    said = "\n".join(lines) or failure.message
    if missing := _NO_HEADER.search(said) or _NO_CONFIG.search(said):
        help = f"apt_install before it the package that has {missing['name']}: its name ends in -dev"
    elif _NO_NETWORK.search(said):
        help = "can a build reach the index? HTTPS_PROXY and --ca are taken notice of"
    elif _NO_PROGRAM.search(said):
        help = "apt_install before it what it is built with, such as cargo or gfortran"
    else:
        help = "apt_install before it what it is built with; or take a version that has a wheel for this Python"
    message = f"{source.verb}: {source.title} cannot be built from its source, and no wheel of it fits"
    return Diagnostic("IB677", message, source.place, (Note(f"the last lines of its build:\n{said}"),), help)


def _lines(log: tuple[str, ...]) -> Iterator[str]:
    yield from (line.rstrip() for line in log if line.strip())
