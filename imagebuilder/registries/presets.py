"""What well-known registries want: their address, what the user is called, and what counts as the password."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from imagebuilder.store import Registry

_GOOGLE_KEY = ("_json_key", "_json_key_base64")


@dataclass(frozen=True, slots=True)
class Preset:
    """``url`` and ``username`` are filled in where they are not given; where they are empty, the person gives them.

    ``hosts`` is a pattern of the addresses that it is for, ``password`` says what that has to be, and ``renew`` how
    to get another.
    """

    title: str
    hosts: str
    password: str
    renew: str
    url: str = ""
    username: str = ""
    example: str = ""


PRESETS: dict[str, Preset] = {
    "dockerhub": Preset(
        "Docker Hub",
        r"docker\.io",
        "a personal access token, not the account's password",
        "make one under Account settings → Personal access tokens",
        url="docker.io",
    ),
    "ghcr": Preset(
        "GitHub Container Registry",
        r"ghcr\.io",
        "a personal access token (classic) with the scope read:packages",
        "make one under Settings → Developer settings → Personal access tokens",
        url="ghcr.io",
    ),
    "gar": Preset(
        "Google Artifact Registry",
        r"(?:[a-z0-9-]+-docker\.pkg\.dev|(?:[a-z]+\.)?gcr\.io)",
        "the JSON key of a service account, all of the file",
        "make one by `gcloud iam service-accounts keys create key.json`, with the role Artifact Registry Reader",
        username="_json_key",
        example="europe-west1-docker.pkg.dev",
    ),
    "ecr": Preset(
        "Amazon ECR",
        r"(?:[0-9]{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?|public\.ecr\.aws)",
        "a token of `aws ecr get-login-password`, which is good for 12 hours",
        "`aws ecr get-login-password | imagebuilder registry add NAME --replace --password-stdin`",
        username="AWS",
        example="123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    ),
}


def of_host(host: str) -> Preset | None:
    """The preset that an address is of, whether or not it was chosen."""
    return next((preset for preset in PRESETS.values() if re.fullmatch(preset.hosts, host)), None)


def unfit(registry: Registry, password: str) -> str:
    """Why that cannot be the registry's password; empty where it may be."""
    if registry.username == _GOOGLE_KEY[0]:
        key = _json(password)
        if not isinstance(key, dict) or "private_key" not in key:
            return "it is not the JSON key of a service account"
    return ""


def expired(password: str) -> datetime | None:
    """When the password ended, where it says so itself: a token of ECR's, or a JSON web token."""
    parts = password.split(".")
    body = _json(_base64(parts[1])) if len(parts) == 3 else _json(_base64(password))
    end = (body.get("exp") if len(parts) == 3 else body.get("expiration")) if isinstance(body, dict) else None
    if not isinstance(end, int | float) or isinstance(end, bool):
        return None
    try:
        found = datetime.fromtimestamp(end, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found <= datetime.now(UTC) else None


def _base64(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        return b""


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
