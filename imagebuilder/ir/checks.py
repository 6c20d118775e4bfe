"""What a value must be like before an operation takes it.

Each check returns the value or raises :class:`Invalid`. They live below the
front ends so that every one of them refuses the same things in the same words.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from imagebuilder.diagnostics import Invalid, did_you_mean
from imagebuilder.ir.words import Expansion, Word

# The Debian release of the official slim image that debian_slim() takes for each series of Python.
DEBIAN_OF_PYTHON = {
    "3.9": "bookworm",
    "3.10": "bookworm",
    "3.11": "bookworm",
    "3.12": "bookworm",
    "3.13": "trixie",
    "3.14": "trixie",
    "3.15": "trixie",
}
DEFAULT_PYTHON = "3.13"

# BuildKit takes these build arguments without an ARG and keeps them out of its cache keys; so does the key.
PROXIES = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)

# A build argument travels on buildx's command line; Linux refuses longer words (MAX_ARG_STRLEN).
MAX_TEXT = 100_000
_MAX_PATH = 4095
_MAX_NAME = 255


def text(value: str) -> str:
    """Text that can reach a container: valid Unicode, without NUL, not beyond the kernel's bound."""
    if "\0" in value:
        raise Invalid("IB101", f"a NUL character in {_short(value)}", "no argument, variable or file name can hold one")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise Invalid(
            "IB101",
            f"not valid Unicode: {_short(value)}",
            "a lone surrogate has no UTF-8 form; decode the value first",
        ) from error
    if size > MAX_TEXT:
        raise Invalid(
            "IB102",
            f"a value of {size:,} bytes; {MAX_TEXT:,} is the most",
            "put it into a file: add_text or add_local_file",
        )
    return value


def word(value: Word) -> Word:
    if isinstance(value, Expansion):
        return value
    return text(value)


def nonempty(what: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not value.strip():
            raise Invalid("IB103", f"an empty {what}", f"leave it out, or give a {what}")
        return text(value)

    return check


def package(value: str) -> str:
    """One package as a package manager takes it; an option in its place is refused."""
    value = value.strip()
    if not value:
        raise Invalid("IB105", "an empty package name", "leave it out; a list with nothing to install is fine")
    if value.startswith("-"):
        hint = "options have parameters of their own, such as index_url=, pre= or extra_options="
        if re.match(r"(-r|--requirement)\b", value):
            hint = "pip_install_from_requirements takes the file"
        raise Invalid("IB106", f"a package that starts with '-': {_short(value)}", hint)
    if any(c in value for c in "\n\r"):
        raise Invalid("IB105", f"a line break in a package name: {_short(value)}", "give one package per argument")
    refuse_credentials(value)
    return text(value)


def apt_package(value: str) -> str:
    value = package(value)
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.\-]*(:[a-z0-9]+)?([=/][A-Za-z0-9.+:~\-]+)?", value):
        raise Invalid(
            "IB105", f"not a Debian package name: {_short(value)}", "NAME, NAME=VERSION or NAME:ARCH, in lower case"
        )
    return value


_CREDENTIAL = re.compile(r"://[^/\s@]*@")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*\Z")
_HARMLESS_USER = re.compile(r"(?<![A-Za-z0-9])(git\+)?ssh://[^/\s:@]+@$")


def refuse_credentials(value: str) -> str:
    """Refuse ``scheme://user:password@host``: it would end up in the image's history and in the key."""
    for found in _CREDENTIAL.finditer(value):
        # Looked for backwards: a search for what may begin a scheme would try each letter of a long text.
        scheme = _SCHEME.search(value[max(0, found.start() - 64) : found.start()])
        if scheme and not _HARMLESS_USER.search(scheme[0] + found[0]):
            shown = f"{scheme[0]}://…@"
            raise Invalid(
                "IB107",
                f"a credential inside a URL: {shown}",
                "pass it as a build secret: secrets=['NAME'] with the URL in the environment variable NAME"
                " (pip reads PIP_INDEX_URL, uv reads UV_INDEX_URL)",
            )
    return value


def url(value: str) -> str:
    refuse_credentials(text(value))
    if any(c.isspace() for c in value):
        raise Invalid("IB108", f"not a URL: {_short(value)}", "blanks are written %20")
    try:
        scheme = urlsplit(value).scheme
    except ValueError as error:
        raise Invalid("IB108", f"not a URL: {_short(value)}", str(error)) from None
    if scheme == "" and not value.startswith("git@"):
        raise Invalid("IB108", f"not a URL: {_short(value)}", "it starts with https://, for example")
    return value


def download_url(value: str) -> str:
    """What the builder fetches as a file."""
    if not url(value).lower().startswith(("http://", "https://")):
        raise Invalid(
            "IB108", f"not a URL that a builder fetches: {_short(value)}", "it starts with https:// or http://"
        )
    return value


def module(value: str) -> str:
    """A module or package of Python, by its dotted name."""
    if not all(part.isidentifier() for part in value.split(".")):
        raise Invalid("IB112", f"not the name of a Python module: {_short(value)}", "such as app or app.settings")
    return value


