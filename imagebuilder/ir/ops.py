"""Every operation, defined once.

*Intent* operations say what the author wants (``pip_install``); the lowering
turns each into *core* operations, which say how (``run`` with a cache mount).
Settings such as ``env`` are their own lowering. A front end builds these models
and nothing else; the name of an operation is the name of its fluent method and
of its ``.snap`` verb.

Annotations are not postponed here: pydantic would evaluate the text of each
anew, which takes a third of the time that this module takes to import.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    model_validator,
)

from imagebuilder.diagnostics import Invalid
from imagebuilder.ir import checks
from imagebuilder.ir.checks import (
    Absolute,
    AptPackage,
    Checksum,
    Command,
    Duration,
    EnvName,
    File,
    Identifier,
    IndexUrl,
    Local,
    Many,
    Mode,
    Owner,
    Package,
    Pairs,
    PythonVersion,
    Reference,
    Text,
    TextWord,
    Unordered,
)
from imagebuilder.ir.stage import Stage


def _literal(check: Callable[[str], str]) -> AfterValidator:
    """A check of words that hold no variable; the others are known only when building."""
    return AfterValidator(lambda value: check(value) if isinstance(value, str) else value)


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)


class Op(Model):
    """The base of all operations. ``verb`` is the name of the operation everywhere."""

    verb: ClassVar[str]
    core: ClassVar[bool] = False
    reads_files: ClassVar[bool] = False
    derived: ClassVar[frozenset[str]] = frozenset()
    """Fields that a front end reads from the local files which the others name; no author writes them."""

    def stages(self) -> Iterator[Stage]:
        """The stages that this operation reads from."""
        return iter(())

    def map_stages(self, visit: Callable[[Stage], Stage]) -> "Op":
        """The same operation reading from ``visit(stage)`` instead of each stage."""
        return self

    def locals(self) -> "Iterator[LocalSource]":
        """The local files that this operation reads."""
        return iter(())


# Where things come from ------------------------------------------------------------------------------


class LocalSource(Model):
    """Files of this machine: a file, or a folder less what is ignored.

    ``path`` starts at the step's root. ``include`` holds groups of patterns; what
    matches none of them is left out, and a group that matches nothing is an
    error; without groups everything is taken. ``literal`` says that they are
    plain paths and not patterns. ``dockerignore`` names an ignore file inside the
    folder (or an absolute one), read before ``ignore``. ``kind`` is what the path
    must be.
    """

    path: Local
    kind: Literal["file", "dir"] = "dir"
    literal: bool = False
    include: Annotated[tuple[tuple[str, ...], ...], Many] = ()
    ignore: Annotated[tuple[Text, ...], Many] = ()
    dockerignore: str = ""


class ImageSource(Model):
    """Files of an image that is pulled, or of a build context that the caller names."""

    ref: Text


# Stages are values already; pydantic must neither copy nor look into them.
StageRef = InstanceOf[Stage]
Source = LocalSource | ImageSource | StageRef


# Bases ------------------------------------------------------------------------------------------------


class DebianSlim(Model):
    """Python on Debian: ``python:<version>-slim-<debian>``."""

    verb: ClassVar[str] = "debian_slim"
    python_version: PythonVersion
    debian: Annotated[str, AfterValidator(checks.debian)] = ""


class BaseImage(Model):
    """A named image. ``platform`` is given only where it differs from the image's own."""

    verb: ClassVar[str] = "base"
    ref: Reference
    platform: TextWord = ""


class Scratch(Model):
    """Nothing at all."""

    verb: ClassVar[str] = "scratch"


Base = DebianSlim | BaseImage | Scratch


# Core operations ------------------------------------------------------------------------------------


class Mount(Model):
    """One ``RUN --mount``; fields as in the Dockerfile reference, None where not given."""

    type: Literal["bind", "cache", "secret", "ssh", "tmpfs"]
    target: TextWord | None = None
    source: TextWord | None = None
    origin: Source | None = None
    id: TextWord | None = None
    sharing: Literal["shared", "private", "locked"] | None = None
    env: Text | None = None
    required: bool | None = None
    readonly: bool | None = None
    mode: Text | None = None
    uid: Text | None = None
    gid: Text | None = None
    size: Text | None = None


