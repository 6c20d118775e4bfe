"""The engine's network: a bridge, a range of addresses and a firewall chain of its own.

Docker's own firewall code takes chains of fixed names and clears them when a
daemon starts, which would cut off any other engine of the machine. So it is
switched off, and each embedded engine gets what its containers need to get out,
under a name of its own. Published ports go through Docker's proxy, on loopback.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from imagebuilder import command
from imagebuilder.engine.embedded.layout import (
    MACHINE,
    Layout,
    OnLine,
    failure,
    read_json,
    write_atomically,
)
from imagebuilder.locks import lock

FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
RESOLVER = Path("/etc/resolv.conf")
PREFIX = 20
"""Addresses per engine: sixteen networks of 254, the first for the default bridge."""

_RANGES = tuple(map(IPv4Network, ("172.16.0.0/12", "192.168.0.0/16", "10.128.0.0/9")))
_PATH = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


@dataclass(frozen=True)
class Network:
    """The range of addresses that is an engine's, and the bytes a packet may have on its way out."""

    pool: IPv4Network
    mtu: int


def up(layout: Layout, on_line: OnLine) -> Network:
    """Make the bridge and the firewall chains.

    Raises:
        EngineError: IB521 where every private range is in use, IB522 where the bridge cannot be made.
    """
    with lock(MACHINE / "lock"):
        _remove(layout)
        pool = choose(layout.id, _taken(layout), _remembered(layout))
        text = json.dumps({"pool": str(pool), "home": str(layout.home)})
        write_atomically(_claim(layout), text)
        write_atomically(layout.network, text)
        address, mtu = f"{pool.network_address + 1}/24", _mtu(layout)
        for words in (
            ("link", "add", layout.bridge, "mtu", str(mtu), "type", "bridge"),
            ("address", "add", address, "dev", layout.bridge),
            ("link", "set", layout.bridge, "up"),
        ):
            done = _inside(layout, "ip", *words)
            if done.returncode:
                message = done.stderr.decode(errors="replace").strip()
                _remove(layout)
                raise failure("IB522", f"the bridge {layout.bridge} could not be made: {message}")
        _forward_on()
        if not _firewall(layout, _rules(layout.chain, pool)):
            on_line("warning: no firewall could be set up, so builds will not reach the network")
        return Network(pool, mtu)


def down(layout: Layout) -> None:
    """Remove every interface, chain and claim of this engine; harmless where there is none."""
    with lock(MACHINE / "lock"):
        _remove(layout)


def choose(identity: str, taken: Iterable[IPv4Network], preferred: IPv4Network | None) -> IPv4Network:
    """A free /20: the one used before, else the first free one from a place the identity gives.

    Raises:
        EngineError: IB521 where none is free.
    """
    used = list(taken)
    for candidate in _candidates(identity, preferred):
        if not any(candidate.overlaps(other) for other in used):
            return candidate
    raise failure(
        "IB521",
        "every private range of addresses overlaps a route of this machine",
        "`ip route` shows them; the engine needs one free /20 within 172.16/12, 192.168/16 or 10.128/9",
    )


def _candidates(identity: str, preferred: IPv4Network | None) -> Iterator[IPv4Network]:
    if preferred is not None:
        yield preferred
    for whole in _RANGES:
        count = 1 << (PREFIX - whole.prefixlen)
        first = int(identity, 16)
        for step in range(count):
            base = int(whole.network_address) + ((first + step) % count << (32 - PREFIX))
            yield IPv4Network((base, PREFIX))


def _remembered(layout: Layout) -> IPv4Network | None:
    """The range of the last run: networks that people made in it are still in the engine's data."""
    try:
        return IPv4Network(str(read_json(layout.network).get("pool", "")))
    except ValueError:
        return None


def _claim(layout: Layout) -> Path:
    return MACHINE / f"{layout.id}.json"


def _others(layout: Layout) -> list[Path]:
    return [path for path in MACHINE.glob("*.json") if path != _claim(layout)]


