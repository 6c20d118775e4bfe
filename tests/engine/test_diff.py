"""What two images differ in, on a real engine: packages, files, sizes by line, and nothing that is left."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imagebuilder import Client, Image
from imagebuilder.engine.containers import TRIAL
from tests.conftest import Cli

DPKG = "printf '\\nPackage: %s\\nStatus: install ok installed\\nVersion: %s\\n' {} >> /var/lib/dpkg/status"


@pytest.fixture
def pair(client: Client, name: str) -> tuple[str, str]:
    start = Image.debian_slim("3.13").run_commands(
        "mkdir -p /srv/gone/deep && echo 1 > /srv/gone/deep/f && echo 1 > /srv/same && echo 1 > /srv/content",
        "touch /srv/mode /srv/owner && ln -s same /srv/link && ln /srv/same /srv/hard",
    )
    a = start.run_commands(DPKG.format("stays 1 changes 1"))
    b = start.run_commands(
        "rm -r /srv/gone && echo 22 > /srv/content && chmod 4700 /srv/mode && chown 7:8 /srv/owner",
        "ln -sfn hard /srv/link && mkdir -p /srv/new/deep && echo 333 > /srv/new/deep/f",
        DPKG.format("stays 1 changes 2 comes 1:1~x"),
    ).pip_install("six==1.17.0")
    for image, each in ((a, f"{name}-a"), (b, f"{name}-b")):
        client.build(image, name=each)
    return f"{name}-a", f"{name}-b"


def test_a_difference(client: Client, pair: tuple[str, str], cli: Cli) -> None:
    before = len(client.engine.containers.list({}))
    found = client.snapshot.diff(*pair)
    apt, pip = found.packages["apt"], found.packages["pip"]
    assert (apt.added, apt.removed, apt.changed) == ({"comes": "1:1~x"}, {}, {"changes": ("1", "2")})
    assert (pip.added, pip.removed, pip.changed) == ({"six": "1.17.0"}, {}, {})
    lines = {line.name: line for line in found.tree()}
    assert {name: (line.sign, line.ways) for name, line in lines.items() if line.depth == 1 and line.ways} == {
        "content": ("~", ("content",)),
        "link": ("~", ("same → hard",)),
        "mode": ("~", ("mode 0644 → 4700",)),
        "owner": ("~", ("owner 0:0 → 7:8",)),
    }
    assert (lines["gone/"].sign, lines["gone/"].count, lines["gone/"].before) == ("-", 1, 2)
    assert (lines["new/"].sign, lines["new/"].count, lines["new/"].after) == ("+", 1, 4)
    assert "same" not in lines and "hard" not in lines
    a, b = found.layers
    assert [layer.what.partition(" ")[0] for layer in b][-1] == "pip_install" and b[-1].size > 40_000
    assert all(layer.at and Path(layer.at.file) == Path(__file__) for layer in (*a, *b))
    assert a[0].what == "from python:3.13-slim-trixie" and a[0].size == b[0].size > 50_000_000

    told = cli("snapshot", "diff", *pair, "--json")
    assert told.code == 0 and told.json == found.as_json()
    shown = cli("snapshot", "diff", *pair)
    assert shown.code == 0 and "+ six 1.17.0" in shown.out and "test_diff.py:" in shown.out
    same = cli("snapshot", "diff", pair[0], client.snapshot.get(pair[0]).image)
    assert same.out.startswith("no difference")
    assert len(client.engine.containers.list({})) == before


def test_images_of_nobody_and_without_a_command(client: Client, name: str) -> None:
    client.build(Image.scratch().add_text("x", "/x"), name=name)
    found = client.snapshot.diff(name, "python:3.13-slim-trixie")
    assert (
        "/x" in found.files.removed and "/usr/bin/python3" in found.files.added and "pip" in found.packages["pip"].added
    )
    assert [layer.at for layer in found.layers[1]] == [None] * len(found.layers[1])


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_one_that_was_ended(
    client: Client, env: dict[str, str], pair: tuple[str, str], by: signal.Signals
) -> None:
    argv = [sys.executable, "-m", "imagebuilder", "snapshot", "diff", *pair]
    process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    mine = {"imagebuilder.home": client.sandboxes.home_id}
    while not (there := client.engine.containers.list(mine)) and process.poll() is None:
        time.sleep(0.01)
    assert there and TRIAL in there[0].labels
    process.send_signal(by)
    assert process.wait(60) != 0
    if by == signal.SIGKILL:
        client.list()
    assert not client.engine.containers.list(mine)
