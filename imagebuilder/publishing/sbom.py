"""An image's bill of materials, as an SPDX 2.3 document: the packages that its files name.

No scanner's image is pulled for it, so that it is there in a closed network, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from imagebuilder.engine.contents import Contents
from imagebuilder.version import __version__

PREDICATE = "https://spdx.dev/Document"
_IMAGE = "SPDXRef-Image"
_UNKNOWN = "NOASSERTION"
# Where packages of the system come from, if nothing says it.
_ELSE = {"apt": "debian", "apk": "alpine"}
_TYPES = {"apt": "deb", "apk": "apk", "pip": "pypi", "npm": "npm"}


def sbom(contents: Contents, name: str, digest: str, created: str) -> dict[str, Any]:
    """The document.

    Args:
        name: what the image is called.
        created: when it was made, in ISO 8601; the document has no time of its own, so that one image has one.
    """
    found = list(_packages(contents))
    image = {
        "SPDXID": _IMAGE,
        "name": name,
        "versionInfo": digest,
        "primaryPackagePurpose": "CONTAINER",
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest.removeprefix("sha256:")}],
        **_UNSAID,
    }
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://spdx.org/spdxdocs/{quote(name, safe='')}-{digest.removeprefix('sha256:')}",
        "creationInfo": {"created": created, "creators": [f"Tool: imagebuilder-{__version__}"]},
        "packages": [image, *found],
        "relationships": [
            _related("SPDXRef-DOCUMENT", "DESCRIBES", _IMAGE),
            *(_related(_IMAGE, "CONTAINS", each["SPDXID"]) for each in found),
        ],
    }


_UNSAID = {
    "downloadLocation": _UNKNOWN,
    "filesAnalyzed": False,
    "licenseConcluded": _UNKNOWN,
    "licenseDeclared": _UNKNOWN,
    "copyrightText": _UNKNOWN,
}


def purl(kind: str, name: str, version: str, distribution: str) -> str:
    """The package URL of a package.

    >>> purl("npm", "@types/node", "20.1.0", "")
    'pkg:npm/%40types/node@20.1.0'
    """
    if kind in _ELSE:
        name = f"{distribution or _ELSE[kind]}/{name}"
    return f"pkg:{_TYPES[kind]}/{quote(name)}@{quote(version)}"


def _packages(contents: Contents) -> Iterator[dict[str, Any]]:
    number = 0
    for kind, packages in contents.packages.items():
        for name, versions in packages.items():
            for version in versions.split(", "):
                number += 1
                said = re.sub(r"[^A-Za-z0-9.-]", "-", name)[:60]
                locator = purl(kind, name, version, contents.distribution)
                yield {
                    # The name alone may be another's as well, or hold what an id cannot.
                    "SPDXID": f"SPDXRef-{kind}-{number}-{said}",
                    "name": name,
                    "versionInfo": version,
                    "externalRefs": [
                        {
                            "referenceCategory": "PACKAGE-MANAGER",
                            "referenceType": "purl",
                            "referenceLocator": locator,
                        }
                    ],
                    **_UNSAID,
                }


def _related(one: str, how: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": how, "relatedSpdxElement": other}