def git_url(value: str) -> str:
    """A repository's URL; what a fragment would say has an argument of its own."""
    if "#" in url(value) or "?" in value:
        raise Invalid("IB108", f"more than a repository's URL: {_short(value)}", "a branch, tag or commit goes to ref=")
    return value


def index_url(value: str) -> str:
    """A URL or, for --find-links, a folder in the image."""
    if value.startswith("-"):
        raise Invalid("IB106", f"an index that starts with '-': {_short(value)}", "give a URL")
    return refuse_credentials(nonempty("index URL")(value))


def absolute(value: str) -> str:
    """A destination in the image."""
    nonempty("destination")(value)
    if not value.startswith("/"):
        whole = posixpath.normpath(value)
        example = "/app" if whole == "." or whole.startswith("..") else f"/{whole}"
        raise Invalid(
            "IB109", f"a relative destination: {_short(value)}", f"give the whole path, such as {_short(example)}"
        )
    if ".." in value.split("/"):
        raise Invalid("IB110", f"a destination with '..': {_short(value)}", "write the path that it stands for")
    if len(value.encode()) > _MAX_PATH or any(len(name.encode()) > _MAX_NAME for name in value.split("/")):
        raise Invalid(
            "IB132",
            f"a path beyond what Linux takes: {_short(value)}",
            f"{_MAX_PATH:,} bytes in all, {_MAX_NAME} between two slashes",
        )
    return value


def file(value: str) -> str:
    """The destination of one file that has no other name."""
    if absolute(value).endswith("/"):
        raise Invalid("IB133", f"a folder in place of a file: {_short(value)}", "add the file's name")
    return value


def local(value: str) -> str:
    """A path on this machine, with forward slashes."""
    return nonempty("local path")(value)


def env_name(value: str) -> str:
    if not re.fullmatch(r"[^=\s\0\"'\\$]+", text(value)):
        raise Invalid(
            "IB111", f"not a variable name: {_short(value)}", "letters, digits and '_', without '=' or blanks"
        )
    return value


