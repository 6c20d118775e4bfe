"""The bill of materials: what SPDX 2.3 demands, and package URLs that scanners know."""

from __future__ import annotations

from imagebuilder.engine.contents import Contents
from imagebuilder.publishing.sbom import sbom

DIGEST = "sha256:" + "ab" * 32
CREATED = "2026-01-02T03:04:05Z"
CONTENTS = Contents(
    {},
    {
        "apk": {"musl": "1.2.5-r0"},
        "apt": {"libstdc++6": "14.2.0-19", "perl": "1:5.40+x~1"},
        "npm": {"@types/node": "20.1.0, 22.0.1"},
        "pip": {"rich": "15.0.0"},
    },
    0,
    "ubuntu",
)


def test_package_urls() -> None:
    found = sbom(CONTENTS, "ghcr.io/team/app", DIGEST, CREATED)
    locators = [each["referenceLocator"] for package in found["packages"][1:] for each in package["externalRefs"]]
    assert locators == [
        "pkg:apk/ubuntu/musl@1.2.5-r0",
        "pkg:deb/ubuntu/libstdc%2B%2B6@14.2.0-19",
        "pkg:deb/ubuntu/perl@1%3A5.40%2Bx~1",
        "pkg:npm/%40types/node@20.1.0",
        "pkg:npm/%40types/node@22.0.1",
        "pkg:pypi/rich@15.0.0",
    ]
    assert "pkg:deb/debian/perl" in str(sbom(Contents({}, CONTENTS.packages, 0), "a", DIGEST, CREATED))


def test_it_is_of_the_image_and_of_nothing_else() -> None:
    found = sbom(CONTENTS, "ghcr.io/team/app", DIGEST, CREATED)
    assert found == sbom(CONTENTS, "ghcr.io/team/app", DIGEST, CREATED), "one image has one"
    assert found["packages"][0]["checksums"] == [{"algorithm": "SHA256", "checksumValue": "ab" * 32}]
    ids = [each["SPDXID"] for each in found["packages"]]
    assert len(set(ids)) == len(ids) == 7
    assert [each["relatedSpdxElement"] for each in found["relationships"]] == ids
