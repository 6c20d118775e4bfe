"""The client for programs with an event loop: the same methods, each run in a thread and awaited.

There is one implementation, that of :mod:`imagebuilder.client`; signatures, errors and documentation are its own. A
call that is cancelled is no longer waited for, and ends by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from imagebuilder.client import Client
from imagebuilder.registries import Registries
from imagebuilder.sandbox import FileSystem, Process, Sandbox
from imagebuilder.snapshots import Snapshots

if TYPE_CHECKING:
    from imagebuilder.builder import OnBuildEvent
    from imagebuilder.sandbox import CreateSandboxFromImageParams, CreateSandboxFromSnapshotParams
    from imagebuilder.snapshots import OnLogs
    from imagebuilder.store import Snapshot

_Sync = TypeVar("_Sync")
_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


class _Wrapped(Generic[_Sync]):
    """``sync`` is what does the work."""

    def __init__(self, sync: _Sync) -> None:
        self.sync = sync

    def __repr__(self) -> str:
        return f"<async {self.sync!r}>"


def _threaded(
    method: Callable[Concatenate[_Sync, _Args], _Result],
) -> Callable[Concatenate[_Wrapped[_Sync], _Args], Awaitable[_Result]]:
    """The method of what is wrapped, to be awaited."""

    @wraps(method)
    async def call(self: _Wrapped[_Sync], /, *args: _Args.args, **keywords: _Args.kwargs) -> _Result:
        return await asyncio.to_thread(method, self.sync, *args, **keywords)

    return call


class AsyncProcess(_Wrapped[Process]):
    """Commands in a sandbox; see :class:`imagebuilder.sandbox.Process`."""

    exec = _threaded(Process.exec)
    code_run = _threaded(Process.code_run)
    create_session = _threaded(Process.create_session)
    execute_session_command = _threaded(Process.execute_session_command)
    get_session = _threaded(Process.get_session)
    list_sessions = _threaded(Process.list_sessions)
    get_session_command = _threaded(Process.get_session_command)
    get_session_command_logs = _threaded(Process.get_session_command_logs)
    delete_session = _threaded(Process.delete_session)


class AsyncFileSystem(_Wrapped[FileSystem]):
    """Files in a sandbox; see :class:`imagebuilder.sandbox.FileSystem`."""

    upload_file = _threaded(FileSystem.upload_file)
    upload_files = _threaded(FileSystem.upload_files)
    upload_dir = _threaded(FileSystem.upload_dir)
    download_file = _threaded(FileSystem.download_file)
    download_dir = _threaded(FileSystem.download_dir)
    list_files = _threaded(FileSystem.list_files)
    is_folder = _threaded(FileSystem.is_folder)
    get_file_info = _threaded(FileSystem.get_file_info)
    find_files = _threaded(FileSystem.find_files)
    search_files = _threaded(FileSystem.search_files)
    create_folder = _threaded(FileSystem.create_folder)
    delete_file = _threaded(FileSystem.delete_file)
    move_files = _threaded(FileSystem.move_files)
    replace_in_files = _threaded(FileSystem.replace_in_files)
    set_file_permissions = _threaded(FileSystem.set_file_permissions)


class AsyncSandbox(_Wrapped[Sandbox]):
    """One sandbox; see :class:`imagebuilder.Sandbox`. What it only remembers is read without waiting."""

    def __init__(self, sync: Sandbox) -> None:
        super().__init__(sync)
        self.process = AsyncProcess(sync.process)
        self.fs = AsyncFileSystem(sync.fs)

    async def __aenter__(self) -> AsyncSandbox:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.delete()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sync, name)

    get_work_dir = _threaded(Sandbox.get_work_dir)
    get_user_home_dir = _threaded(Sandbox.get_user_home_dir)
    start = _threaded(Sandbox.start)
    stop = _threaded(Sandbox.stop)
    delete = _threaded(Sandbox.delete)
    logs = _threaded(Sandbox.logs)
    preview = _threaded(Sandbox.preview)
    get_preview_link = preview
    set_labels = _threaded(Sandbox.set_labels)
    set_autostop_interval = _threaded(Sandbox.set_autostop_interval)
    set_auto_delete_interval = _threaded(Sandbox.set_auto_delete_interval)

    async def refresh(self) -> AsyncSandbox:
        """Look again; see :meth:`imagebuilder.Sandbox.refresh`."""
        await asyncio.to_thread(self.sync.refresh)
        return self

    refresh_data = refresh


class AsyncSnapshots(_Wrapped[Snapshots]):
    """Snapshots; see :class:`imagebuilder.snapshots.Snapshots`."""

    create = _threaded(Snapshots.create)
    push = _threaded(Snapshots.push)
    list = _threaded(Snapshots.list)
    create_default = _threaded(Snapshots.create_default)
    get = _threaded(Snapshots.get)
    logs = _threaded(Snapshots.logs)
    rollback = _threaded(Snapshots.rollback)
    lock = _threaded(Snapshots.lock)
    unlock = _threaded(Snapshots.unlock)
    expire = _threaded(Snapshots.expire)
    alias = _threaded(Snapshots.alias)
    activate = _threaded(Snapshots.activate)
    deactivate = _threaded(Snapshots.deactivate)
    delete = _threaded(Snapshots.delete)
    diff = _threaded(Snapshots.diff)

    async def follow(self, name: str | Snapshot) -> AsyncIterator[str]:
        """See :meth:`imagebuilder.snapshots.Snapshots.follow`; for ``async for``."""
        lines = self.sync.follow(name)
        while (line := await asyncio.to_thread(next, lines, None)) is not None:
            yield line


class AsyncRegistries(_Wrapped[Registries]):
    """Registries; see :class:`imagebuilder.registries.Registries`."""

    add = _threaded(Registries.add)
    list = _threaded(Registries.list)
    get = _threaded(Registries.get)
    test = _threaded(Registries.test)
    remove = _threaded(Registries.remove)


class AsyncClient(_Wrapped[Client]):
    """One home folder, and the engine that answers; arguments are those of :class:`imagebuilder.Client`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(Client(**options))
        self.snapshot = AsyncSnapshots(self.sync.snapshot)
        self.registry = AsyncRegistries(self.sync.registry)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is held open between calls."""

    build = _threaded(Client.build)
    build_all = _threaded(Client.build_all)
    builder_cache = _threaded(Client.builder_cache)
    prune_builder_cache = _threaded(Client.prune_builder_cache)
    run = _threaded(Client.run)

    async def create(
        self,
        params: CreateSandboxFromSnapshotParams | CreateSandboxFromImageParams | None = None,
        *,
        timeout: float | None = None,
        on_snapshot_create_logs: OnLogs | None = None,
        on_event: OnBuildEvent | None = None,
    ) -> AsyncSandbox:
        """Make and start a sandbox; see :meth:`imagebuilder.Client.create`."""
        made = await asyncio.to_thread(
            self.sync.create,
            params,
            timeout=timeout,
            on_snapshot_create_logs=on_snapshot_create_logs,
            on_event=on_event,
        )
        return AsyncSandbox(made)

    async def get(self, name: str) -> AsyncSandbox:
        """The sandbox of that name or id; see :meth:`imagebuilder.Client.get`."""
        return AsyncSandbox(await asyncio.to_thread(self.sync.get, name))

    async def find_one(self, id_or_name: str | None = None, labels: Mapping[str, str] | None = None) -> AsyncSandbox:
        """See :meth:`imagebuilder.Client.find_one`."""
        return AsyncSandbox(await asyncio.to_thread(self.sync.find_one, id_or_name, labels))

    async def list(self, labels: Mapping[str, str] | None = None) -> Sequence[AsyncSandbox]:
        """The sandboxes, the newest first; see :meth:`imagebuilder.Client.list`."""
        return [AsyncSandbox(each) for each in await asyncio.to_thread(self.sync.list, labels)]

    async def delete(self, sandbox: AsyncSandbox | str) -> None:
        """Remove a sandbox with its files."""
        await asyncio.to_thread(self.sync.delete, sandbox if isinstance(sandbox, str) else sandbox.sync)


__all__ = ["AsyncClient", "AsyncFileSystem", "AsyncProcess", "AsyncRegistries", "AsyncSandbox", "AsyncSnapshots"]