def identifier(value: str) -> str:
    """A name that becomes part of a flag: a secret's or an argument's."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.\-]*", value):
        raise Invalid(
            "IB112",
            f"not a valid name: {_short(value)}",
            "letters, digits, '_', '-' and '.', starting with a letter",
        )
    return value


_REFERENCE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


def image_reference(value: str) -> str:
    """``[host[:port]/]path[:tag][@digest]``, the grammar of the distribution project."""
    if not _REFERENCE.fullmatch(value):
        hint = "names are in lower case" if value != value.lower() else "such as python:3.12-slim-bookworm"
        if (rest := re.sub(r"(?i)^https?://", "", value)) != value and _REFERENCE.fullmatch(rest):
            hint = f"write {rest}, without http: how a registry is reached is the engine's to know"
        raise Invalid("IB113", f"not an image reference: {_short(value)}", hint)
    return value


_SNAPSHOT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")


def snapshot_name(value: str) -> str:
    """``name`` or ``name:tag``, as an image may be called.

    Without ``:latest``, which no tag stands for: both are one image and one snapshot.
    """
    repository, colon, tag = value.partition(":")
    if len(repository) > 200 or not _SNAPSHOT.fullmatch(repository) or (colon and not _TAG.fullmatch(tag)):
        raise Invalid(
            "IB701",
            f"not a snapshot name: {value!r}",
            "lower-case letters and digits parted by '.', '_', '-' or '/', then perhaps ':tag'",
        )
    return value.removesuffix(":latest")


def platform(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?", value):
        raise Invalid("IB114", f"not a platform: {_short(value)}", "such as linux/amd64 or linux/arm64")
    return value


def port(value: Any) -> str:
    found = str(value)
    match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?", found)
    ends = [int(n) for n in match.groups()[:2] if n] if match else []
    if not ends or ends != sorted(ends) or not all(0 < n < 65536 for n in ends):
        raise Invalid(
            "IB115",
            f"not a port: {_short(found)}",
            "1 to 65535, a range such as 8000-8010, with /tcp, /udp or /sctp",
        )
    return found


_SIGNALS = (
    "HUP",
    "INT",
    "QUIT",
    "ILL",
    "TRAP",
    "ABRT",
    "BUS",
    "FPE",
    "KILL",
    "USR1",
    "SEGV",
    "USR2",
    "PIPE",
    "ALRM",
    "TERM",
    "STKFLT",
    "CHLD",
    "CONT",
    "STOP",
    "TSTP",
    "TTIN",
    "TTOU",
    "URG",
    "XCPU",
    "XFSZ",
    "VTALRM",
    "PROF",
    "WINCH",
    "IO",
    "POLL",
    "PWR",
    "SYS",
)


def signal(value: str) -> str:
    name = value.upper().removeprefix("SIG")
    if name in _SIGNALS:
        return "SIG" + name
    if re.fullmatch(r"[1-9]|[1-5][0-9]|6[0-4]", value) or re.fullmatch(
        r"RT(MIN(\+[12]?[0-9])?|MAX(-[12]?[0-9])?)", name
    ):
        return value
    raise Invalid("IB116", f"not a signal: {_short(value)}", did_you_mean(name, _SIGNALS) or "such as SIGTERM or 15")


def duration(value: str) -> str:
    """A duration as Go writes it: ``1m30s``, ``500ms``."""
    if not re.fullmatch(r"([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+|0", value):
        raise Invalid(
            "IB117", f"not a duration: {_short(value)}", "a number with its unit, such as 30s, 500ms or 1m30s"
        )
    return value


def git_ref(value: str) -> str:
    """A branch, tag or commit, by the rules of git-check-ref-format; BuildKit takes what follows a ':' for a folder."""
    odd = value.startswith(("-", "/")) or value.endswith(("/", ".", ".lock"))
    odd = odd or any(part in value for part in ("..", "//", "@{"))
    if odd or not re.fullmatch(r"[^\x00-\x20\x7f~^:?*\[\\]+", value):
        raise Invalid(
            "IB134", f"not a branch, tag or commit: {_short(value)}", "such as main, v1.2 or a commit's digits"
        )
    return text(value)


def debian(value: str) -> str:
    if not re.fullmatch(r"[a-z]{0,32}", value):
        raise Invalid("IB135", f"not a release of Debian: {_short(value)}", "such as 'bookworm' or 'trixie'")
    return value


def checksum(value: str) -> str:
    if not re.fullmatch(r"sha256:[0-9a-f]{64}|[0-9a-f]{40}", value):
        raise Invalid("IB118", f"not a checksum: {_short(value)}", "sha256: and 64 hexadecimal digits")
    return value


def chmod(value: str) -> str:
    if not re.fullmatch(r"[0-7]{3,4}", value):
        raise Invalid("IB119", f"not a file mode: {_short(value)}", "octal digits, such as 0755")
    return value


def owner(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*(:[A-Za-z0-9_][A-Za-z0-9_.\-]*)?", value):
        raise Invalid("IB120", f"not an owner: {_short(value)}", "USER, USER:GROUP or their numbers")
    return value


def command(value: str) -> str:
    """One shell command of several that share a script; the line ends around it have no meaning.

    A script with an interpreter of its own (``#!``) stays as it is.
    """
    if not value.strip():
        raise Invalid("IB121", "an empty command", "leave it out")
    ending = value.rstrip("\n")
    if (len(ending) - len(ending.rstrip("\\"))) % 2:
        raise Invalid(
            "IB122",
            f"a command that ends in a backslash: {_short(value)}",
            "it would swallow the command after it",
        )
    if "\r" in value:
        raise Invalid("IB123", f"a carriage return in a command: {_short(value)}", "use \\n line ends")
    return text(value if value.startswith("#!") else value.strip("\n"))


def python_version(value: str) -> str:
    match = re.fullmatch(r"(3\.[0-9]{1,2})(\.[0-9]{1,2})?", value)
    if not match:
        raise Invalid(
            "IB124",
            f"not a Python version: {_short(value)}",
            "a series such as '3.12', or a release such as '3.12.4'",
        )
    if match[1] not in DEBIAN_OF_PYTHON:
        raise Invalid(
            "IB124",
            f"no image is known for Python {value}",
            f"known: {', '.join(DEBIAN_OF_PYTHON)}; `base` takes any image",
        )
    return value


def _as_tuple(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, dict) else value


def _pairs(value: Any) -> Any:
    """A mapping as pairs sorted by name: the order of a dictionary has no meaning."""
    return tuple(sorted(value.items(), key=lambda pair: str(pair[0]))) if isinstance(value, dict) else value


Text = Annotated[str, AfterValidator(text)]
TextWord = Annotated[Word, AfterValidator(word)]
Package = Annotated[str, AfterValidator(package)]
AptPackage = Annotated[str, AfterValidator(apt_package)]
IndexUrl = Annotated[str, AfterValidator(index_url)]
Absolute = Annotated[str, AfterValidator(absolute)]
File = Annotated[str, AfterValidator(file)]
Local = Annotated[str, AfterValidator(local)]
EnvName = Annotated[str, AfterValidator(env_name)]
Identifier = Annotated[str, AfterValidator(identifier)]
Reference = Annotated[str, AfterValidator(image_reference)]
Duration = Annotated[str, AfterValidator(duration)]
Checksum = Annotated[str, AfterValidator(checksum)]
Mode = Annotated[str, AfterValidator(chmod)]
Owner = Annotated[str, AfterValidator(owner)]
Command = Annotated[str, AfterValidator(command)]
PythonVersion = Annotated[str, AfterValidator(python_version)]
Pairs = BeforeValidator(_pairs)
Many = BeforeValidator(_as_tuple)
Unordered = AfterValidator(lambda values: tuple(sorted(set(values))))


def _short(value: str) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "…'"
