"""One build through ``docker buildx``, as a subprocess."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from threading import Timer
from typing import Any

from imagebuilder import command
from imagebuilder.diagnostics import CompileError, Diagnostic, EngineError, Interrupted
from imagebuilder.engine.endpoint import Endpoint, docker_config
from imagebuilder.engine.progress import Progress
from imagebuilder.engine.protocol import (
    BuildFailed,
    BuildRequest,
    Cancel,
    Event,
    LogEvent,
    OnEvent,
    SecretValue,
    StepEvent,
)
from imagebuilder.engine.redact import of_config, redactor

_PAUSE = 1.0
_GRACE = 15.0
# A layer cache's list of layers is small. Without a limit, BuildKit would wait for ever.
_IMPORT_LIMIT = 60.0
_IMPORT = "importing cache manifest from "
_INTERRUPTED = "interrupted; the builder has stopped and nothing was kept"
_PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)


class Buildx:
    """The buildx program and the engine it builds on.

    The plugin is run by itself: through the ``docker`` command every call takes
    some 90 ms longer.
    """

    def __init__(self, program: Path, endpoint: Endpoint, config: Path) -> None:
        """
        Args:
            config: buildx's state folder. With a builder of the person's own, theirs is used instead.
        """
        self.program = program
        self._endpoint = endpoint
        self._config = config

    def version(self) -> str:
        """``v0.29.1`` and the like; empty where the program does not say."""
        words = command.run([self.program, "version"], timeout=20).stdout.decode(errors="replace").split()
        return next((word for word in words if word.lstrip("v")[:1].isdigit()), "")

    def build(self, request: BuildRequest, on_event: OnEvent) -> str:
        """Build, and return the image's digest. Errors are those of :meth:`Engine.build`."""
        # The builder forgets the step that it lost when nobody asks for it any more; without its cache it never does.
        for again in (request, replace(request, no_cache=True)):
            try:
                return self._build(request, on_event)
            except BuildFailed as failure:
                if not failure.is_passing:
                    raise
            on_event(LogEvent("", "the builder lost a step that another build had given up; asking it again"))
            time.sleep(_PAUSE)
            request = again
        return self._build(request, on_event)

    def _build(self, request: BuildRequest, on_event: OnEvent) -> str:
        # Beside the Dockerfile, in a folder that is the build's own and gone after it, however it ends.
        metadata = _metadata_of(request)
        argv = [str(self.program), *_arguments(request, metadata)]
        env = self._environment(request) | _secret_environment(request.secrets)
        process = command.spawn(
            argv,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            new_session=True,
            inherited=() if request.lock is None else (request.lock,),
            dies_with_parent=True,
        )
        logins = of_config(request.docker_config) if request.docker_config else ()
        progress = Progress(redactor([*request.secrets.values(), *logins]))
        cancel = request.cancel or Cancel()
        try:
            with (
                cancel.watching(lambda: process.send_signal(signal.SIGINT)),
                _limited(process, request.limit) as over,
                _Imports(process, on_event) as imports,
            ):
                code = _follow(process, progress, imports.on_event)
        except BaseException:
            _stop(process)
            raise
        if cancel.is_set:
            raise Interrupted(Diagnostic("IB601", _INTERRUPTED))
        for event in progress.finish():
            on_event(event)
        if imports.silent:
            raise BuildFailed(
                f"{imports.silent} had not ended after {_IMPORT_LIMIT:g} s, since its registry says nothing;"
                " other builds of the builder may wait for it, too, until it is restarted"
            )
        if over.is_set():
            raise BuildFailed(f"it had not ended after {request.limit:g} s")
        if code != 0:
            raise progress.failure()
        return "" if request.export is not None else _digest(metadata)

    def require(self, builder: str) -> None:
        """
        Raises:
            CompileError: there is no builder of that name.
        """
        done = command.run([self.program, "inspect", "--", builder], env=dict(self._endpoint.env), timeout=60)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().removeprefix("ERROR: ")
            raise CompileError(Diagnostic("IB509", f"no builder {builder!r}: {said}", help="see `docker buildx ls`"))

    def check(self, request: BuildRequest) -> list[dict[str, object]]:
        """The warnings of BuildKit's own check of the Dockerfile.

        Raises:
            EngineError: the check could not be made.
        """
        arguments = _arguments(request, None)
        argv = [str(self.program), *arguments[:1], "--call=check,format=json", *arguments[1:]]
        done = command.run(argv, env=self._environment(request) | _secret_environment(request.secrets), timeout=300)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            reason = done.stderr.decode(errors="replace").strip()[-2000:]
            raise EngineError(Diagnostic("IB505", f"the Dockerfile could not be checked: {reason}")) from None
        return list(report.get("warnings") or ()) + ([report["buildError"]] if report.get("buildError") else [])

    def _environment(self, request: BuildRequest) -> dict[str, str]:
        env = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "DOCKER_CLI_HINTS": "false"}
        # Goes into the metadata, and costs nothing; in the image it would give each build another digest.
        env["BUILDX_METADATA_PROVENANCE"] = "max"
        if request.builder is None:
            env |= {"BUILDX_CONFIG": str(self._config), "BUILDX_BUILDER": ""}
        if request.docker_config is not None:
            env["DOCKER_CONFIG"] = str(request.docker_config)
        return env | dict(self._endpoint.env)


