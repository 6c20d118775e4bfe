"""What is remembered between runs: snapshots, and the logs of their builds."""

from imagebuilder.ir.resources import Resources
from imagebuilder.store.follow import Follower
from imagebuilder.store.snapshots import UNUSED, Snapshot, State, Step, Store, check_name

__all__ = ["UNUSED", "Follower", "Resources", "Snapshot", "State", "Step", "Store", "check_name"]
