"""What a builder recorded leaves this machine without what is this machine's."""

from __future__ import annotations

import json
from pathlib import Path

from imagebuilder.publishing.provenance import keep, kept, predicate_type

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