def _taken(layout: Layout) -> list[IPv4Network]:
    """Every range that a route, an address, a name server or another engine uses."""
    texts = [str(read_json(claim).get("pool", "")) for claim in _others(layout)]
    texts += [str(route.get("dst", "")) for route in _ip_json(layout, "route", "show", "table", "all")]
    for interface in _ip_json(layout, "address", "show"):
        texts += [f"{a.get('local')}/{a.get('prefixlen')}" for a in interface.get("addr_info", ())]
    if RESOLVER.exists():
        lines = RESOLVER.read_text(encoding="utf-8", errors="replace").splitlines()
        texts += [line.split()[1] for line in lines if line.startswith("nameserver ")]
    found = []
    for text in texts:
        try:
            found.append(IPv4Network(text, strict=False))
        except ValueError:
            continue
    return [network for network in found if network.prefixlen]


def _rules(chain: str, pool: IPv4Network) -> str:
    """iptables-restore's input: out is free, back in only what was asked for, never in unasked."""
    return f"""*nat
:{chain} - [0:0]
-A {chain} -s {pool} ! -d {pool} -j MASQUERADE
-I POSTROUTING -j {chain}
COMMIT
*filter
:{chain} - [0:0]
-A {chain} -s {pool} -j ACCEPT
-A {chain} -d {pool} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A {chain} -d {pool} -j DROP
-I FORWARD -j {chain}
COMMIT
"""


def _mtu(layout: Layout) -> int:
    """That of the way out: a container that sends more may find its packets lost in a tunnel."""
    devices = {str(route.get("dev")) for route in _ip_json(layout, "route", "show", "default")}
    sizes = [int(link["mtu"]) for link in _ip_json(layout, "link", "show") if link.get("ifname") in devices]
    return min([1500, *sizes])


def _firewall(layout: Layout, rules: str) -> bool:
    for program in ("iptables-restore", "iptables-legacy-restore"):
        if _inside(layout, program, "--noflush", input=rules).returncode == 0:
            return True
    return False


def _remove(layout: Layout) -> None:
    if not (layout.rootfs / "usr/bin/ip").exists():
        return
    pool = _remembered(layout)
    for program in ("iptables", "iptables-legacy"):
        for table, start in (("nat", "POSTROUTING"), ("filter", "FORWARD")):
            if _inside(layout, program, "-t", table, "-n", "-L", layout.chain).returncode:
                continue
            while _inside(layout, program, "-t", table, "-D", start, "-j", layout.chain).returncode == 0:
                pass
            for action in ("-F", "-X"):
                _inside(layout, program, "-t", table, action, layout.chain)
    for name in _bridges(layout, pool):
        _inside(layout, "ip", "link", "delete", name)
    _claim(layout).unlink(missing_ok=True)
    _forward_off(layout)


def _bridges(layout: Layout, pool: IPv4Network | None) -> list[str]:
    """This engine's bridges: its own, and those of networks made in its range."""
    found = []
    for interface in _ip_json(layout, "address", "show", "type", "bridge"):
        addresses = [a["local"] for a in interface.get("addr_info", ()) if a.get("family") == "inet"]
        name = str(interface.get("ifname", ""))
        inside = pool is not None and any(IPv4Address(address) in pool for address in addresses)
        if name == layout.bridge or (inside and name.startswith("br-")):
            found.append(name)
    return found


def _forward_on() -> None:
    """Let the kernel pass packets on, and note that it did not before."""
    if FORWARD.read_text().strip() == "0":
        write_atomically(MACHINE / "ip_forward", "0")
        FORWARD.write_text("1")


def _forward_off(layout: Layout) -> None:
    """Undo :func:`_forward_on` with the last engine, unless something else made a bridge meanwhile."""
    before = MACHINE / "ip_forward"
    if not before.exists() or _others(layout):
        return
    if not _ip_json(layout, "link", "show", "type", "bridge"):
        FORWARD.write_text(before.read_text())
    before.unlink()


def _ip_json(layout: Layout, *words: str) -> list[dict[str, Any]]:
    done = _inside(layout, "ip", "-4" if words[0] == "route" else "-d", "-json", *words)
    try:
        found = json.loads(done.stdout or b"[]")
    except ValueError:
        return []
    return [entry for entry in found if isinstance(entry, dict) and entry]


def _inside(layout: Layout, *argv: str, input: str = "") -> Any:
    """Run a program of the root file system; a bare machine has neither ip nor iptables."""
    return command.run(["chroot", str(layout.rootfs), *argv], env=_PATH, input=input.encode())