class Run(Op):
    """Run a command: text for the stage's shell, or the words of an argument vector.

    Text that starts with ``#!`` and has several lines is a script of that interpreter.
    """

    verb: ClassVar[str] = "run"
    core: ClassVar[bool] = True
    command: Text | Annotated[tuple[Text, ...], Many]
    mounts: tuple[Mount, ...] = ()
    network: Literal["default", "none", "host"] = "default"
    security: Literal["", "insecure", "sandbox"] = ""

    def stages(self) -> Iterator[Stage]:
        return (m.origin for m in self.mounts if isinstance(m.origin, Stage))

    def map_stages(self, visit: Callable[[Stage], Stage]) -> Op:
        mounts = (
            m.model_copy(update={"origin": visit(m.origin)}) if isinstance(m.origin, Stage) else m for m in self.mounts
        )
        return self.model_copy(update={"mounts": tuple(mounts)})

    def locals(self) -> Iterator[LocalSource]:
        return (m.origin for m in self.mounts if isinstance(m.origin, LocalSource))


class Copy(Op):
    """Copy files from this machine, a stage or an image.

    With a local origin the sources are relative to it, ``.`` being all of it.
    """

    verb: ClassVar[str] = "copy"
    core: ClassVar[bool] = True
    sources: Annotated[tuple[TextWord, ...], Many]
    dest: TextWord
    origin: Source
    chown: TextWord = ""
    chmod: TextWord = ""
    link: bool = False
    parents: bool = False
    exclude: tuple[TextWord, ...] = ()

    def stages(self) -> Iterator[Stage]:
        return iter((self.origin,) if isinstance(self.origin, Stage) else ())

    def map_stages(self, visit: Callable[[Stage], Stage]) -> Op:
        return self.model_copy(update={"origin": visit(self.origin)}) if isinstance(self.origin, Stage) else self

    def locals(self) -> Iterator[LocalSource]:
        return iter((self.origin,) if isinstance(self.origin, LocalSource) else ())


class Add(Op):
    """``ADD``: URLs, Git repositories, and local archives that are unpacked."""

    verb: ClassVar[str] = "add"
    core: ClassVar[bool] = True
    sources: Annotated[tuple[TextWord, ...], Many]
    dest: TextWord
    origin: LocalSource | None = None
    checksum: TextWord = ""
    chown: TextWord = ""
    chmod: TextWord = ""
    link: bool = False
    unpack: bool | None = None
    keep_git_dir: bool = False
    exclude: tuple[TextWord, ...] = ()

    def locals(self) -> Iterator[LocalSource]:
        return iter((self.origin,) if self.origin is not None else ())


class WriteFiles(Op):
    """Files whose text is part of the spec: ``COPY <<EOF``. With several files the
    destination is a folder, and each name is the file's name in it.

    An :class:`Expansion` is expanded as in an unquoted here-document.
    """

    verb: ClassVar[str] = "write_files"
    core: ClassVar[bool] = True
    files: tuple[tuple[Text, TextWord], ...]
    dest: TextWord
    chown: TextWord = ""
    chmod: TextWord = ""
    link: bool = False


class Env(Op):
    """Environment variables, in order where they come from a Dockerfile."""

    verb: ClassVar[str] = "env"
    core: ClassVar[bool] = True
    variables: Annotated[tuple[tuple[EnvName, TextWord], ...], Pairs]


class Label(Op):
    """Labels of the image."""

    verb: ClassVar[str] = "label"
    core: ClassVar[bool] = True
    labels: Annotated[tuple[tuple[Annotated[TextWord, _literal(checks.nonempty("label name"))], TextWord], ...], Pairs]


class Arg(Op):
    """A build argument of this stage; None means that it has no default."""

    verb: ClassVar[str] = "arg"
    core: ClassVar[bool] = True
    name: Identifier
    default: TextWord | None = None


class Workdir(Op):
    verb: ClassVar[str] = "workdir"
    core: ClassVar[bool] = True
    path: Annotated[TextWord, _literal(checks.nonempty("working folder"))]


class User(Op):
    verb: ClassVar[str] = "user"
    core: ClassVar[bool] = True
    name: Annotated[TextWord, _literal(checks.owner)]


class Shell(Op):
    verb: ClassVar[str] = "shell"
    core: ClassVar[bool] = True
    words: Annotated[tuple[Text, ...], Field(min_length=1)]


class Entrypoint(Op):
    """An argument vector, or text for the shell."""

    verb: ClassVar[str] = "entrypoint"
    core: ClassVar[bool] = True
    command: Text | tuple[Text, ...]


class Cmd(Op):
    """An argument vector, or text for the shell."""

    verb: ClassVar[str] = "cmd"
    core: ClassVar[bool] = True
    command: Text | tuple[Text, ...]


