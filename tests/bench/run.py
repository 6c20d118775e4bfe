"""`make bench`: figures beside a peer's, measured in turn in one run on this machine.

Absolute times say little about another machine; the ratios and differences do.
Each figure is the median of several runs, with the least and the most.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from edit_loop import edit_loop
from measure import in_turn, run, show
from sandboxes import sandboxes

from imagebuilder.backends.dockerfile import FOLDER, ca
from imagebuilder.client import Client
from imagebuilder.compiler import compile
from imagebuilder.context.staging import stage_tree
from imagebuilder.engine.docker import DockerEngine, connect
from imagebuilder.frontends.image import Image
from imagebuilder.frontends.snap import grammar as snap_grammar
from imagebuilder.frontends.snap import load
from imagebuilder.home import home


def main() -> None:
    """Print all figures; an engine is started where none answers."""
    cli = [sys.executable, "-m", "imagebuilder"]
    running = subprocess.run([*cli, "engine", "status"], capture_output=True, check=False).returncode == 0
    for words in (("engine", "start", "--if-needed"), ("base", "build", "--if-needed", "3.13")):
        subprocess.run([*cli, *words], check=True, stdout=subprocess.DEVNULL)
    try:
        start = startup()
        overhead(connect(home()), start)
        compile_time(connect(home()))
        snap_file(connect(home()))
        grammar()
        sandboxes(connect(home()))
        edit_loop(connect(home()))
        # Programs of their own, since they need what the tests on real engines have.
        for program in ("tests.bench.fresh_runner", "tests.bench.packages"):
            subprocess.run([sys.executable, "-m", program], check=True)
        subprocess.run([sys.executable, str(Path(__file__).with_name("fingerprints.py"))], check=True)
    finally:
        if not running:
            subprocess.run([*cli, "engine", "stop"], check=True, stdout=subprocess.DEVNULL)


def startup() -> float:
    """`imagebuilder --version` beside a bare interpreter; the latter's median in seconds."""
    script = Path(sys.executable).with_name("imagebuilder")
    ours, bare = in_turn(
        21,
        lambda _: run(str(script), "--version"),
        lambda _: run(sys.executable, "-c", "pass"),
    )
    show("start-up", "imagebuilder --version", ours, "python -c pass", bare)
    return statistics.median(bare)


