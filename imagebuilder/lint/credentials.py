"""Names that ask for a secret, and the values under them that are none."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebuilder.lint.tokens import tokens

_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|SECRET_KEY|SECRET_KEY_BASE|TOKEN|API_?KEY|ACCESS_KEY"
    r"|PRIVATE_KEY|ENCRYPTION_KEY|SIGNING_KEY|CLIENT_SECRET|CREDENTIALS?)$"
    r"|^(?:PG|DB|MYSQL|POSTGRES|MARIADB|MONGO|REDIS)_?(?:PASS|PASSWORD|PWD)$"
)
# What language models and parsers call a token.
_OTHER_TOKEN = re.compile(r"(?:^|_)(?:BOS|EOS|PAD|UNK|SEP|CLS|MASK|START|STOP|END|MAX|MIN|SPECIAL|NUM)_TOKEN$")
_PLACEHOLDER = re.compile(
    r"change.?(?:me|it|this)|example|sample|dummy|fake|mock|placeholder|replace|redacted|insert|your|todo|fixme|x{3,}"
    r"|\*{3,}|not.?(?:set|used|needed|real|a.?secret)|unused|ignored?|insecure|build.?(?:time|only)",
    re.IGNORECASE,
)
_NOTHING = frozenset(
    ("true", "false", "yes", "none", "null", "undefined", "unset", "empty", "default", "auto", "disabled", "enabled",
     "optional", "required", "build", "development", "local", "test", "testing", "tests", "temp", "collectstatic",
     "something", "somevalue")
)  # fmt: skip
_REFERENCE = re.compile(
    r"[./~].*"  # a path
    r"|[A-Za-z]:[\\/].*"
    r"|[a-z][a-z0-9+.\-]*:.*"  # a URL, or a scheme such as vault: and op:
    r"|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+"  # the name of a variable
    r"|[a-z]+(?:[-.][a-z]+)*[-_.](?:secret|secrets|credentials|creds|token|key|password|tls)"  # the name of a secret
    r"|[\[({<].*",
    re.DOTALL,
)
# Templates and variables of other languages.
_HOLE = re.compile(r"\$[({A-Za-z_]|\{\{|%\(|%[A-Za-z_]+%|<[^>]+>|@[A-Z_]+@|__[A-Z]")
_FEWEST = 4

# In a script a value is taken for one only when it looks drawn: dummies are common there.
_DRAWN = 12
_QUOTED = r"""(?:"[^"\n]{0,500}"|'[^'\n]{0,500}'|[^\s;&|()"'`]{1,500})"""
_IN_SCRIPT = re.compile(
    rf"""(?:^|[\s;&|("'])(?P<name>[A-Za-z_]\w{{2,60}})=(?P<value>{_QUOTED})"""
    rf"""|(?:^|\s)--(?P<option>[a-z-]{{0,40}}(?:password|token|api-?key|secret))[= ](?P<given>{_QUOTED})"""
    r"""|\bAuthorization:\s{0,9}(?:Bearer|Basic|token)\s{1,9}(?P<header>[A-Za-z0-9._~+/=-]{12,500})""",
    re.MULTILINE,
)

_IN_URL = re.compile(
    r"[a-z][a-z0-9+.\-]{1,20}://[^\s/:@'\"]{0,100}:(?P<password>[^\s/:@'\"]{4,300})@(?P<host>[a-z0-9.\-]+)"
)
_SAMPLE_PASSWORDS = frozenset(("password", "passwd", "pass", "secret", "postgres", "root", "admin", "user", "guest"))


def in_urls(text: str) -> Iterator[str]:
    """The passwords in URLs of hosts that are not of the build itself, such as ``localhost`` or ``db``."""
    for found in _IN_URL.finditer(text):
        host, password = found["host"], found["password"]
        sample = password.lower() in _SAMPLE_PASSWORDS or "example" in host or "$" in password
        if "." in host.strip(".") and not host.startswith("127.") and not sample and is_value(password):
            yield password


def asks_for_secret(name: str) -> bool:
    """Whether the name is a secret's: ``DB_PASSWORD``, ``apiKey``, ``com.example.token``; not ``TOKEN_URL``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    upper = re.sub(r"[^A-Za-z0-9]+", "_", words).upper()
    return bool(_NAME.search(upper)) and not _OTHER_TOKEN.search(upper)


def is_value(value: str) -> bool:
    """Whether it may be a secret itself, and not a switch, a number, a path, a reference or a placeholder."""
    text = value.strip()
    if len(text) < _FEWEST or text.isdecimal() or text.lower() in _NOTHING:
        return False
    return not (_PLACEHOLDER.search(text) or _REFERENCE.fullmatch(text) or _HOLE.search(text))


def in_script(text: str) -> Iterator[tuple[str, str]]:
    """Names and values of assignments, options and headers that hold what looks drawn."""
    for found in _IN_SCRIPT.finditer(text):
        name = found["name"] or found["option"] or "Authorization"
        value = (found["value"] or found["given"] or found["header"]).strip("'\"")
        drawn = len(value) >= _DRAWN and any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
        if drawn and "$" not in value and (found["header"] or asks_for_secret(name)) and is_value(value):
            yield name, value


def redacted(text: str) -> str:
    """The text without what looks like a secret in it, to be quoted or cut."""
    found = {token for _, token in tokens(text)} | {value for _, value in in_script(text)} | set(in_urls(text))
    for value in sorted(found, key=len, reverse=True):
        text = text.replace(value, "***")
    return text
