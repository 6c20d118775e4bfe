"""What the secrets of a build are, when it is carried out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from imagebuilder.compiler import Plan
from imagebuilder.diagnostics import CompileError, Diagnostic, Invalid
from imagebuilder.engine.protocol import SecretValue
from imagebuilder.ir import checks


def secret_values(plan: Plan, given: Mapping[str, str | Path], ca_bundle: Path | None) -> dict[str, SecretValue]:
    """The values of the plan's secrets, and the CA bundle where there is one.

    Raises:
        CompileError: one has no value, or its file does not exist.
    """
    found: dict[str, SecretValue] = {}
    missing = []
    for name, value in given.items():
        try:
            checks.identifier(name)
            if not isinstance(value, str | Path):
                raise Invalid("IB100", f"the secret {name!r} is neither a text nor the Path of a file", "give a str")
            if isinstance(value, str) and "\0" in value:
                raise Invalid(
                    "IB101", f"a NUL character in the secret {name!r}", "no variable can hold one; use a file"
                )
        except Invalid as error:
            raise CompileError(error.at(None)) from None
    for name, place in plan.secrets.items():
        known = {**os.environ, **given}.get(name)
        if known is None:
            help = f"set the environment variable {name}, or give --secret id={name},src=FILE"
            missing.append(Diagnostic("IB150", f"the build secret {name!r} has no value", place, help=help))
        else:
            found[name] = _value(known)
    for name, value in given.items():
        if isinstance(value, Path) and not value.is_file():
            help = f"--secret id={name},src=FILE starts at the current folder"
            missing.append(
                Diagnostic("IB151", f"the file of the secret {name!r} does not exist: {str(value)!r}", help=help)
            )
        found.setdefault(name, _value(value))
    if missing:
        raise CompileError(missing)
    return found | ca_secrets(ca_bundle)


def ca_secrets(ca_bundle: Path | None) -> dict[str, SecretValue]:
    """The CA bundle as every build has it: that one, or that of ``SSL_CERT_FILE``; nothing where there is none.

    Raises:
        CompileError: it does not exist.
    """
    from imagebuilder.backends.dockerfile import ca

    bundle = ca_bundle or (Path(path) if (path := os.environ.get("SSL_CERT_FILE")) else None)
    if bundle is not None:
        if not bundle.is_file():
            raise CompileError(
                Diagnostic(
                    "IB152",
                    f"the CA bundle does not exist: {str(bundle)!r}",
                    help="it comes from --ca or SSL_CERT_FILE",
                )
            )
        return {
            ca.SECRET: SecretValue(file=bundle.absolute(), hidden=False),
            ca.PATH_SECRET: SecretValue(ca.PATH, hidden=False),
        }
    return {}


def _value(given: str | Path) -> SecretValue:
    return SecretValue(file=given) if isinstance(given, Path) else SecretValue(given)
