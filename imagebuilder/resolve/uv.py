"""Requirements resolved by uv, which runs here, reads indexes and runs nothing that it finds there (no_python.py).

What it answers is a pylock.toml (PEP 751) of the target's files alone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from imagebuilder import command
from imagebuilder.diagnostics import Diagnostic, EngineError
from imagebuilder.ir.packages import Distribution, DistributionFile
from imagebuilder.resolve.ask import Ask, Target, joined, statements
from imagebuilder.resolve.logins import Logins
from imagebuilder.resolve.no_python import no_python

if TYPE_CHECKING:
    from packaging.tags import Tag
    from packaging.version import Version

VERSION = "0.13.9"
"""Of uv: what resolves here, and what installs in a build."""

PYPI = "https://pypi.org/simple"

_TIMEOUT = 600.0
# What its user may have set for uv itself would not be in the ask.
_UNSET = re.compile(r"UV_(?!(HTTP_TIMEOUT|NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST)$|INDEX_\w+_(USERNAME|PASSWORD)$)\w+")
# For how long PyPI lets its answers be kept, which a mirror of it may not say.
_DEFAULT = f"""\
[[index]]
url = "{PYPI}"
default = true
cache-control = {{ api = "max-age=600" }}
"""
_NO_WHEEL = re.compile(r"Wheels are required for `(?P<name>[^`]+)` because building")
_TO_BUILD = re.compile(r"Failed to (?:download and )?build `(?P<name>[^`=]+)==(?P<version>[^`]+)`")
_NOT_SENT = re.compile(r"error sending request for url \((?P<url>https?://[^\s)]+)\)")
_YANKED = re.compile(r"^warning: `(?P<what>[^`]+)` is yanked(?: \(reason: \"?(?P<why>.*?)\"?\))?", re.MULTILINE)
_HASH = re.compile(r"--hash=(?P<algorithm>\w+):(?P<digest>\S+)")
NAME = re.compile(r"^\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)")


@dataclass(frozen=True, slots=True)
class Answer:
    """The distributions, without those that are there already, by name; and those among them that were yanked."""

    distributions: tuple[Distribution, ...]
    yanked: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a release says that it requires, in the words of its metadata."""

    name: str
    version: str
    requires: tuple[str, ...] = ()
    python: str = ""
    extras: tuple[str, ...] = ()


class Unresolved(Exception):
    """No answer. ``kind`` is why; ``said`` is what uv says about it.

    ``about`` is the package where it is one's, and ``version`` the release where it is one's; of NO_INDEX, ``about`` is
    the address that nothing came from, where no answer came at all.
    """

    def __init__(self, kind: str, said: str, about: str = "", version: str = "") -> None:
        super().__init__(said)
        self.kind = kind
        self.said = said
        self.about = about
        self.version = version


TO_BUILD = "to build"
"""What a release requires is known once it is built."""
NO_SET, NO_WHEEL, NO_INDEX = "no set", "no wheel", "no index"
OTHERS, OTHER_BYTES, WRONG = "others", "other bytes", "wrong"


def program() -> Path:
    """uv itself, of this environment.

    Raises:
        EngineError: it is not there.
    """
    try:
        from uv import find_uv_bin

        return Path(find_uv_bin())
    except (ImportError, FileNotFoundError):
        help = f"pip install uv=={VERSION}"
        raise EngineError(Diagnostic("IB501", "cannot run 'uv': it is not installed", help=help)) from None


def resolve(
    ask: Ask,
    cache: Path,
    ca: Path | None,
    *,
    anew: bool = False,
    prefer: Mapping[str, str] | None = None,
    metadata: Iterable[Metadata] = (),
    logins: Logins | None = None,
) -> Answer:
    """
    Args:
        cache: a folder for what uv keeps.
        ca: a CA bundle; None is that of ``SSL_CERT_FILE``, or the system's.
        anew: ask the indexes also where their answer is some minutes old.
        prefer: versions that are taken where they fit, by name.
        metadata: that of releases of which it need not be asked for.
        logins: those of indexes, besides the user's own.

    Raises:
        Unresolved: there is no such set, or the index does not answer.
        EngineError: there is no uv.
    """
    logins = logins or Logins()
    with tempfile.TemporaryDirectory(prefix="imagebuilder-") as folder:
        # As with pip: what is there already stays where it fits, and makes nothing else older than it would be.
        fixed = {name: known for name, its in there(ask) if (known := version(its)) is not None}
        out = Path(folder) / "pylock.toml"
        if wanted := {**(prefer or {}), **{name: str(version) for name, version in fixed.items()}}:
            said = "".join(_preferred(*each) for each in wanted.items())
            out.write_text(f'lock-version = "1.0"\ncreated-by = "imagebuilder"\n{said}', encoding="utf-8")
        words = [
            program(),
            *_words(ask, Path(folder), logins, metadata),
            f"--python={no_python(cache)}",
            "--cache-dir",
            cache,
            "-o",
            out,
            *(["--refresh"] if anew else []),
        ]
        try:
            done = command.run(
                words, env=environment(ca) | _logins(logins, ask, Path(folder)), timeout=_TIMEOUT, cwd=folder
            )
        except subprocess.TimeoutExpired:
            raise Unresolved(NO_INDEX, f"uv did not end within {_TIMEOUT:.0f} s") from None
        said = logins.hidden(done.stderr.decode(errors="replace").strip())
        if done.returncode:
            raise _unresolved(said, done.returncode)
        answer = out.read_bytes()
    hashes = demanded_hashes(text for _, text in ask.files)
    try:
        packages = tomllib.loads(answer.decode()).get("packages", ())
        found = [distribution(each, ask.target, hashes) for each in packages]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unresolved(WRONG, f"uv answered what cannot be read: {error}") from None
    names = {name for name, _ in there(ask)}
    new = [each for each in found if each.name not in names or fixed.get(each.name) != version(each.version)]
    if other := next((each.name for each in new if each.name in names), ""):
        raise Unresolved(OTHERS, f"it wants another {other} than is there", other)
    # Pip takes no package without a hash once one has any, and says so; uv does.
    if ask.best and hashes and (bare := next((each.name for each in new if each.name not in hashes), "")):
        raise Unresolved(OTHERS, f"its requirements file demands hashes, and none of {bare}", bare)
    yanked = {match["what"]: match["why"] or "" for match in _YANKED.finditer(said)}
    return Answer(tuple(sorted(new, key=lambda each: each.name)), yanked)


