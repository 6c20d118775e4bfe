"""The forms of tokens that their issuers made to be recognised."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A sample such as ghp_xxxxxxxx ends in hardly any different characters; a token that was drawn does not.
_TAIL = 20
_FEWEST_CHARACTERS = 7

_KINDS: tuple[tuple[str, str], ...] = (
    ("an AWS access key", r"(?:AKIA|ASIA)[A-Z2-7]{16}"),
    ("a GitHub token", r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    ("a GitLab token", r"gl(?:pat|ptt|dt|rt|cbt|oas|soat)-[A-Za-z0-9_-]{20,}"),
    ("a Slack token", r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{20,}"),
    ("a Slack webhook", r"https://hooks\.slack\.com/services/T[A-Za-z0-9]+/B[A-Za-z0-9]+/[A-Za-z0-9]{20,}"),
    ("a PyPI token", r"pypi-AgE[A-Za-z0-9_-]{50,}"),
    ("an npm token", r"npm_[A-Za-z0-9]{36}"),
    ("a Docker token", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}"),
    ("a Google API key", r"AIza[A-Za-z0-9_-]{35}"),
    ("a Stripe key", r"[sr]k_live_[A-Za-z0-9]{24,}"),
    ("an Anthropic key", r"sk-ant-[A-Za-z0-9_-]{32,}"),
    ("an OpenAI key", r"sk-(?:[a-z]+-)?[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}"),
    ("a Hugging Face token", r"hf_[A-Za-z0-9]{34}"),
    ("a SendGrid key", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    ("a DigitalOcean token", r"do[opr]_v1_[a-f0-9]{64}"),
    ("a JSON web token", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
)
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_-])(?:" + "|".join(f"(?P<k{n}>{form})" for n, (_, form) in enumerate(_KINDS)) + r")(?![A-Za-z0-9])"
)
# Its first lines say what it is; a line end may be written \n. A command that only looks for the header has no body.
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr])+(?:[A-Za-z-]+: [^\n]{1,80}\n\s*){0,4}"
    r"[A-Za-z0-9+/=]{30,}"
)


def tokens(text: str) -> Iterator[tuple[str, str]]:
    """Every token in the text: what it is, and the token."""
    for found in _TOKEN.finditer(text):
        token = found[0]
        if len(set(token[-_TAIL:])) >= _FEWEST_CHARACTERS and "EXAMPLE" not in token.upper():
            yield _KINDS[int((found.lastgroup or "k0")[1:])][0], token
    end = 0
    for found in _PRIVATE_KEY.finditer(text):
        # One without an end has all that follows, further keys too.
        if found.start() >= end:
            key = _to_the_end(text, found.start())
            end = found.start() + len(key)
            yield "a private key", key


def _to_the_end(text: str, start: int) -> str:
    end = text.find("-----END ", start)
    return text[start:] if end < 0 else text[start:end]