def find_program(home: Path) -> Path:
    """The buildx plugin: of Docker's configuration, of the system, or of this home's embedded engine.

    Raises:
        EngineError: there is none.
    """
    folders = [docker_config() / "cli-plugins", *map(Path, _PLUGIN_FOLDERS)]
    candidates = [folder / "docker-buildx" for folder in folders]
    candidates += [Path(p) / "docker-buildx" for p in os.environ.get("PATH", "").split(os.pathsep) if p]
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate
    from imagebuilder.engine.embedded.engine import tools

    if embedded := tools(home).buildx:
        return embedded
    raise EngineError(
        Diagnostic(
            "IB506",
            "docker buildx is not installed",
            help="install the package docker-buildx (or docker-buildx-plugin), or run `imagebuilder engine start`",
        )
    )


def find_docker(home: Path) -> Path | None:
    """Docker's own client: the one on the PATH, or this home's embedded engine's."""
    if found := shutil.which("docker"):
        return Path(found)
    from imagebuilder.engine.embedded.engine import tools

    return tools(home).docker


def _arguments(request: BuildRequest, metadata: Path | None) -> list[str]:
    arguments = ["build", f"--file={request.dockerfile}", f"--platform={request.platform}"]
    if metadata is not None:
        arguments += [
            "--progress=rawjson",
            "--provenance=false",
            _output(request),
            f"--metadata-file={metadata}",
        ]
        if request.epoch is not None:
            arguments.append(f"--build-arg=SOURCE_DATE_EPOCH={request.epoch}")
        elif not request.push and request.export is None:
            arguments.append(f"--tag={request.tag}")
        arguments += [f"--cache-from=type=registry,ref={ref}" for ref in request.cache_from]
        if request.cache_to:
            arguments.append(f"--cache-to=type=registry,ref={request.cache_to},mode=max,ignore-error=true")
    if request.builder:
        arguments.append(f"--builder={request.builder}")
    if request.no_cache:
        arguments.append("--no-cache")
    for name, path in request.contexts.items():
        arguments.append(f"--build-context={name}={path}")
    for name, value in request.build_args.items():
        arguments.append(f"--build-arg={name}={value}")
    for number, (id, secret) in enumerate(request.secrets.items()):
        where = _field(f"src={secret.file}") if secret.file else f"env={_variable(number)}"
        arguments.append(f"--secret={_field(f'id={id}')},{where}")
    return [*arguments, "--", str(request.context)]


def provenance_of(request: BuildRequest) -> dict[str, Any] | None:
    """What the builder recorded of a build that has ended, as SLSA has it; None where it did not."""
    try:
        found = json.loads(_metadata_of(request).read_text()).get("buildx.build.provenance")
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, dict) and found else None


