"""``cache du | prune``: what is kept besides snapshots, and taking it away."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imagebuilder.amounts import age, byte_count
from imagebuilder.cli.output import print_json, print_table, size, tell
from imagebuilder.diagnostics import did_you_mean

if TYPE_CHECKING:
    from imagebuilder.cache.disk import Item

_PRUNE = """\
Take away what can be made anew. Without an option this is what nothing needs any more:
records and logs whose snapshot is gone, and what killed builds left. Images and snapshots
stay: `imagebuilder snapshot delete` is for those."""


def register(commands: Any) -> None:
    group = commands.add_parser("cache", help="what is kept besides snapshots, and taking it away")
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    du = verbs.add_parser("du", help="the bytes of each part")
    du.add_argument("--builder-cache", action="store_true", help="the builder's layers too; asks the engine")
    du.add_argument("--json", action="store_true", help="print JSON")
    du.set_defaults(command=_du)

    prune = verbs.add_parser(
        "prune",
        help="take away what can be made anew",
        description=_PRUNE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    prune.add_argument("--all", action="store_true", help="everything that can be made anew")
    prune.add_argument("--older-than", metavar="AGE", help="what was not used for so long, such as 12h, 7d or 2w")
    prune.add_argument(
        "--max-size", metavar="SIZE", help="what was used longest ago, until so much is left: 500MB, 2GiB"
    )
    prune.add_argument("--name", help="only the records of this snapshot's builds")
    prune.add_argument("--builder-cache", action="store_true", help="the builder's layers too; asks the engine")
    prune.add_argument("--dry-run", action="store_true", help="only say what would go")
    prune.add_argument("--json", action="store_true", help="print JSON")
    prune.set_defaults(command=_prune)


def _du(arguments: argparse.Namespace) -> int:
    from imagebuilder.cache.disk import KINDS, Disk
    from imagebuilder.cache.history import History
    from imagebuilder.client import Client

    client = Client()
    items = Disk(client.store, History(client.home)).items()
    rows = {kind: (sum(i.bytes for i in items if i.kind == kind), _count(items, kind)) for kind in KINDS}
    unneeded = sum(item.bytes for item in items if not item.needed)
    layers = client.builder_cache() if arguments.builder_cache else None
    if arguments.json:
        found: dict[str, Any] = {
            "home": str(client.home),
            "bytes": sum(bytes for bytes, _ in rows.values()),
            "parts": [{"kind": kind, "bytes": bytes, "count": count} for kind, (bytes, count) in rows.items()],
            "unneeded_bytes": unneeded,
        }
        if layers is not None:
            found["builder_cache_bytes"] = layers
        print_json(found)
        return 0
    table: list[tuple[str, str, str, str]] = [
        (kind, size(bytes), f"{count:,}", _MEANING[kind]) for kind, (bytes, count) in rows.items()
    ]
    table.append(
        ("all", size(sum(bytes for bytes, _ in rows.values())), "", f"of which nothing needs {size(unneeded)}")
    )
    if layers is not None:
        table.append(("builder cache", size(layers), "", "the builder's layers, in the engine"))
    print_table(("KIND", "SIZE", "COUNT", ""), table)
    return 0


_MEANING: Mapping[str, str] = {
    "fingerprints": "what files looked like, so that only what changed is read",
    "packages": "wheels and layers of packages, and what requests for them were resolved to",
    "staged files": "copies for the builder, so that only what changed is sent",
    "records": "what builds were made of, for plan and explain",
    "logs": "of builds whose snapshot is gone",
}


def _count(items: Sequence[Item], kind: str) -> int:
    return sum(item.kind == kind and item.path.name != "records" for item in items)


def _prune(arguments: argparse.Namespace) -> int:
    from imagebuilder.cache.disk import Disk, chosen
    from imagebuilder.cache.history import History
    from imagebuilder.client import Client

    oldest = None if arguments.older_than is None else age(arguments.older_than)
    most = None if arguments.max_size is None else byte_count(arguments.max_size)
    client = Client()
    history = History(client.home)
    disk = Disk(client.store, history)
    items = chosen(
        disk.items(),
        everything=arguments.all,
        older_than=oldest,
        most_bytes=None if most is None else int(most),
        name=None if arguments.name is None else arguments.name.removesuffix(":latest"),
    )
    kinds = {item.kind: [other for other in items if other.kind == item.kind] for item in items}
    worth = {kind: disk.worth(each) for kind, each in kinds.items()}
    freed = sum(worth.values()) if arguments.dry_run else disk.remove(items)
    layers = 0
    if arguments.builder_cache:
        layers = client.builder_cache(unused=True) if arguments.dry_run else client.prune_builder_cache(oldest)
    if arguments.json:
        found: dict[str, Any] = {
            "dry_run": arguments.dry_run,
            "freed_bytes": freed,
            "items": [{"kind": i.kind, "path": str(i.path), "bytes": i.bytes, "name": i.name or None} for i in items],
        }
        if arguments.builder_cache:
            found["builder_cache_bytes"] = layers
        print_json(found)
        return 0
    name = "" if arguments.name is None else arguments.name.removesuffix(":latest")
    if name and name not in (names := sorted(name for name, _ in history.by_name())) and not items:
        hint = did_you_mean(name, names)
        tell(f"no build of {name!r} is on record" + (f"; {hint}" if hint else ""))
    would = "would free" if arguments.dry_run else "freed"
    for kind, each in kinds.items():
        print(f"{kind:<13} {size(worth[kind]):>9}  {len(each):,}")
    if arguments.builder_cache:
        print(f"{'builder cache':<13} {size(layers):>9}")
    print(f"{would} {size(freed + layers)}" if items or layers else "nothing to take away")
    return 0
