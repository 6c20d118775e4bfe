"""What is remembered between runs: snapshots, the logs of their builds, and registries."""

from imagebuilder.ir.resources import Resources
from imagebuilder.store.follow import Follower
from imagebuilder.store.registries import Registry, RegistryTable
from imagebuilder.store.snapshot import unusable
from imagebuilder.store.snapshots import UNUSED, Snapshot, State, Step, Store, check_name

__all__ = [
    "UNUSED", "Follower", "Registry", "RegistryTable", "Resources", "Snapshot", "State", "Step", "Store", "check_name",
    "unusable",
]  # fmt: skip
