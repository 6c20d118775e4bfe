"""What a builder recorded leaves this machine without what is this machine's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from imagebuilder import Image
from imagebuilder.compiler import compile
from imagebuilder.ir.packages import Layer, Packed
from imagebuilder.ir.stage import Stage, Step
from imagebuilder.publishing.provenance import completed, keep, kept, predicate_type
from tests.unit.resolve.making import distribution, python

RECORD = {
    "buildType": "https://mobyproject.org/buildkit@v1",
    "invocation": {"parameters": {"args": {"build-arg:A": "1", "build-arg:https_proxy": "http://u:pw@proxy"}}},
    "buildConfig": {"llbDefinition": [{"op": {"exec": {"meta": {"proxy_env": {"http_proxy": "http://u:pw@proxy"}}}}}]},
    "materials": [{"uri": "https://me:pw@host/x"}, {"uri": "git+ssh://git@host/x"}],
    "metadata": {"m": {"sysUsage": [{"memoryStat": {}}], "source": {}}},
}


def test_proxies_logins_and_the_machine_stay_here(tmp_path: Path) -> None:
    keep(RECORD, tmp_path / "p")
    found = kept(tmp_path / "p")
    assert found is not None and "pw" not in json.dumps(found) and "sysUsage" not in json.dumps(found)
    assert found["invocation"]["parameters"]["args"] == {"build-arg:A": "1"}
    assert [each["uri"] for each in found["materials"]] == ["https://host/x", "git+ssh://git@host/x"]
    assert (tmp_path / "p").stat().st_mode & 0o777 == 0o600


def test_nothing_recorded_leaves_nothing(tmp_path: Path) -> None:
    keep(RECORD, tmp_path / "p")
    keep(None, tmp_path / "p")
    assert kept(tmp_path / "p") is None
    (tmp_path / "p").write_text("{")
    assert kept(tmp_path / "p") is None


def test_both_versions_have_their_type() -> None:
    assert predicate_type(RECORD).endswith("/v0.2") and predicate_type({"buildDefinition": {}}).endswith("/v1")


def test_what_the_builder_was_handed_is_among_the_materials() -> None:
    """It knows a base that came with packages by a name of ours alone."""
    packages = tuple(
        Layer(distributions=(distribution(name, version),), python=python())
        for name, version in (("b", "2"), ("a", "1+x"))
    )
    base = Packed(ref="reg.example.org:5000/python:3.13", image=f"sha256:{'b' * 64}", layers=packages)
    plan = compile(Image.scratch(), platform="linux/amd64")
    full = replace(plan, stage=Stage(base, tuple(Step(each) for each in packages)))
    wanted = [
        ("pkg:docker/reg.example.org:5000/python@3.13?platform=linux%2Famd64", "b" * 64),
        ("pkg:pypi/a@1%2Bx", packages[1].distributions[0].files[0].sha256),
        ("pkg:pypi/b@2", packages[0].distributions[0].files[0].sha256),
    ]
    known = {"uri": "pkg:docker/other", "digest": {"sha256": "0"}}
    handed = [known, *({"uri": uri, "digest": {"sha256": digest}} for uri, digest in wanted)]
    assert completed({"materials": [known], "x": 1}, full) == {"materials": handed, "x": 1}
    newer = {"buildDefinition": {"buildType": "t", "resolvedDependencies": [known]}}
    assert completed(newer, full) == {"buildDefinition": {"buildType": "t", "resolvedDependencies": handed}}
    assert completed(None, full) is None
    assert completed({"materials": [known]}, plan) == {"materials": [known]}
