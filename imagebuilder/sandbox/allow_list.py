"""Where a sandbox may connect to, and what holds it to that.

The kernel does: rules in the network of the sandbox's container, put there before it has an interface, by a container
of our own that has the right to. What runs in the sandbox has not, and every address that is not named is refused.
"""

from __future__ import annotations

import ipaddress
import json
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from imagebuilder.diagnostics import CompileError, Diagnostic, EngineError, SandboxError
from imagebuilder.engine.containers import Containers, ContainerSpec
from imagebuilder.frontends.image import Image

TOOL = Image.debian_slim().apt_install("nftables")
"""What the rules are written with."""

_LABEL = "imagebuilder.allow"
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9\-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9\-]*[a-z0-9])?)*", re.IGNORECASE)
_MOST = 256
_TIMEOUT = 30.0

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class AllowList:
    """Networks, and the addresses of the names that were given: no other name is known in the sandbox."""

    networks: tuple[str, ...]
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def labels(self) -> Mapping[str, str]:
        """What a container of it is found again by."""
        return {_LABEL: json.dumps(self.networks)}


def allow_list(given: str | Sequence[str] | None) -> AllowList | None:
    """What was asked for; None where nothing was, which is no bound.

    Args:
        given: networks, addresses and names of hosts, in a sequence or with commas between.

    Raises:
        CompileError: one of them is none of these, or a name has no address.
    """
    entries = given.split(",") if isinstance(given, str) else given or ()
    if not isinstance(entries, Sequence) or not all(isinstance(each, str) for each in entries):
        raise CompileError(Diagnostic("IB755", f"not an allow list: {given!r}", help=_EXAMPLE))
    entries = [each.strip() for each in entries if each.strip()]
    if not entries:
        return None
    if len(entries) > _MOST:
        message = f"an allow list of {len(entries)} entries; {_MOST} is the most"
        raise CompileError(Diagnostic("IB755", message, help="networks hold many addresses: 10.0.0.0/8"))
    networks: list[Network] = []
    hosts: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        try:
            networks.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            hosts[entry.lower()] = found = _resolved(entry)
            networks.extend(ipaddress.ip_network(each) for each in found)
    return AllowList(_merged(networks), hosts)


def of_labels(labels: Mapping[str, str]) -> AllowList | None:
    """That of a container that was made with one; the names are in the container."""
    kept = labels.get(_LABEL)
    return None if kept is None else AllowList(tuple(str(each) for each in json.loads(kept)))


def bounded(spec: ContainerSpec, allow: AllowList) -> ContainerSpec:
    """The container with its names and label, and without a network: :func:`start` gives it one."""
    return replace(spec, network=False, hosts=allow.hosts, labels={**spec.labels, **allow.labels})


def start(containers: Containers, id: str, allow: AllowList, tool: ContainerSpec) -> None:
    """Start a container, and let it have a network when it is held to the list.

    Args:
        tool: a container to be made of the image of :data:`TOOL`.

    Raises:
        SandboxError: the rules could not be set; the container is stopped.
        EngineError: it does not start.
    """
    # One that ran before still has a network, and would be started with it.
    containers.set_network(id, on=False)
    containers.start(id)
    try:
        words = ("nft", rules(allow.networks))
        _run(containers, replace(tool, entrypoint=words, joins=id, capabilities=("NET_ADMIN",)))
        containers.set_network(id, on=True)
    except BaseException:
        containers.stop(id, 0)
        raise


def rules(networks: Iterable[str]) -> str:
    """What ``nft`` takes: answers go out, and what goes to these networks or stays inside."""
    accepted = [f"{'ip6' if ':' in each else 'ip'} daddr {each} accept" for each in networks]
    lines = ['oifname "lo" accept', "ct state established,related accept", *accepted, "reject"]
    table, chain = "inet imagebuilder", "inet imagebuilder out"
    hook = f"add chain {chain} {{ type filter hook output priority 0; policy drop; }}"
    return "; ".join((f"add table {table}", hook, *(f"add rule {chain} {line}" for line in lines)))


def _run(containers: Containers, tool: ContainerSpec) -> None:
    made = containers.create(tool)
    try:
        containers.start(made)
        code = containers.wait(made, _TIMEOUT)
        if code != 0:
            said = containers.logs(made, 3).strip() or f"exit code {code}"
            help = "can the engine's machine filter packets (nf_tables)? network_block_all needs nothing of it"
            raise SandboxError(Diagnostic("IB766", f"the allow list cannot be set: {said}", help=help))
    except EngineError as error:
        message = error.diagnostics[0].message
        raise SandboxError(Diagnostic("IB766", f"the allow list cannot be set: {message}", help=_DOCTOR)) from None
    finally:
        # What cannot be removed now goes with a later look at what was left.
        with suppress(EngineError):
            containers.remove(made)


def _resolved(name: str) -> tuple[str, ...]:
    if not _HOST.fullmatch(name) or re.fullmatch(r"[0-9.]+", name):
        raise CompileError(Diagnostic("IB755", f"neither a network nor a host: {name!r}", help=_EXAMPLE))
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        help = "is it spelt right, and can this machine resolve it? addresses need no resolving"
        raise CompileError(Diagnostic("IB755", f"the host {name!r} has no address", help=help)) from None
    return tuple(dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found))


def _merged(networks: Iterable[Network]) -> tuple[str, ...]:
    four = [each for each in networks if isinstance(each, ipaddress.IPv4Network)]
    six = [each for each in networks if isinstance(each, ipaddress.IPv6Network)]
    return tuple(str(each) for each in (*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)))


_EXAMPLE = "such as 10.0.0.0/8, 192.0.2.7 or pypi.org"
_DOCTOR = "`imagebuilder doctor` looks at the engine"