def _words(ask: Ask, folder: Path, logins: Logins, metadata: Iterable[Metadata]) -> Iterator[str | Path]:
    # Nothing has to be fetched for a build that does not come to be.
    yield from ("pip", "compile", "--format=pylock.toml", "--no-header", "--no-annotate", "--no-build-isolation")
    yield from ("--color=never", "--no-progress", "--no-python-downloads", "--no-sources")
    yield from (f"--python-version={ask.target.python}", f"--python-platform={ask.target.platform}")
    settings = ["" if ask.index_url else _DEFAULT, *map(_settings, metadata)]
    (folder / "uv.toml").write_text("".join(settings), encoding="utf-8")
    yield "--config-file=uv.toml"
    if ask.index_url:
        yield f"--default-index={_named(ask.index_url, ask, logins)}"
    for url in ask.extra_index_urls:
        yield f"--index={_named(url, ask, logins)}"
    if ask.best:
        yield "--index-strategy=unsafe-best-match"
    if ask.pre:
        yield "--prerelease=allow"
    for name, text in ask.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        # Pip goes on anywhere after a backslash, uv only between options.
        (folder / name).write_text(joined(text) if ask.best else text, encoding="utf-8")
    for name, _ in ask.files[: ask.roots]:
        yield name
    if ask.packages or not ask.roots:
        (folder / "asked.in").write_text("\n".join(ask.packages) + "\n", encoding="utf-8")
        yield "asked.in"


def _settings(known: Metadata) -> str:
    said = {
        "name": known.name,
        "version": known.version,
        "requires-dist": known.requires,
        "provides-extra": known.extras,
        **({"requires-python": known.python} if known.python else {}),
    }
    # What JSON has of texts and lists of them, TOML has as well.
    return "[[dependency-metadata]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in said.items())


def _named(url: str, ask: Ask, logins: Logins) -> str:
    """An index; with a name, under which uv looks for its login, since arguments are seen by everybody."""
    return f"i{_number(url, ask)}={url}" if url in logins.of else url


def _number(url: str, ask: Ask) -> int:
    return (ask.index_url, *ask.extra_index_urls).index(url)


def _logins(logins: Logins, ask: Ask, folder: Path) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for url, (user, password) in logins.of.items():
        if url in (ask.index_url, *ask.extra_index_urls):
            name = f"UV_INDEX_I{_number(url, ask)}"
            found |= {f"{name}_USERNAME": user, f"{name}_PASSWORD": password}
    if logins.netrc:
        path = folder / "netrc"
        path.touch(0o600)
        path.write_text(logins.netrc, encoding="utf-8")
        found["NETRC"] = str(path)
    return found


def _preferred(name: str, version: str) -> str:
    """A package of a pylock.toml (PEP 751), of which only the version is looked at."""
    file = f'{{ url = "https://pypi.invalid/{name}-{version}-py3-none-any.whl", hashes = {{ sha256 = "{"0" * 64}" }} }}'
    return f'[[packages]]\nname = "{name}"\nversion = "{version}"\nwheels = [{file}]\n'


def there(ask: Ask) -> Iterator[tuple[str, str]]:
    for each in ask.there:
        name, _, version = each.partition("==")
        yield name, version