def overhead(engine: DockerEngine, start: float) -> None:
    """A build of cached steps whose label is new each time, so that neither side may skip it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "src").mkdir()
        for number in range(100):
            (folder / "src" / f"{number}.py").write_text(f"print({number})\n")
        env = {**os.environ, "IMAGEBUILDER_HOME": scratch + "/home", "DOCKER_HOST": engine.endpoint.host}
        env["DOCKER_CONFIG"] = str(folder / "docker")
        plugins = folder / "docker" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-buildx").symlink_to(engine.buildx().program)

        def spec(number: int) -> Path:
            path = folder / f"app{number}.py"
            path.write_text(
                "from imagebuilder import Image\n"
                "image = Image.debian_slim('3.13').add_local_dir('src', '/app/src').run_commands('true')"
                f".label({{'run': '{number}'}})\n"
            )
            return path

        def ours(number: int) -> object:
            return run(sys.executable, "-m", "imagebuilder", "build", str(spec(number)), "--name", "bench", env=env)

        bundle = os.environ.get("SSL_CERT_FILE")

        def bare(number: int, *program: str) -> object:
            return run(
                *program, "build", "--progress=rawjson", "--provenance=false", "--load", f"--metadata-file={folder}/m",
                "--tag=bench:bare", f"--file={folder}/Dockerfile{number}", f"--build-context={name}={staged}",
                *((f"--secret=id={ca.SECRET},src={bundle}", f"--secret=id={ca.PATH_SECRET},env=CA") if bundle else ()),
                str(empty), env={**env, "CA": ca.PATH, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
            )  # fmt: skip

        empty = folder / "empty"
        empty.mkdir()
        first = Image.debian_slim("3.13").add_local_dir(str(folder / "src"), "/app/src").run_commands("true")
        name = staged = ""
        runs = 12
        for number in range(2 * runs, 2 * runs + 100):
            plan = compile(first.label({"run": str(number)}))
            dockerfile = plan.dockerfile(ca=True)
            (folder / f"Dockerfile{number}").write_text(dockerfile.text)
            if not name:
                context = dockerfile.contexts[0]
                name, staged = context.name, str(folder / "staged")
                Path(staged).mkdir()
                assert isinstance(context.content, tuple)
                stage_tree(plan.trees[context.content], Path(staged) / FOLDER)
        program = str(engine.buildx().program)
        tool, plain = in_turn(runs, ours, lambda n: bare(n + 2 * runs, program))
        show("build, all cached", "imagebuilder build", tool, "buildx build (the plugin itself)", plain)
        more = statistics.median(tool) - statistics.median(plain)
        print(f"  the tool adds {more * 1000:.0f} ms, {(more - start) * 1000:.0f} ms beyond Python's own start")
        client = Client(home=folder / "home", engine=engine)

        def inside(number: int) -> object:
            return client.build(first.label({"run": str(number)}), name="bench")

        warm, plain = in_turn(runs - 2, lambda n: inside(n + 200), lambda n: bare(n + 2 * runs + 50, program))
        show("the same, in a running program", "Client.build", warm, "buildx build (the plugin itself)", plain)
        print(f"  the tool adds {(statistics.median(warm) - statistics.median(plain)) * 1000:.0f} ms")
        if docker := shutil.which("docker"):
            tool, plain = in_turn(runs - 2, lambda n: ours(n + 100), lambda n: bare(n + 3 * runs, docker, "buildx"))
            show("the same", "imagebuilder build", tool, "docker buildx build", plain)
        for ref in ("imagebuilder/bench:latest", "bench:bare"):
            engine.untag(ref)


def compile_time(engine: DockerEngine) -> None:
    """A 1,000-step image in process, beside BuildKit's own check of the Dockerfile that comes of it."""

    def describe(steps: int) -> Image:
        image = Image.debian_slim("3.13")
        for number in range(steps // 4):
            image = (
                image.run_commands(f"echo {number}")
                .env({f"V{number}": "x y"})
                .label({f"l{number}": "z"})
                .workdir(f"/w{number}")
            )
        return image

    def compiled(steps: int) -> None:
        compile(describe(steps)).dockerfile()

    compiled(8)
    half, whole = in_turn(5, lambda _: compiled(500), lambda _: compiled(1000))
    show("describe, compile, render", "1,000 steps", whole, "500 steps", half)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "Dockerfile"
        file.write_text(compile(describe(1000)).dockerfile().text)
        env = {**os.environ, "DOCKER_HOST": engine.endpoint.host, "BUILDX_CONFIG": folder + "/buildx"}
        check = [str(engine.buildx().program), "build", "--call=check", f"--file={file}", folder]
        ours, theirs = in_turn(3, lambda _: compiled(1000), lambda _: run(*check, env=env, any_code=True))
        show("describe, compile, render", "1,000 steps", ours, "buildx build --call=check of it", theirs)


def snap_file(engine: DockerEngine) -> None:
    """A .snap file of 1,000 statements, beside one of 10,000 and beside BuildKit's check of the Dockerfile it renders."""

    def text(statements: int) -> str:
        # Each number is as long as the others, so that ten times the statements are ten times the text.
        lines = [
            f'run_commands "echo {number:04}"\nenv V{number:04}="x y"\nlabel l{number:04}=z\nworkdir /w{number:04}\n'
            for number in range(statements // 4)
        ]
        return f"snap 1\nimage it from debian_slim 3.13 {{\n{''.join(lines)}}}\n"

    def rendered(source: str) -> str:
        return compile(load("bench.snap", source=source).images["it"]).dockerfile().text

    small, large = text(1_000), text(10_000)
    rendered(text(8))
    ten, one = in_turn(6, lambda _: rendered(large), lambda _: rendered(small))
    show("a .snap file: parse, compile, render", "10,000 statements", ten, "1,000 statements", one)
    # Between these two lies a processor's cache, which each passes once; beyond it, time is the text's.
    largest = text(36_000)
    more, ten = in_turn(4, lambda _: rendered(largest), lambda _: rendered(large))
    show("the same", "36,000 statements (3.6 times)", more, "10,000 statements", ten)
    # What a matrix says in a few words is measured beside all that it says.
    names = [f"a{number:03}" for number in range(256)]
    body = "".join(f"env V{number:02}=x\n" for number in range(32))
    cells = f'matrix v=[{", ".join(names)}] {{\nsnapshot "s-{{v}}" from debian_slim 3.13 {{\n{body}}}\n}}\n'
    each = "".join(f'snapshot "s-{name}" from debian_slim 3.13 {{\n{body}}}\n' for name in names)
    short, whole = in_turn(
        6, lambda _: load("a.snap", source="snap 1\n" + cells), lambda _: load("a.snap", source="snap 1\n" + each)
    )
    show("a .snap file: 256 images of 32 statements", "one matrix", short, "written out", whole)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "Dockerfile"
        file.write_text(rendered(small))
        env = {**os.environ, "DOCKER_HOST": engine.endpoint.host, "BUILDX_CONFIG": folder + "/buildx"}
        check = [str(engine.buildx().program), "build", "--call=check", f"--file={file}", folder]
        ours, theirs = in_turn(6, lambda _: rendered(small), lambda _: run(*check, env=env, any_code=True))
        show("the same", "1,000 statements", ours, "buildx build --call=check of it", theirs)


def grammar() -> None:
    """The parser's generated tables, beside building them from grammars/snap.lark; each without Lark's import."""
    text = (Path(__file__).parents[2] / "grammars" / "snap.lark").read_text()
    tables, built = in_turn(8, lambda _: snap_grammar._parser.__wrapped__(), lambda _: snap_grammar.table(text))
    show("the .snap grammar", "from its tables", tables, "from grammars/snap.lark", built)


if __name__ == "__main__":
    main()
