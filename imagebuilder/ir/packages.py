"""What requests for packages are resolved to, between the front end and the Dockerfile; no author writes it."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Annotated, ClassVar
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field

from imagebuilder.ir.checks import Many
from imagebuilder.ir.ops import BaseImage, Model, Op, Run, Secret, StageRef
from imagebuilder.ir.stage import Stage


def _names_a_file(url: str) -> str:
    # An index may say anything, and the file is kept under this name.
    name = _name_in(url)
    if name in ("", ".", "..") or len(name) > 200 or "/" in name or not name.isprintable():
        raise ValueError(f"a URL whose end is no file's name: {url!r}")
    return url


def _name_in(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])


class DistributionFile(Model):
    """A wheel or a source distribution. ``url`` is where it was found, ``size`` its bytes.

    What it is, its SHA-256 alone says.
    """

    url: Annotated[str, AfterValidator(_names_a_file)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size: int = 0

    @property
    def name(self) -> str:
        return _name_in(self.url)

    @property
    def is_source(self) -> bool:
        return not self.name.endswith(".whl")


class Distribution(Model):
    """One release of a Python package, by its normalized name. ``files`` are those of which an installer takes one."""

    name: str
    version: str
    files: Annotated[tuple[DistributionFile, ...], Many]

    @property
    def size(self) -> int:
        """Bytes of its largest file."""
        return max((file.size for file in self.files), default=0)


class Python(Model):
    """Where a base's own Python has an installer put things.

    ``folders`` are those that are there below ``data`` and ``include``, with their mode, user and group; ``links`` are
    the symbolic links among them, and where each leads. ``there`` are the distributions that it has, by normalized
    name. ``takes_venv`` is whether a virtual environment can be made beside it as beside any other. ``uv_settings`` is
    the file that uv would take settings from in the base's working folder; empty for none.
    """

    version: str
    executable: str
    purelib: str
    platlib: str
    scripts: str
    data: str
    include: str
    glibc: str
    folders: tuple[tuple[str, int, int, int], ...]
    links: tuple[tuple[str, str], ...] = ()
    there: tuple[tuple[str, str], ...] = ()
    takes_venv: bool = False
    uv_settings: str = ""


class Install(Op):
    """Just these distributions, into the base's own Python, which is None where it was not asked.

    The order is that of layers, the lowest first; it means nothing for what is installed. ``index_url`` and
    ``extra_index_urls`` are where an installer finds them, or ``secrets`` say where that is; their hashes make these no
    part of the meaning either. ``venv`` is a stage with the virtual environment whose Python this is.
    """

    verb: ClassVar[str] = "install"
    core: ClassVar[bool] = True
    distributions: Annotated[tuple[Distribution, ...], Many]
    python: Python | None = None
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()
    venv: StageRef | None = None

    def stages(self) -> Iterator[Stage]:
        return iter(() if self.venv is None else (self.venv,))

    def map_stages(self, visit: Callable[[Stage], Stage]) -> Op:
        return self if self.venv is None else self.model_copy(update={"venv": visit(self.venv)})


class Layer(Op):
    """The files of these distributions, all of them wheels, as they lie once they are installed."""

    verb: ClassVar[str] = "layer"
    core: ClassVar[bool] = True
    # Raised when the same distributions are laid out otherwise.
    version: ClassVar[int] = 1
    distributions: Annotated[tuple[Distribution, ...], Many]
    python: Python

    @property
    def digest(self) -> str:
        """``sha256:…`` of all that decides its bytes."""
        files = sorted(file.sha256 for each in self.distributions for file in each.files)
        places = self.python.model_dump_json(exclude={"there", "glibc", "takes_venv", "uv_settings"})
        return "sha256:" + sha256("\0".join((str(self.version), places, *files)).encode()).hexdigest()


class Packed(BaseImage):
    """A base with layers of packages on it, which a stage starts from as from one image.

    ``image`` is what the engine knows the base by.
    """

    verb: ClassVar[str] = "packed"
    image: str
    layers: Annotated[tuple[Layer, ...], Many]

    @property
    def digest(self) -> str:
        """``sha256:…`` of all that decides its bytes."""
        return (
            "sha256:" + sha256("\0".join((self.image, *(layer.digest for layer in self.layers))).encode()).hexdigest()
        )


class AptRun(Run):
    """The command that installs just these Debian packages, each as ``name=version``: a ``run`` to all that follows."""

    pins: Annotated[tuple[str, ...], Many]


class NpmRun(Run):
    """The command that installs just these global npm packages, each as ``path=version``: a ``run`` as well."""

    pins: Annotated[tuple[str, ...], Many]


RESOLVED: tuple[type[Op], ...] = (Install, Layer)
