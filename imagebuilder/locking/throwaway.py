"""A build that is thrown away: what a command says in a base, with the network, proxies and CA that builds have."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from imagebuilder.backends.dockerfile import Dockerfile
from imagebuilder.compiler import Plan
from imagebuilder.engine.protocol import BuildFailed, BuildRequest, Engine, Event, LogEvent
from imagebuilder.options import BuildOptions
from imagebuilder.registries import Registries
from imagebuilder.secret_values import secret_values
from imagebuilder.store import Store

_LIMIT = 600.0

Failed = Callable[[BuildFailed, Dockerfile], Exception]


class ThrowAway:
    """Of the options, the network is taken: the CA bundle and the proxies."""

    def __init__(self, store: Store, engine: Callable[[], Engine], options: BuildOptions) -> None:
        self._store = store
        self._connect = engine
        self._options = options

    def answer(self, plan: Plan, marker: str, failed: Failed) -> list[str]:
        """The lines between the two that say ``marker``; none where there are no two."""
        lines = self.printed(plan, failed)
        if lines.count(marker) != 2:
            return []
        first = lines.index(marker)
        return lines[first + 1 : lines.index(marker, first + 1)]

    def printed(self, plan: Plan, failed: Failed) -> list[str]:
        lines: list[str] = []
        dockerfile = plan.dockerfile(ca=True)

        def on_event(event: Event) -> None:
            if isinstance(event, LogEvent):
                lines.append(event.line)

        engine = self._connect()
        tag = f"imagebuilder-lock:{uuid4().hex}"
        with (
            tempfile.TemporaryDirectory(prefix="imagebuilder-") as folder,
            Registries(self._store).docker_config(plan.images) as logins,
        ):
            (context := Path(folder) / "context").mkdir()
            (file := Path(folder) / "Dockerfile").write_text(dockerfile.text, encoding="utf-8")
            request = BuildRequest(
                dockerfile=file,
                context=context,
                tag=tag,
                platform=plan.platform,
                build_args={**dockerfile.build_args, **self._options.proxies},
                secrets=secret_values(plan, {}, self._options.ca),
                no_cache=True,
                limit=_LIMIT,
                docker_config=logins,
            )
            try:
                engine.build(request, on_event)
            except BuildFailed as failure:
                raise failed(failure, dockerfile) from failure
            finally:
                engine.untag(tag)
        return lines
