"""The public face: these names, and nothing heavy behind them until it is asked for."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import imagebuilder
from imagebuilder.options import BuildKeywords
from imagebuilder.store import Resources

PUBLIC = [
    "AsyncClient",
    "BuildError",
    "Client",
    "CodeRunParams",
    "CompileError",
    "CreateSandboxFromImageParams",
    "CreateSandboxFromSnapshotParams",
    "CreateSnapshotParams",
    "Diagnostic",
    "EngineError",
    "FileUpload",
    "Image",
    "ImagebuilderError",
    "Interrupted",
    "Resources",
    "Sandbox",
    "SandboxError",
    "Secret",
    "SessionExecuteRequest",
    "Snapshot",
    "__version__",
    "build",
    "expand",
]
HEAVY = (
    "pygls",
    "lsprotocol",
    "pydantic",
    "jinja2",
    "rich",
    "lark",
    "sqlite3",
    "argparse",
    "platformdirs",
    "http.client",
    "ssl",
    "tomllib",
)


def test_the_names() -> None:
    assert imagebuilder.__all__ == PUBLIC
    assert dir(imagebuilder) == PUBLIC


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "__version__"])
def test_each_is_there_and_explained(name: str) -> None:
    value = getattr(imagebuilder, name)
    assert getattr(imagebuilder, name) is value
    assert inspect.getdoc(value), f"{name} has no docstring"


def test_what_a_type_checker_sees_is_what_there_is() -> None:
    """The names are imported lazily, and once more for type checkers: the two lists must be one."""
    source = Path(imagebuilder.__file__).read_text()
    seen = source.partition("if TYPE_CHECKING:")[2].partition("__all__")[0]
    for name, home in imagebuilder._HOMES.items():
        assert name in seen and f"from {home} import" in seen
    assert sorted([*imagebuilder._HOMES, "__version__"]) == PUBLIC


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Imgae'"):
        imagebuilder.Imgae  # noqa: B018


def test_errors() -> None:
    """One base, and an exit code each."""
    codes = {"CompileError": 2, "BuildError": 1, "SandboxError": 1, "EngineError": 3, "Interrupted": 130}
    for name, code in codes.items():
        kind = getattr(imagebuilder, name)
        assert issubclass(kind, imagebuilder.ImagebuilderError) and kind.exit_code == code


def test_signatures() -> None:
    """Parameters are part of the face, with their order and defaults."""
    assert str(inspect.signature(imagebuilder.CreateSnapshotParams)) == (
        "(name: 'str', image: 'str | Image', resources: 'Resources | None' = None, "
        "entrypoint: 'Sequence[str] | None' = None) -> None"
    )
    assert list(inspect.signature(imagebuilder.Client).parameters) == ["home", "engine", "cache", "unused_after"]
    build = inspect.signature(imagebuilder.Client.build)
    assert list(build.parameters) == [
        "self", "image", "name", "platform", "build_args", "secrets", "ca", "builder", "no_cache", "cache",
        "push", "attest", "refresh", "resources", "timeout", "on_event", "lock", "locked", "reproducible",
    ]  # fmt: skip
    assert [n for n, p in build.parameters.items() if p.default is p.empty] == ["self", "image", "name"]
    assert ["self", "image", "name", *BuildKeywords.__annotations__] == list(build.parameters)
    assert Resources() == Resources(cpu=1, memory=1, disk=3, gpu=0)


def modules(code: str, cwd: Path) -> set[str]:
    """The modules that a program has imported at its end, above those of a Python that runs nothing."""
    program = f"import sys\nbefore = set(sys.modules)\n{code}\nimport json\n"
    program += "print(json.dumps(sorted(set(sys.modules) - before)), file=sys.__stderr__)"
    done = subprocess.run([sys.executable, "-c", program], cwd=cwd, capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_importing_costs_next_to_nothing(tmp_path: Path) -> None:
    found = modules("import imagebuilder", tmp_path)
    assert {name for name in found if name.partition(".")[0] == "imagebuilder"} == {
        "imagebuilder",
        "imagebuilder.version",
    }
    assert not found & set(HEAVY)


def main(*words: str) -> str:
    return f"from imagebuilder.__main__ import main\nassert main({list(words)!r}) == 0"


def test_version_imports_nothing_of_its_own(tmp_path: Path) -> None:
    found = modules(main("--version"), tmp_path)
    assert {n for n in found if n.startswith("imagebuilder")} == {
        "imagebuilder", "imagebuilder.__main__", "imagebuilder.version",
    }  # fmt: skip
    assert not found & set(HEAVY)


def test_help_imports_no_front_end(tmp_path: Path) -> None:
    found = modules(main("--help"), tmp_path)
    assert "argparse" in found
    assert not found & (set(HEAVY) - {"argparse"})


def test_hash_imports_no_back_end(tmp_path: Path) -> None:
    (tmp_path / "spec.py").write_text(
        'from imagebuilder import Image\nimage = Image.debian_slim().pip_install("six")\n'
    )
    found = modules(main("hash", "spec.py"), tmp_path)
    assert "pydantic" in found
    assert not found & {"jinja2", "rich", "lark", "sqlite3", "http.client", "ssl"}
    assert not {name for name in found if name.startswith(("imagebuilder.backends", "imagebuilder.engine"))}


def test_render_imports_no_engine(tmp_path: Path) -> None:
    (tmp_path / "spec.py").write_text("from imagebuilder import Image\nimage = Image.scratch()\n")
    found = modules(main("render", "spec.py"), tmp_path)
    assert "jinja2" in found
    assert not {name for name in found if name.startswith(("imagebuilder.engine", "imagebuilder.store", "rich"))}
