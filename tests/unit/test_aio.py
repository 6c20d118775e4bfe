"""The client to be awaited has the methods of the other one."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import pytest

from imagebuilder import CreateSnapshotParams
from imagebuilder.aio import (
    AsyncClient,
    AsyncFileSystem,
    AsyncProcess,
    AsyncRegistries,
    AsyncSandbox,
    AsyncSnapshots,
)
from imagebuilder.client import Client
from imagebuilder.engine.fake import FakeEngine
from imagebuilder.registries import Registries
from imagebuilder.sandbox import FileSystem, Process, Sandbox
from imagebuilder.snapshots import Snapshots

PAIRS = [
    (Client, AsyncClient),
    (Snapshots, AsyncSnapshots),
    (Registries, AsyncRegistries),
    (Sandbox, AsyncSandbox),
    (Process, AsyncProcess),
    (FileSystem, AsyncFileSystem),
]
# A terminal and the end of sessions are no matter of a loop; the others are what the package itself asks.
OTHERWISE = {"as_json", "attach", "close", "usable", "of_image", "started", "header", "of", "docker_config"}


@pytest.mark.parametrize(("sync", "awaited"), PAIRS)
def test_each_method_is_awaited(sync: type, awaited: type) -> None:
    methods = {name for name, _ in inspect.getmembers(sync, inspect.isfunction) if not name.startswith("_")} - OTHERWISE
    for name in methods:
        method = getattr(awaited, name, None)
        assert inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method), f"{awaited.__name__}.{name}"


def test_snapshots(tmp_path: Path) -> None:
    async def story() -> None:
        client = AsyncClient(home=tmp_path / "home", engine=FakeEngine())
        made = await client.snapshot.create(CreateSnapshotParams("app", "python:3.13"))
        assert (await client.snapshot.lock(made)).locked and not (await client.snapshot.unlock("app")).locked
        assert [line async for line in client.snapshot.follow("app")] == []
        await client.snapshot.delete(made)
        assert await client.snapshot.list() == []

    asyncio.run(story())
