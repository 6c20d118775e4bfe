"""The fluent ``Image``: an immutable description that every method extends by returning a new one.

A method checks its arguments, records the call that asked for it, and appends
one operation; it runs nothing and, with few exceptions that say so, reads
nothing. What an operation means is in ``ir/ops.py``; how it is carried out is in
``passes/lower``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid, Place
from imagebuilder.frontends.caller import caller
from imagebuilder.frontends.construct import construct
from imagebuilder.frontends.python_files import pyproject_dependencies, requirement_includes
from imagebuilder.ir import checks, ops
from imagebuilder.ir.ops import Secret
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.ir.words import Expansion

Argv: TypeAlias = Sequence[str]
PathLike: TypeAlias = str | os.PathLike[str]
Texts: TypeAlias = str | Iterable[str]
Secrets: TypeAlias = str | Secret | Iterable[str | Secret]
Variables: TypeAlias = Mapping[str, str | Expansion]


class Image:
    """A container image, described. Compare, hash and share it freely: it never changes.

    Start from a base (:meth:`debian_slim`, :meth:`base`, :meth:`scratch`,
    :meth:`from_dockerfile`), then chain methods. Relative local paths start at
    the folder of the Python file that makes the call.

    Every method raises :class:`~imagebuilder.CompileError` when an argument
    cannot be what it has to be; text is otherwise kept byte for byte.
    """

    __slots__ = ("stage",)
    stage: Stage

    def __init__(self, stage: Stage) -> None:
        object.__setattr__(self, "stage", stage)

    # Bases ------------------------------------------------------------------------------------------

    @classmethod
    def debian_slim(cls, python_version: str | None = None, *, debian: str | None = None) -> Image:
        """Python on a slim Debian: the official ``python:<version>-slim-<debian>``.

        Args:
            python_version: a series (``"3.12"``) or a release (``"3.12.4"``). None is always 3.13,
                whatever Python runs this.
            debian: the release of Debian; None is ``bookworm`` up to Python 3.12 and ``trixie`` from 3.13 on.
        """
        place, _ = caller()
        version = checks.DEFAULT_PYTHON if python_version is None else python_version
        return cls(Stage(construct(ops.DebianSlim, place, python_version=version, debian=debian or ""), place=place))

    @classmethod
    def base(cls, ref: str | Image, *, platform: str | Expansion | None = None) -> Image:
        """Any image: ``name:tag``, ``host/name:tag`` or ``name@sha256:…``. Emits ``FROM``.

        Args:
            ref: the name; or an Image, which becomes a stage of its own that this one stands on. Methods of that
                Image itself would go on in the same stage.
            platform: of the named image, such as ``"linux/arm64"`` or ``expand("$BUILDPLATFORM")``; None is the
                platform of the build.
        """
        place, _ = caller()
        if isinstance(ref, Image):
            return cls(Stage(_below(ref.stage, platform, place), place=place))
        if isinstance(platform, str):
            try:
                checks.platform(platform)
            except Invalid as error:
                raise CompileError(error.at(place)) from None
        return cls(Stage(construct(ops.BaseImage, place, ref=ref, platform=platform or ""), place=place))

    @classmethod
    def scratch(cls) -> Image:
        """The empty image. Emits ``FROM scratch``."""
        place, _ = caller()
        return cls(Stage(ops.Scratch(), place=place))

    @classmethod
    def from_dockerfile(
        cls,
        path: PathLike,
        context_dir: PathLike | None = None,
        build_args: Mapping[str, str] | None = None,
        target: str | None = None,
    ) -> Image:
        """The image that a Dockerfile describes; further methods go on from there.

        Reads the Dockerfile now, and the files that it copies when the image is compiled.

        Args:
            path: the Dockerfile.
            context_dir: where its COPY and ADD sources are; None is the Dockerfile's folder.
            build_args: values for its ARG instructions; they become part of the key.
            target: the stage to build; None is the last.
        """
        from imagebuilder.frontends.dockerfile import load

        _, root = caller()
        context = None if context_dir is None else root / context_dir
        return cls(load(root / path, context_dir=context, build_args=build_args, target=target))

    # Packages ---------------------------------------------------------------------------------------

    def apt_install(self, *packages: Texts, recommends: bool = False) -> Image:
        """Debian packages: ``"git"``, ``"curl=7.88.1-10"``. Without any, the image is unchanged.

        Emits one ``RUN`` with locked cache mounts; no package list or archive stays in the layer.

        Args:
            recommends: install recommended packages too.
        """
        return self._with(ops.AptInstall, when=_flat(packages), packages=_flat(packages), recommends=recommends)

    def pip_install(
        self,
        *packages: Texts,
        find_links: Texts | None = None,
        index_url: str | None = None,
        extra_index_urls: Texts | None = None,
        pre: bool = False,
        extra_options: str = "",
        secrets: Secrets = (),
    ) -> Image:
        """Python packages with pip: ``"numpy>=2"``, ``"requests[socks]"``, a URL. The order does not matter.

        Emits one ``RUN`` with pip's cache as a cache mount. Without packages the image is unchanged.

        Args:
            find_links: places to look for archives (``--find-links``).
            index_url: instead of the public index; must hold no credential.
            extra_index_urls: beside it; must hold no credential.
            pre: also take pre-releases.
            extra_options: further options of ``pip install``, as in a shell.
            secrets: names of build secrets, each the environment variable of that name while pip runs:
                ``secrets=["PIP_INDEX_URL"]`` is how an index with a password is used.
        """
        options = _pip_options(find_links, index_url, extra_index_urls, pre, extra_options, secrets)
        return self._with(ops.PipInstall, when=_flat(packages), packages=_flat(packages), **options)

    def pip_install_from_requirements(
        self,
        path: PathLike,
        *,
        find_links: Texts | None = None,
        index_url: str | None = None,
        extra_index_urls: Texts | None = None,
        pre: bool = False,
        extra_options: str = "",
        secrets: Secrets = (),
    ) -> Image:
        """The packages of a requirements file, with the files it names by ``-r`` and ``-c``.

        Reads the file now. Emits one ``RUN`` that sees the files through a bind mount; they are in no layer.
        The other arguments are those of :meth:`pip_install`.
        """
        place, root = caller()
        options = _pip_options(find_links, index_url, extra_index_urls, pre, extra_options, secrets)
        includes = requirement_includes(root / path, place.part("path", None))
        return self._append(
            ops.PipInstallFromRequirements, place, root, path=os.fspath(path), includes=includes, **options
        )

    def pip_install_from_pyproject(
        self,
        path: PathLike,
        optional_dependencies: Texts = (),
        *,
        find_links: Texts | None = None,
        index_url: str | None = None,
        extra_index_urls: Texts | None = None,
        pre: bool = False,
        extra_options: str = "",
        secrets: Secrets = (),
    ) -> Image:
        """The dependencies that a ``pyproject.toml`` declares, not the project itself.

        Reads the file now. Emits what :meth:`pip_install` does, whose other arguments it takes.

        Args:
            path: the file, or the folder that holds it.
            optional_dependencies: names of extras; one that does not exist is refused.
        """
        place, root = caller()
        extras = _flat([optional_dependencies])
        packages = pyproject_dependencies(root / path, extras, place)
        options = _pip_options(find_links, index_url, extra_index_urls, pre, extra_options, secrets)
        return self._append(
            ops.PipInstallFromPyproject,
            place,
            root,
            packages=packages,
            path=os.fspath(path),
            optional_dependencies=extras,
            **options,
        )

    def uv_pip_install(
        self,
        *packages: Texts,
        requirements: PathLike | Iterable[PathLike] = (),
        find_links: Texts | None = None,
        index_url: str | None = None,
        extra_index_urls: Texts | None = None,
        pre: bool = False,
        extra_options: str = "",
        secrets: Secrets = (),
    ) -> Image:
        """Python packages with uv, which is much faster than pip and need not be in the image.

        Emits one ``RUN`` with uv bound into it from a stage of its own, so that uv is in no layer.

        Args:
            requirements: requirements files, besides the packages; read now, with those they name by ``-r`` and ``-c``.
        """
        named = (requirements,) if isinstance(requirements, str | os.PathLike) else requirements
        files = tuple(os.fspath(path) for path in named)
        place, root = caller()
        includes = tuple(requirement_includes(root / file, place) for file in files)
        options = _pip_options(find_links, index_url, extra_index_urls, pre, extra_options, secrets)
        return self._with(
            ops.UvPipInstall,
            when=(*_flat(packages), *files),
            packages=_flat(packages),
            requirements=files,
            includes=includes if any(includes) else (),
            **options,
        )

    def uv_sync(
        self,
        path: PathLike = ".",
        *,
        groups: Texts = (),
        extras: Texts = (),
        frozen: bool = True,
        extra_options: str = "",
        secrets: Secrets = (),
    ) -> Image:
        """The locked dependencies of a uv project, in a virtual environment at ``/opt/venv`` that comes first on PATH.

        Emits a ``RUN`` that sees ``pyproject.toml`` and ``uv.lock`` through bind mounts, and two ``ENV``. What pip or
        uv install after it goes into that environment too.

        Args:
            path: the project's folder.
            groups: dependency groups besides the default ones.
            extras: optional dependencies.
            frozen: take ``uv.lock`` as it is; False checks that it answers pyproject.toml.
        """
        return self._with(
            ops.UvSync,
            path=os.fspath(path),
            groups=_flat([groups]),
            extras=_flat([extras]),
            frozen=frozen,
            extra_options=extra_options,
            secrets=secrets,
        )

    def npm_install(
        self,
        *packages: Texts,
        path: PathLike | None = None,
        dest: str | None = None,
        g: bool = False,
        dev: bool = False,
        secrets: Secrets = (),
    ) -> Image:
        """npm packages: by name, or those of a local ``package.json`` and its lock. The base must have npm.

        Emits a ``RUN`` with npm's cache as a cache mount, or in a scratch folder for users other than root; with
        ``path``, a ``COPY`` of the two files before it. A lock has the packages that are installed with ``g``.

        Args:
            path: the folder of package.json (and package-lock.json: then ``npm ci``); goes with ``dest``.
            dest: the folder in the image that gets them and ``node_modules``.
            g: install packages for the whole system (``--global``).
            dev: include, or save as, development dependencies.
        """
        where = None if path is None else os.fspath(path)
        return self._with(
            ops.NpmInstall,
            when=_flat(packages) or path,
            packages=_flat(packages), path=where, dest=dest, g=g, dev=dev, secrets=secrets,
        )  # fmt: skip

    # Files ------------------------------------------------------------------------------------------

    def add_local_file(
        self, local_path: PathLike, remote_path: str, *, chmod: str | None = None, chown: str | None = None
    ) -> Image:
        """A file of this machine. Emits ``COPY``.

        Args:
            remote_path: absolute; one that ends in ``/`` is a folder, and the file keeps its name in it.
            chmod: octal; None is 0644, or 0755 where the file is executable.
            chown: ``user``, ``user:group`` or numbers; None is root.
        """
        local = os.fspath(local_path)
        return self._with(ops.AddLocalFile, path=local, dest=_into(remote_path, local), chmod=chmod, chown=chown)

    def add_local_dir(
        self, local_path: PathLike, remote_path: str, *, ignore: Texts = (), chown: str | None = None
    ) -> Image:
        """What a folder of this machine holds, less what its ``.dockerignore`` excludes. Emits ``COPY``.

        Args:
            remote_path: absolute; one that ends in ``/`` gets the folder itself, under its own name.
            ignore: further patterns in the syntax of ``.dockerignore``, read after it.
            chown: ``user``, ``user:group`` or numbers; None is root.
        """
        local = os.fspath(local_path)
        return self._with(
            ops.AddLocalDir, path=local, dest=_into(remote_path, local), ignore=_flat([ignore]), chown=chown
        )

    def add_local_python_source(self, *modules: str, ignore: Texts = ()) -> Image:
        """Python packages or modules that lie beside the calling file, importable in the image.

        Emits a ``COPY`` to ``/opt/python`` and ``ENV PYTHONPATH``. Bytecode is left out.
        """
        return self._with(ops.AddLocalPythonSource, when=modules, modules=modules, ignore=_flat([ignore]))

    def add_text(self, content: str, remote_path: str, *, chmod: str | None = None, chown: str | None = None) -> Image:
        """A file with this text, exactly. Emits ``COPY`` with a here-document where the text allows one."""
        return self._with(ops.AddText, content=content, dest=remote_path, chmod=chmod, chown=chown)

    def add_url(
        self,
        url: str,
        remote_path: str,
        *,
        checksum: str | None = None,
        chmod: str | None = None,
        chown: str | None = None,
        unpack: bool = False,
    ) -> Image:
        """A file that the builder fetches. Emits ``ADD``.

        Args:
            checksum: ``sha256:…``; without one, the key does not cover what the URL serves.
            unpack: unpack a tar archive.
        """
        return self._with(
            ops.AddUrl, url=url, dest=remote_path, checksum=checksum, chmod=chmod, chown=chown, unpack=unpack
        )

    def git_clone(
        self,
        url: str,
        remote_path: str,
        *,
        ref: str | None = None,
        keep_git_dir: bool = False,
        chown: str | None = None,
    ) -> Image:
        """A Git repository's files, fetched by the builder; the image needs no git. Emits ``ADD``.

        Args:
            ref: a branch, tag or commit; only a commit fixes what the key stands for.
            keep_git_dir: keep ``.git``.
        """
        return self._with(ops.GitClone, url=url, dest=remote_path, ref=ref, keep_git_dir=keep_git_dir, chown=chown)

    def copy_from(
        self,
        image: Image | str,
        src: str,
        dst: str,
        *,
        chown: str | None = None,
        chmod: str | None = None,
    ) -> Image:
        """Files of another image, which becomes a stage of this build. Emits ``COPY --from``.

        Args:
            image: an Image, or the name of one.
            src: an absolute path in it; a folder gives what it holds.
            dst: an absolute path here.
        """
        source = image.stage if isinstance(image, Image) else image
        return self._with(ops.CopyFrom, source=source, src=src, dest=dst, chown=chown, chmod=chmod)

    # Commands ---------------------------------------------------------------------------------------

    def run_commands(
        self,
        *commands: str | Argv,
        secrets: Secrets = (),
        cache: Texts = (),
        network: Literal["default", "none", "host"] = "default",
    ) -> Image:
        """Commands, run one after another in one shell that ends at the first failure.

        Emits one ``RUN`` a call: a ``cd`` in one command holds for the next, and two calls are two layers.

        Args:
            commands: text for the shell, or a list of words that are passed on exactly.
            secrets: names of build secrets, each an environment variable of that name, or
                :class:`~imagebuilder.Secret` with a ``target`` for a file.
            cache: absolute folders that outlive the build and are in no layer.
            network: ``"none"`` cuts it off.
        """
        words = tuple(_command(c) for c in commands)
        return self._with(
            ops.RunCommands,
            when=words,
            commands=words,
            secrets=secrets,
            cache=_flat([cache]),
            network=network,
        )

    def dockerfile_commands(
        self,
        *lines: Texts,
        context_dir: PathLike | None = None,
        stages: Mapping[str, Image] | None = None,
    ) -> Image:
        """Dockerfile instructions, as in a file; all but FROM.

        Args:
            context_dir: where COPY and ADD sources are; None is the folder of the calling file.
            stages: the images that ``COPY --from=NAME`` and ``RUN --mount=…,from=NAME`` in these lines mean,
                by name, in any case; each must be named by a line. Any other name is an image's of a registry.
        """
        from imagebuilder.frontends.dockerfile import parse_commands

        place, root = caller()
        context = root if context_dir is None else root / context_dir
        named = {name: _stage_of(image, place, f"stages[{name!r}]") for name, image in (stages or {}).items()}
        return Image(self.stage.then(*parse_commands(_flat(lines), context_dir=context, place=place, stages=named)))

    # Settings ---------------------------------------------------------------------------------------

    def env(self, variables: Variables | None = None, /, **more: str | Expansion) -> Image:
        """Environment variables. Values are literal, ``$`` included; ``expand("…${PATH}")`` is not. Emits ``ENV``."""
        found = {**(variables or {}), **more}
        return self._with(ops.Env, when=found, variables=found)

    def workdir(self, path: str | Expansion) -> Image:
        """The folder in which commands and the container start; made where it does not exist. Emits ``WORKDIR``."""
        place, root = caller()
        try:
            # A Dockerfile may say a relative one; here it could only surprise.
            if isinstance(path, str):
                checks.absolute(path)
        except Invalid as error:
            raise CompileError(error.at(place.part("path", None))) from None
        return self._append(ops.Workdir, place, root, path=path)

    def user(self, name: str | Expansion) -> Image:
        """The user, ``user:group`` or numbers, for later commands and the container. Emits ``USER``."""
        return self._with(ops.User, name=name)

    def shell(self, words: Argv) -> Image:
        """The shell for later commands given as text, such as ``["/bin/bash", "-c"]``. Emits ``SHELL``."""
        return self._with(ops.Shell, words=words)

    def entrypoint(self, command: str | Argv) -> Image:
        """The program that the container is: a list of words (better), or text for the shell. Emits ``ENTRYPOINT``."""
        return self._with(ops.Entrypoint, command=_command(command))

    def cmd(self, command: str | Argv) -> Image:
        """Its arguments, or the default command: a list of words, or text for the shell. Emits ``CMD``."""
        return self._with(ops.Cmd, command=_command(command))

    def label(self, labels: Variables | None = None, /, **more: str | Expansion) -> Image:
        """Labels of the image. Emits ``LABEL``."""
        found = {**(labels or {}), **more}
        return self._with(ops.Label, when=found, labels=found)

    def expose(self, *ports: int | str | Expansion) -> Image:
        """Ports that the container serves: ``8080``, ``"53/udp"``, ``"8000-8010"``. Emits ``EXPOSE``."""
        return self._with(
            ops.Expose, when=ports, ports=tuple(str(port) if isinstance(port, int) else port for port in ports)
        )

    def volume(self, *paths: str | Expansion) -> Image:
        """Folders that are mounts of their own. Emits ``VOLUME``."""
        return self._with(ops.Volume, when=paths, paths=paths)

    def healthcheck(
        self,
        command: str | Argv | None,
        *,
        interval: str | None = None,
        timeout: str | None = None,
        start_period: str | None = None,
        start_interval: str | None = None,
        retries: int | None = None,
    ) -> Image:
        """How to tell that a container is well; None switches an inherited check off. Emits ``HEALTHCHECK``.

        Args:
            command: words or text for the shell; exit code 0 means well.
            interval, timeout, start_period, start_interval: durations such as ``"30s"`` or ``"1m30s"``.
            retries: failures in a row until the container counts as unwell.
        """
        return self._with(
            ops.Healthcheck,
            command=() if command is None else _command(command),
            interval=interval,
            timeout=timeout,
            start_period=start_period,
            start_interval=start_interval,
            retries=retries,
        )

    def stop_signal(self, signal: str | int) -> Image:
        """The signal that asks the container to end: ``"SIGTERM"`` or its number. Emits ``STOPSIGNAL``."""
        return self._with(ops.StopSignal, signal=str(signal))

    def arg(self, name: str, default: str | Expansion | None = None) -> Image:
        """A build argument: an environment variable of later commands, not of the container. Emits ``ARG``.

        ``imagebuilder build --build-arg NAME=VALUE`` sets it; the value is part of the key.
        """
        return self._with(ops.Arg, name=name, default=default)

    # What comes of it -------------------------------------------------------------------------------

    def key(self, platform: str | None = None) -> str:
        """The content key, ``sha256:…``: equal for equal content on every machine. Reads the local files.

        Args:
            platform: such as ``"linux/arm64"``; None is this machine's.
        """
        from imagebuilder.compiler import compile

        return compile(self, platform=platform).key

    def dockerfile(self, platform: str | None = None) -> str:
        """The Dockerfile that the image is built from. Reads the local files."""
        from imagebuilder.compiler import compile

        return compile(self, platform=platform).dockerfile().text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self.stage == other.stage

    def __hash__(self) -> int:
        return hash(self.stage)

    def __repr__(self) -> str:
        base = self.stage.base
        name = "stage" if isinstance(base, Stage) else base.verb
        verbs = "".join(f".{step.op.verb}(…)" for step in self.stage.steps[-3:])
        more = "…" if len(self.stage.steps) > 3 else ""
        return f"<Image {name}(…){more}{verbs}>"

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("an Image never changes; its methods return a new one")

    def __reduce__(self) -> tuple[Callable[[Stage], Image], tuple[Stage]]:
        return (Image, (self.stage,))

    def _with(self, model: type[ops.Op], *, when: object = True, **fields: Any) -> Image:
        if not when:
            return self
        place, root = caller()
        return self._append(model, place, root, **fields)

    def _append(self, model: type[ops.Op], place: Place, root: Path, **fields: Any) -> Image:
        op = construct(model, place, **fields)
        return Image(self.stage.then(Step(op, place, str(root) if ops.reads_local(op) else "")))


def _below(stage: Stage, platform: object, place: Place) -> Stage:
    """The stage as one to stand on."""
    problem = None
    if platform is not None:
        problem = Invalid("IB125", "platform= goes with the name of an image", "an Image has the platform of its base")
    elif any(isinstance(step.op, ops.Onbuild) for step in stage.steps):
        # The builder would run them here; a Dockerfile is read so that they stand here already.
        problem = Invalid("IB125", "an Image with ONBUILD as a base", "its triggers are for builds of their own")
    if problem is not None:
        raise CompileError(problem.at(place))
    return stage


def _stage_of(image: Any, place: Place, what: str) -> Stage:
    if not isinstance(image, Image):
        message = f"{what}: an Image is needed, got {ascii(image)[:60]}"
        raise CompileError(Diagnostic("IB100", message, place))
    return image.stage


def _flat(values: Iterable[Texts]) -> tuple[str, ...]:
    """``f("a", "b")`` and ``f(["a", "b"])`` say the same."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, str) or not isinstance(value, Iterable):
            found.append(value)
        else:
            found.extend(value)
    return tuple(found)


def _command(command: str | Argv) -> str | tuple[str, ...]:
    # What is neither is passed on: the operation refuses it in words.
    return tuple(command) if isinstance(command, Iterable) and not isinstance(command, str) else command


def _into(remote: str, local: str) -> str:
    """A destination that ends in ``/`` takes the source's own name, as ``cp`` does."""
    return remote + Path(local).name if remote.endswith("/") else remote


def _pip_options(
    find_links: Texts | None,
    index_url: str | None,
    extra_index_urls: Texts | None,
    pre: bool,
    extra_options: str,
    secrets: Secrets,
) -> dict[str, Any]:
    return {
        "find_links": _flat([find_links or ()]),
        "index_url": index_url,
        "extra_index_urls": _flat([extra_index_urls or ()]),
        "pre": pre,
        "extra_options": extra_options,
        "secrets": secrets,
    }