def version(text: str) -> Version | None:
    """None for what is none (PEP 440): what Debian builds may have such."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except InvalidVersion:
        return None


def environment(ca: Path | None) -> dict[str, str | None]:
    """That of uv: without what its user may have set for it, but how it reaches the network."""
    # Away, and not set to nothing, which uv refuses for many.
    unset: dict[str, str | None] = dict.fromkeys(filter(_UNSET.fullmatch, os.environ))
    return unset | ({"SSL_CERT_FILE": str(ca)} if ca is not None else {})


def distribution(package: Mapping[str, Any], target: Target, hashes: Mapping[str, set[str]]) -> Distribution:
    """What an installer takes of a package in a pylock.toml; ``hashes`` are demanded, by name.

    Raises:
        Unresolved: there is nothing that fits.
        ValueError, KeyError, TypeError, AttributeError: it is no such package.
    """
    name, version, source = package["name"], package["version"], package.get("sdist")
    wheels = [_file(each) for each in package.get("wheels", ())]
    # What uv takes for a wheel that fits is one, even if packaging does not know its tags.
    wheels = [each for each in wheels if fits(each, target)] or ([] if source else wheels)
    sources = [each for each in ([_file(source)] if source else []) if each.name.endswith((".tar.gz", ".zip"))]
    if not wheels and not sources:
        raise Unresolved(NO_WHEEL, f"{name} has no wheel that fits", name)
    if any("@" in urlsplit(file.url).netloc for file in (*wheels, *sources)):
        raise Unresolved(NO_WHEEL, f"its index has {name} behind a login of the file's own", name)
    wanted = hashes.get(name)
    wheels, sources = ([e for e in files if not wanted or e.sha256 in wanted] for files in (wheels, sources))
    if not wheels and not sources:
        said = f"no file of {name} {version} has a hash that is demanded of it"
        raise Unresolved(OTHER_BYTES, said, name)
    return Distribution(name=name, version=version, files=(best(wheels, target) if wheels else sources[0],))


def _file(said: Mapping[str, Any]) -> DistributionFile:
    return DistributionFile(url=said["url"], sha256=said["hashes"]["sha256"], size=said.get("size", 0))


def best(files: Sequence[DistributionFile], target: Target) -> DistributionFile:
    """The one that an installer takes: of the most particular tags, and of the highest build (PEP 425)."""
    from packaging.utils import parse_wheel_filename

    rank = _rank(target)

    def key(file: DistributionFile) -> tuple[int, Any, str]:
        _, _, build, its = parse_wheel_filename(file.name)
        return -min((rank[tag] for tag in its if tag in rank), default=len(rank)), build, file.name

    return max(files, key=key)


def fits(wheel: DistributionFile, target: Target) -> bool:
    """Whether a wheel can be installed there."""
    from packaging.utils import parse_wheel_filename

    _, _, _, its = parse_wheel_filename(wheel.name)
    return not its.isdisjoint(_rank(target))


@lru_cache
def _rank(target: Target) -> dict[Tag, int]:
    from packaging.tags import compatible_tags, cpython_tags

    version = tuple(map(int, target.python.split(".")[:2]))
    platforms = list(_platforms(target.platform))
    own = f"cp{''.join(map(str, version))}"
    tags = [*cpython_tags(version, platforms=platforms), *compatible_tags(version, own, platforms)]
    return {tag: number for number, tag in reversed(list(enumerate(tags)))}


def _platforms(platform: str) -> Iterator[str]:
    """The names of a platform's wheels, the most particular first (PEP 600)."""
    machine, _, glibc = platform.partition("-manylinux_2_")
    older = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
    for minor in range(int(glibc), 4, -1):
        yield f"manylinux_2_{minor}_{machine}"
        if minor in older:
            yield f"{older[minor]}_{machine}"
    yield f"linux_{machine}"


def demanded_hashes(texts: Iterator[str]) -> dict[str, set[str]]:
    """The SHA-256 that requirements files demand, by normalized name."""
    found: dict[str, set[str]] = {}
    for text in texts:
        for _, line in statements(text):
            name = NAME.match(line)
            hashes = {match["digest"] for match in _HASH.finditer(line) if match["algorithm"] == "sha256"}
            if name and hashes:
                found.setdefault(normalized(name["name"]), set()).update(hashes)
    return found


def normalized(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def _unresolved(said: str, code: int) -> Unresolved:
    if missing := _NO_WHEEL.search(said):
        return Unresolved(NO_WHEEL, f"{missing['name']} has no wheel that fits", missing["name"])
    if build := _TO_BUILD.search(said):
        told = f"what {build['name']} {build['version']} requires is known once it is built"
        return Unresolved(TO_BUILD, told, build["name"], build["version"])
    told = _plain(said) or f"uv ended with exit code {code}"
    if "Failed to fetch" in said or "error sending request" in said:
        silent = _NOT_SENT.search(said)
        return Unresolved(NO_INDEX, told, silent["url"] if silent else "")
    return Unresolved(NO_SET if "No solution found" in said else WRONG, told)


def _plain(said: str) -> str:
    """uv's explanation without its own labels and what it only warns of."""
    lines = [line for line in said.splitlines() if not line.startswith(("warning:", "Resolved ", "Using "))]
    lines = [re.sub(r"^(error|\s+cause|hint): ", "", line) for line in lines]
    return "\n".join(line.rstrip() for line in lines if line.strip())
