"""``snapshot diff``, over images in memory."""

from __future__ import annotations

import json

from tests.unit.archives import archive, dpkg
from tests.unit.cli.conftest import Machine, Run


def images(machine: Machine, **archives: bytes) -> None:
    assert machine.engine
    for name, files in archives.items():
        machine.engine.images[f"{name}:1"] = f"sha256:{name}"
        machine.engine.containers.archives[f"{name}:1"] = files


def test_images_that_the_engine_has(cli: Run, machine: Machine) -> None:
    status = "var/lib/dpkg/status"
    a = {"etc/": None, "etc/x": b"1", "etc/l": "x", "gone/": None, "gone/f": b"1", status: dpkg(curl="1", old="1")}
    b = {"etc/": None, "etc/x": b"222", "etc/l": "y", "\x1b[2J\n\udcff": b"", status: dpkg(curl="2", old="1")}
    images(machine, a=archive(a), b=archive(b))
    done = cli("snapshot", "diff", "a:1", "b:1")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "apt    1 changed\n"
        "  ~ curl 1 → 2\n"
        "files  1 added, 2 removed, 3 changed\n"
        "  + /␛[2J␊\\xff\n"
        "    /etc/\n"
        "    ~ l  x → y\n"
        "    ~ x  1 B → 3 B, content\n"
        "  - /gone/  1 file, 1 B\n"
        "  ~ /var/lib/dpkg/status  content\n"
        "size   110 B → 111 B (+1 B)\n"
    )
    found = json.loads(cli("snapshot", "diff", "a:1", "b:1", "--json").out)
    assert found["packages"] == {
        "apt": {"added": [], "removed": [], "changed": [{"name": "curl", "from": "1", "to": "2"}]}
    }
    assert [each["path"] for each in found["files"]["removed"]] == ["/gone", "/gone/f"]
    assert [each["path"] for each in found["files"]["added"]] == ["/\x1b[2J\n\\xff"]
    assert (found["layers"], found["size"]) == ({"a": [], "b": []}, {"a": 110, "b": 111})
    assert machine.engine and not machine.engine.containers.infos


def test_an_image_does_not_differ_from_itself(cli: Run, machine: Machine) -> None:
    images(machine, a=archive({"x": b"1"}))
    done = cli("snapshot", "diff", "a:1", "a:1")
    assert done.code == 0 and done.out.startswith("no difference in packages and files\nsize   1 B → 1 B\n")


def test_many_files_are_cut(cli: Run, machine: Machine) -> None:
    images(machine, a=archive({}), b=archive({str(n): b"" for n in range(1500)}))
    lines = cli("snapshot", "diff", "a:1", "b:1").out.splitlines()
    assert "  … 1,300 more lines; --json has every file" in lines and len(lines) < 300


def test_what_cannot_be_compared(cli: Run, machine: Machine) -> None:
    images(machine, a=archive({}))
    for wrong in ("nothing", "NOT A NAME", "../x"):
        done = cli("snapshot", "diff", "a:1", wrong, "--json")
        assert (done.code, done.json["error"][0]["code"]) == (2, "IB702")
    assert cli("build", "spec.py:image", "--name", "kept").code == 0
    assert machine.engine
    machine.engine.images.pop("imagebuilder/kept:latest")
    done = cli("snapshot", "diff", "kept", "a:1", "--json")
    assert (done.code, done.json["error"][0]["code"]) == (2, "IB707")


def test_a_snapshot_that_failed_has_no_image(cli: Run, machine: Machine) -> None:
    from imagebuilder.engine.protocol import BuildFailed

    images(machine, a=archive({}))
    assert machine.engine
    machine.engine.fail = BuildFailed("no")
    assert cli("build", "spec.py:image", "--name", "kept").code == 1
    done = cli("snapshot", "diff", "kept", "a:1", "--json")
    assert (done.code, done.json["error"][0]["code"]) == (2, "IB707")