class Expose(Op):
    verb: ClassVar[str] = "expose"
    core: ClassVar[bool] = True
    ports: Annotated[tuple[Annotated[TextWord, _literal(checks.port)], ...], Many]


class Volume(Op):
    verb: ClassVar[str] = "volume"
    core: ClassVar[bool] = True
    paths: Annotated[tuple[Annotated[TextWord, _literal(checks.nonempty("volume"))], ...], Many]


class Healthcheck(Op):
    """How to tell that a container is well. An empty command (``()``) switches an inherited check off."""

    verb: ClassVar[str] = "healthcheck"
    core: ClassVar[bool] = True
    command: Text | tuple[Text, ...]
    interval: Duration | None = None
    timeout: Duration | None = None
    start_period: Duration | None = None
    start_interval: Duration | None = None
    retries: Annotated[int, Field(ge=0)] | None = None


class StopSignal(Op):
    verb: ClassVar[str] = "stop_signal"
    core: ClassVar[bool] = True
    signal: Annotated[TextWord, _literal(checks.signal)]


class Onbuild(Op):
    """An instruction kept for builds that start from this image, as written."""

    verb: ClassVar[str] = "onbuild"
    core: ClassVar[bool] = True
    instruction: Text


class Maintainer(Op):
    """The deprecated MAINTAINER; only a Dockerfile says it."""

    verb: ClassVar[str] = "maintainer"
    core: ClassVar[bool] = True
    name: Text


# Intent operations ----------------------------------------------------------------------------------


class Secret(Model):
    """A build secret: a name; its value is given when building and is kept nowhere.

    It is the environment variable ``name`` of the command, or a file at ``target``.
    """

    name: Identifier
    target: Absolute | None = None


def _secret(value: Any) -> Any:
    values = (value,) if isinstance(value, str | Secret) else value
    if not isinstance(values, Iterable) or isinstance(values, dict):
        return values
    return tuple(Secret(name=v) if isinstance(v, str) else v for v in values)


Secrets = Annotated[tuple[Secret, ...], BeforeValidator(_secret)]


class AptInstall(Op):
    verb: ClassVar[str] = "apt_install"
    packages: Annotated[tuple[AptPackage, ...], Many, Unordered]
    recommends: bool = False


class _PipOptions(Op):
    find_links: Annotated[tuple[IndexUrl, ...], Many] = ()
    index_url: IndexUrl | None = None
    extra_index_urls: Annotated[tuple[IndexUrl, ...], Many] = ()
    pre: bool = False
    extra_options: Annotated[str, AfterValidator(checks.refuse_credentials), AfterValidator(checks.text)] = ""
    secrets: Secrets = ()


class PipInstall(_PipOptions):
    verb: ClassVar[str] = "pip_install"
    packages: Annotated[tuple[Package, ...], Many, Unordered]


class PipInstallFromRequirements(_PipOptions):
    """A requirements file. ``includes`` are the files that it names with -r or -c, relative to its folder."""

    verb: ClassVar[str] = "pip_install_from_requirements"
    reads_files: ClassVar[bool] = True
    derived: ClassVar[frozenset[str]] = frozenset({"includes"})
    path: Local
    includes: Annotated[tuple[Local, ...], Many] = ()


class PipInstallFromPyproject(_PipOptions):
    """The dependencies of a pyproject.toml, or of one in the folder ``path``. ``packages`` is what it holds."""

    verb: ClassVar[str] = "pip_install_from_pyproject"
    reads_files: ClassVar[bool] = True
    derived: ClassVar[frozenset[str]] = frozenset({"packages"})
    packages: Annotated[tuple[Package, ...], Many, Unordered]
    path: Local = "."
    optional_dependencies: Annotated[tuple[Text, ...], Many] = ()


class UvPipInstall(_PipOptions):
    """``includes`` has for each requirements file those that it names with -r or -c, relative to its folder."""

    verb: ClassVar[str] = "uv_pip_install"
    reads_files: ClassVar[bool] = True
    derived: ClassVar[frozenset[str]] = frozenset({"includes"})
    packages: Annotated[tuple[Package, ...], Many, Unordered] = ()
    requirements: Annotated[tuple[Local, ...], Many] = ()
    includes: Annotated[tuple[tuple[Local, ...], ...], Many] = ()


class UvSync(Op):
    verb: ClassVar[str] = "uv_sync"
    reads_files: ClassVar[bool] = True
    path: Local = "."
    groups: Annotated[tuple[Text, ...], Many] = ()
    extras: Annotated[tuple[Text, ...], Many] = ()
    frozen: bool = True
    extra_options: Annotated[str, AfterValidator(checks.refuse_credentials)] = ""
    secrets: Secrets = ()


