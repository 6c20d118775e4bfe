"""A Dockerfile or an Image, and what the lints say about it."""

from __future__ import annotations

from pathlib import Path

from imagebuilder import Image
from imagebuilder.diagnostics import Diagnostic
from imagebuilder.frontends.dockerfile import load, warnings
from imagebuilder.lint import Level, lint

# Made here, so that no scanner takes this file for one that holds a secret.
DRAWN = "aB3dE5fG7hJ9kL1mN0pQ2rS4tU6vW8xY" + "zA1bC2dE3fG4hJ5kL6mN7pQ8rS9tUvWx" * 2
TOKENS = {
    "an AWS access key": "AKIA" + "Q3EGJ5KX7WLM2NPZ",
    "a GitHub token": "ghp_" + DRAWN[:36],
    "a GitLab token": "glpat-" + DRAWN[:20],
    "a Slack token": "xoxb-" + "123456789012-" + DRAWN[:24],
    "a Slack webhook": "https://hooks.slack.com/services/" + "T0AB1CD2E/B3FG4HI5J/" + DRAWN[:24],
    "a PyPI token": "pypi-" + "AgEIcHlwaS5vcmc" + DRAWN[:60],
    "an npm token": "npm_" + DRAWN[:36],
    "a Docker token": "dckr_pat_" + DRAWN[:27],
    "a Google API key": "AIza" + DRAWN[:35],
    "a Stripe key": "sk_live_" + DRAWN[:24],
    "an Anthropic key": "sk-ant-" + "api03-" + DRAWN[:60],
    "an OpenAI key": "sk-proj-" + DRAWN[:24] + "T3BlbkFJ" + DRAWN[:24],
    "a Hugging Face token": "hf_" + DRAWN[:34],
    "a SendGrid key": "SG." + DRAWN[:22] + "." + DRAWN[:43],
    "a DigitalOcean token": "dop_v1_" + "0123456789abcdef" * 4,
    "a JSON web token": ".".join(("eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0NSJ9", DRAWN[:43])),
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----\n" + DRAWN[:64] + "\n" + DRAWN[:40] + "==\n-----END RSA PRIVATE KEY-----\n",
}  # fmt: skip


def dockerfile(folder: Path, text: str) -> Path:
    path = folder / "Dockerfile"
    path.write_text(text)
    return path


def found(what: Image | Path, level: Level = "default") -> list[Diagnostic]:
    """The warnings about an Image, or about a Dockerfile with those that only its text shows."""
    if isinstance(what, Image):
        return lint(what.stage, level=level)
    return lint(load(what), level=level, more=warnings(what, strict=level == "strict"))


def codes(what: Image | Path, level: Level = "default") -> list[str]:
    return [each.code for each in found(what, level)]


def only(what: Image | Path, code: str, level: Level = "default") -> list[Diagnostic]:
    return [each for each in found(what, level) if each.code == code]
