"""What a sandbox may connect to: what is taken for a list, the rules of it, and that nothing runs without them."""

from __future__ import annotations

import ipaddress
import re
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebuilder import Client, CreateSnapshotParams
from imagebuilder.diagnostics import CompileError, SandboxError
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.engine.fake_containers import FakeContainers
from imagebuilder.sandbox import CreateSandboxFromSnapshotParams, Sandbox, Sandboxes
from imagebuilder.sandbox.allow_list import allow_list, rules
from imagebuilder.store import Resources


@pytest.fixture
def containers() -> FakeContainers:
    containers = FakeContainers()
    containers.exits["sha256:tool"] = 0
    return containers


@pytest.fixture
def sandboxes(tmp_path: Path, containers: FakeContainers) -> Sandboxes:
    return Sandboxes(tmp_path, lambda: containers, lambda: "sha256:tool")


def create(sandboxes: Sandboxes, **params: object) -> Sandbox:
    given = CreateSandboxFromSnapshotParams(name="one", **params)  # type: ignore[arg-type]
    return sandboxes.create(given, image="sha256:1", snapshot="app", resources=Resources(), entrypoint=("sleep",))


def networks(given: object) -> tuple[str, ...]:
    found = allow_list(given)  # type: ignore[arg-type]
    assert found is not None
    return found.networks


def test_networks_and_addresses() -> None:
    assert networks("208.80.154.232/32, 10.1.2.3/8") == ("10.0.0.0/8", "208.80.154.232/32")
    assert networks(["10.0.0.0/9", "10.128.0.0/9", "10.1.1.1"]) == ("10.0.0.0/8",)
    assert networks(["::1", "2001:db8::/32", "192.0.2.7"]) == ("192.0.2.7/32", "::1/128", "2001:db8::/32")


@pytest.mark.parametrize("given", ["", [], (), " , ", None])
def test_nothing_is_no_bound(given: object) -> None:
    assert allow_list(given) is None  # type: ignore[arg-type]


def test_a_host_is_its_addresses_and_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(0, 0, 0, "", (each, 0)) for each in ("192.0.2.1", "192.0.2.9", "2001:db8::1", "192.0.2.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    found = allow_list(["Host.test", "10.0.0.0/8"])
    assert found is not None
    assert found.hosts == {"host.test": ("192.0.2.1", "192.0.2.9", "2001:db8::1")}
    assert found.networks == ("10.0.0.0/8", "192.0.2.1/32", "192.0.2.9/32", "2001:db8::1/128")


@pytest.mark.parametrize(
    "given",
    ["10.0.0.0/33", "1.2.3", "300.1.1.1", "a b", "-x", "x-", "a..b", "*.pypi.org", "https://pypi.org", "pypi.org:443",
     "x; accept", "a\nb", "a" * 254, "::g", ["ok.test", 3], 7, "no-such-host.invalid", ["10.0.0.1"] * 257],
)  # fmt: skip
def test_what_is_none(given: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(CompileError) as caught:
        allow_list(given)  # type: ignore[arg-type]
    (found,) = caught.value.diagnostics
    assert found.code == "IB755" and found.help


@given(st.lists(st.one_of(st.ip_addresses(), st.ip_addresses().map(lambda each: f"{each}/9")), min_size=1, max_size=20))
def test_no_address_is_lost_and_none_is_added(given: list[object]) -> None:
    found = [ipaddress.ip_network(each) for each in networks([str(each) for each in given])]
    asked = [ipaddress.ip_network(str(each), strict=False) for each in given]
    assert all(any(one.version == all.version and one.subnet_of(all) for all in found) for one in asked)  # type: ignore[arg-type]
    assert sum(each.num_addresses for each in found) <= sum(each.num_addresses for each in asked)


def test_the_rules() -> None:
    assert rules(["10.0.0.0/8", "2001:db8::/32"]) == (
        "add table inet imagebuilder; "
        "add chain inet imagebuilder out { type filter hook output priority 0; policy drop; }; "
        'add rule inet imagebuilder out oifname "lo" accept; '
        "add rule inet imagebuilder out ct state established,related accept; "
        "add rule inet imagebuilder out ip daddr 10.0.0.0/8 accept; "
        "add rule inet imagebuilder out ip6 daddr 2001:db8::/32 accept; "
        "add rule inet imagebuilder out reject"
    )


def test_a_network_comes_after_the_rules(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    sandbox = create(sandboxes, network_allow_list="10.0.0.0/8")
    assert [re.sub(sandbox.id, "ID", line) for line in containers.done] == [
        "network off ID", "start ID", "start tool: nft in ID with NET_ADMIN", "network on ID",
    ]  # fmt: skip
    assert sandbox.network_allow_list == ("10.0.0.0/8",) and sandbox.as_json()["network_allow_list"] == ["10.0.0.0/8"]
    assert list(containers.infos) == [sandbox.id], "the tool's container is left"
    sandbox.stop()
    containers.done.clear()
    sandboxes.get("one").start()
    assert containers.done[0] == f"network off {sandbox.id}" and containers.done[-1] == f"network on {sandbox.id}"


def test_without_rules_nothing_is_left(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    containers.exits["sha256:tool"] = 1
    with pytest.raises(SandboxError) as caught:
        create(sandboxes, network_allow_list=["10.0.0.0/8"])
    (found,) = caught.value.diagnostics
    assert found.code == "IB766" and "its last line" in found.message and found.help
    assert not containers.infos


def test_one_that_was_stopped_stays_stopped_without_rules(sandboxes: Sandboxes, containers: FakeContainers) -> None:
    sandbox = create(sandboxes, network_allow_list=["10.0.0.0/8"])
    sandbox.stop()
    containers.exits["sha256:tool"] = None
    with pytest.raises(SandboxError):
        sandbox.start()
    assert sandbox.refresh().state == "stopped" and not containers.specs[sandbox.id].network


def test_a_name_is_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was checked is what the sandbox gets, whatever the name leads to by then."""
    asked: list[str] = []

    def resolve(name: str, *_: object, **__: object) -> object:
        asked.append(name)
        return [(0, 0, 0, "", (f"192.0.2.{len(asked)}", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    engine = FakeEngine()
    client = Client(home=tmp_path, engine=engine)
    monkeypatch.setattr(client, "_network_tool", lambda: "sha256:tool")
    client.snapshot.create(CreateSnapshotParams("py", "python:3.13"))
    engine.containers.exits["sha256:tool"] = 0
    made = client.create(CreateSandboxFromSnapshotParams(snapshot="py", network_allow_list="host.test"))
    assert (asked, made.network_allow_list) == (["host.test"], ("192.0.2.1/32",))


@pytest.mark.parametrize("besides", ["network_block_all", "privileged"])
def test_what_would_make_it_void(sandboxes: Sandboxes, containers: FakeContainers, besides: str) -> None:
    with pytest.raises(CompileError) as caught:
        create(sandboxes, network_allow_list="10.0.0.0/8", **{besides: True})
    assert caught.value.diagnostics[0].code == "IB755" and not containers.specs