class NpmInstall(Op):
    """npm packages by name, or those of a package.json and its lock (``path`` to ``dest``)."""

    verb: ClassVar[str] = "npm_install"
    reads_files: ClassVar[bool] = True
    packages: Annotated[tuple[Package, ...], Many, Unordered] = ()
    path: Local | None = None
    dest: Absolute | None = None
    g: bool = False
    dev: bool = False
    secrets: Secrets = ()

    @model_validator(mode="after")
    def _check(self) -> "NpmInstall":
        if (self.path is None) != (self.dest is None):
            raise Invalid("IB125", "path= and dest= belong together", "give both: path='./web' and dest='/app'")
        if self.path is not None and (self.packages or self.g):
            raise Invalid("IB125", "path= takes its packages from package.json", "use two calls")
        return self


class AddLocalFile(Op):
    verb: ClassVar[str] = "add_local_file"
    reads_files: ClassVar[bool] = True
    path: Local
    dest: Absolute
    chmod: Mode | None = None
    chown: Owner | None = None


class AddLocalDir(Op):
    verb: ClassVar[str] = "add_local_dir"
    reads_files: ClassVar[bool] = True
    path: Local
    dest: Absolute
    ignore: Annotated[tuple[Text, ...], Many] = ()
    chown: Owner | None = None


class AddLocalPythonSource(Op):
    verb: ClassVar[str] = "add_local_python_source"
    reads_files: ClassVar[bool] = True
    modules: Annotated[tuple[Annotated[str, AfterValidator(checks.module)], ...], Many]
    ignore: Annotated[tuple[Text, ...], Many] = ()


class AddText(Op):
    verb: ClassVar[str] = "add_text"
    content: Annotated[str, AfterValidator(checks.text)]
    dest: File
    chmod: Mode | None = None
    chown: Owner | None = None


class AddUrl(Op):
    verb: ClassVar[str] = "add_url"
    url: Annotated[str, AfterValidator(checks.download_url)]
    dest: Absolute
    checksum: Checksum | None = None
    chmod: Mode | None = None
    chown: Owner | None = None
    unpack: bool = False


class GitClone(Op):
    verb: ClassVar[str] = "git_clone"
    url: Annotated[str, AfterValidator(checks.git_url)]
    dest: Absolute
    ref: Annotated[str, AfterValidator(checks.git_ref)] | None = None
    keep_git_dir: bool = False
    chown: Owner | None = None


class CopyFrom(Op):
    verb: ClassVar[str] = "copy_from"
    source: StageRef | Reference
    src: Absolute
    dest: Absolute
    chown: Owner | None = None
    chmod: Mode | None = None

    def stages(self) -> Iterator[Stage]:
        return iter((self.source,) if isinstance(self.source, Stage) else ())

    def map_stages(self, visit: Callable[[Stage], Stage]) -> Op:
        return self.model_copy(update={"source": visit(self.source)}) if isinstance(self.source, Stage) else self


class RunCommands(Op):
    """Commands of one script, which ends at the first that fails; a tuple is an argument vector."""

    verb: ClassVar[str] = "run_commands"
    commands: tuple[Command | Annotated[tuple[Text, ...], Field(min_length=1)], ...]
    secrets: Secrets = ()
    cache: Annotated[tuple[Absolute, ...], Many] = ()
    network: Literal["default", "none", "host"] = "default"


def reads_local(op: Op) -> bool:
    """Whether the operation has local paths, which need a folder to start from."""
    return op.reads_files or any(True for _ in op.locals())


BASES: tuple[type[Model], ...] = (DebianSlim, BaseImage, Scratch)

INTENTS: tuple[type[Op], ...] = (
    AptInstall,
    PipInstall,
    PipInstallFromRequirements,
    PipInstallFromPyproject,
    UvPipInstall,
    UvSync,
    NpmInstall,
    AddLocalFile,
    AddLocalDir,
    AddLocalPythonSource,
    AddText,
    AddUrl,
    GitClone,
    CopyFrom,
    RunCommands,
)

CORE: tuple[type[Op], ...] = (
    Run,
    Copy,
    Add,
    WriteFiles,
    Env,
    Label,
    Arg,
    Workdir,
    User,
    Shell,
    Entrypoint,
    Cmd,
    Expose,
    Volume,
    Healthcheck,
    StopSignal,
    Onbuild,
    Maintainer,
)

OPS: dict[str, type[Op]] = {op.verb: op for op in (*INTENTS, *CORE)}