def _metadata_of(request: BuildRequest) -> Path:
    return request.dockerfile.with_name("metadata.json")


def archive_of(request: BuildRequest) -> Path:
    """Where the image is put that a request with an epoch builds, as an OCI archive."""
    return request.dockerfile.with_name("image.tar")


def _output(request: BuildRequest) -> str:
    if request.export is not None:
        return f"--output=type=local,{_field(f'dest={request.export}')}"
    # An archive's manifests are OCI's; with those, the image in a registry is the same.
    times = "" if request.epoch is None else ",rewrite-timestamp=true,oci-mediatypes=true"
    if request.push:
        # Not kept in the builder's own store: the image is there already, under its other name.
        return f"--output=type=image,push=true,store=false,name={request.push}{times}"
    if request.epoch is None:
        return "--load"
    # A builder that is an engine's own cannot have it at once: "rewrite-timestamp" conflicts with "unpack" there.
    return f"--output=type=oci,dest={archive_of(request)},name={request.tag}{times}"


def _field(text: str) -> str:
    """One field of an option that buildx reads as CSV."""
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


def _secret_environment(secrets: Mapping[str, SecretValue]) -> dict[str, str]:
    return {_variable(n): s.value for n, s in enumerate(secrets.values()) if s.value is not None}


def _variable(number: int) -> str:
    return f"IMAGEBUILDER_SECRET_{number}"


def _follow(process: subprocess.Popen[bytes], progress: Progress, on_event: OnEvent) -> int:
    """Read to the end. Ctrl-C stops the builder with one SIGINT, for which it is then waited."""
    assert process.stderr is not None
    try:
        for line in process.stderr:
            for event in progress.feed(line.decode(errors="replace")):
                on_event(event)
            if progress.wrong_base is not None:
                raise progress.wrong_base
        return process.wait()
    except KeyboardInterrupt:
        _stop(process)
        raise Interrupted(Diagnostic("IB601", _INTERRUPTED)) from None


@contextmanager
def _limited(process: subprocess.Popen[bytes], seconds: float | None) -> Iterator[Flag]:
    """Stop the builder when its time is over, which the event then says."""
    over = Flag()
    if seconds is None:
        yield over
        return

    def end() -> None:
        over.set()
        process.send_signal(signal.SIGINT)

    timers = [Timer(seconds, end), Timer(seconds + _GRACE, process.kill)]
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        yield over
    finally:
        for timer in timers:
            timer.cancel()


class _Imports:
    """Ends a build whose layer cache does not come. ``silent`` is then what it waited for."""

    def __init__(self, process: subprocess.Popen[bytes], on_event: OnEvent) -> None:
        self.silent = ""
        self._process = process
        self._on_event = on_event
        self._timers: dict[str, list[Timer]] = {}

    def on_event(self, event: Event) -> None:
        if isinstance(event, StepEvent) and event.name.startswith(_IMPORT):
            self._cancel(event.id)
            if event.state == "started":
                timers = [
                    Timer(_IMPORT_LIMIT, self._end, (event.name,)),
                    Timer(_IMPORT_LIMIT + _GRACE, self._process.kill),
                ]
                self._timers[event.id] = timers
                for timer in timers:
                    timer.daemon = True
                    timer.start()
        self._on_event(event)

    def __enter__(self) -> _Imports:
        return self

    def __exit__(self, *_: object) -> None:
        for id in list(self._timers):
            self._cancel(id)

    def _end(self, name: str) -> None:
        self.silent = name
        self._process.send_signal(signal.SIGINT)

    def _cancel(self, id: str) -> None:
        for timer in self._timers.pop(id, ()):
            timer.cancel()


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=_GRACE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.communicate()


def _digest(metadata: Path) -> str:
    try:
        found = json.loads(metadata.read_text())
        return str(found["containerimage.digest"])
    except (OSError, ValueError, KeyError):
        raise EngineError(
            Diagnostic(
                "IB507",
                "the builder did not say which image it made",
                help="`imagebuilder doctor` checks buildx's version",
            )
        ) from None
