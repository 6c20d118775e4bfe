"""Whatever string is given, the image holds that string, byte for byte; or it was refused before anything was built.

A real engine builds a few images that hold hundreds of hostile strings each. What
comes back is read from the engine's own inspection of the image, or printed by a
program in a container.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from imagebuilder import CompileError, Image
from imagebuilder.client import Client
from imagebuilder.compiler import compile
from imagebuilder.diagnostics import Diagnostic, Span
from imagebuilder.engine.docker import DockerEngine
from imagebuilder.ir.ops import Env, WriteFiles
from imagebuilder.ir.stage import Step
from imagebuilder.ir.words import Expansion, Var, expand
from tests.property.hostile import LONG, hostile

BASE = "python:3.13-slim-trixie"
VALUES = (*hostile(), *LONG)
# File names: neither slashes nor the folder itself, and no longer than Linux takes.
NAMES = tuple(v for v in hostile() if v not in ("", ".", "..") and "/" not in v and len(v.encode()) <= 240)
# An image has at most 127 layers.
LAYERS = 100

# Prints the words of its command line, or all below a folder, as JSON that is ASCII alone.
DUMP = """
import json, os, sys
mode, *words = sys.argv[1:]
if mode == "argv":
    print(json.dumps([os.fsencode(word).hex() for word in words]))
elif mode == "append":
    with open("/words.json", "a") as file:
        print(json.dumps([os.fsencode(word).hex() for word in words]), file=file)
else:
    found = {}
    for root in words:
        top = os.fsencode(root)
        for folder, folders, files in os.walk(top):
            for name in folders:
                found[os.path.join(folder, name).hex()] = None
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    found[os.path.join(folder, name).hex()] = file.read().hex()
    print(json.dumps(found))
"""


def program(image: Image) -> Image:
    return image.add_text(DUMP, "/dump.py")


def refused(make: Callable[[str], Image], values: Iterable[str]) -> list[str]:
    """The values that do not compile; each is refused with a code and a way out."""
    found: list[tuple[str, tuple[Diagnostic, ...]]] = []
    for value in values:
        try:
            compile(make(value)).dockerfile(ca=True)
        except CompileError as error:
            found.append((value, error.diagnostics))
    assert all(d.code.startswith("IB") and d.message and d.help for _, refusals in found for d in refusals)
    return [value for value, _ in found]


def config(client: Client, image: Image, name: str) -> dict[str, Any]:
    """The configuration of the built image, as the engine has it."""
    snapshot = client.build(image, name=name)
    engine = client.engine
    assert isinstance(engine, DockerEngine)
    found = engine.api.image(snapshot.image)
    assert found is not None
    inner: dict[str, Any] = found["Config"]
    return inner


def files(client: Client, image: Image, name: str, *folders: str) -> dict[str, bytes | None]:
    """What lies below the folders of the built image: names and contents, folders as None."""
    client.build(program(image), name=name)
    done = client.run(name, ["python3", "/dump.py", "walk", *folders])
    assert done.exit_code == 0, done.stderr
    return {
        bytes.fromhex(path).decode(): None if content is None else bytes.fromhex(content)
        for path, content in json.loads(done.stdout).items()
    }


def joined(stages: Iterable[Image], folder: str) -> Image:
    """One image with what every stage has in the folder."""
    image = Image.base(BASE)
    for stage in stages:
        image = image.copy_from(stage, folder, folder)
    return image


def batches(values: Iterable[str]) -> list[list[tuple[int, str]]]:
    numbered = list(enumerate(values))
    return [numbered[at : at + LAYERS] for at in range(0, len(numbered), LAYERS)]


def words_of(text: str) -> list[str]:
    return [bytes.fromhex(word).decode() for word in json.loads(text)]


def test_there_are_at_least_300_hostile_strings() -> None:
    assert len(VALUES) >= 300 and len(NAMES) >= 250 and len(set(VALUES)) == len(VALUES)
    for character in "\n\r\t\\\"'$ #":
        assert sum(character in value for value in VALUES) >= 20, character


def test_settings_arrive(client: Client) -> None:
    keys = [value for value in VALUES if value.strip()]
    assert refused(lambda v: Image.scratch().env(A=v), VALUES) == []
    assert refused(lambda v: Image.scratch().entrypoint([v]).cmd([v]).healthcheck([v]), VALUES) == []
    assert refused(lambda v: Image.scratch().label({"a": v}), VALUES) == []
    assert refused(lambda v: Image.scratch().label({v: "a"}), VALUES) == [v for v in VALUES if not v.strip()]
    assert refused(lambda v: Image.scratch().volume("/" + v), VALUES) == []
    found = config(
        client,
        Image.base(BASE)
        .env({f"V{n}": value for n, value in enumerate(VALUES)})
        .label({key: str(n) for n, key in enumerate(keys)})
        .label({f"value-{n}": value for n, value in enumerate(VALUES)})
        .volume(*("/" + value for value in VALUES))
        .healthcheck([*VALUES])
        .entrypoint([*VALUES])
        .cmd([*VALUES]),
        "settings",
    )
    env = dict(pair.split("=", 1) for pair in found["Env"])
    assert {n: env.pop(f"V{n}") for n in range(len(VALUES))} == dict(enumerate(VALUES))
    assert not [name for name in env if name.startswith("IB_")]
    assert {key: found["Labels"][key] for key in keys} == {key: str(n) for n, key in enumerate(keys)}
    assert [found["Labels"][f"value-{n}"] for n in range(len(VALUES))] == [*VALUES]
    assert set(found["Volumes"]) == {"/" + value for value in VALUES}
    assert found["Healthcheck"]["Test"] == ["CMD", *VALUES]
    assert found["Entrypoint"] == [*VALUES]
    assert found["Cmd"] == [*VALUES]


def test_names_of_variables_arrive(client: Client) -> None:
    """Names that the environment takes, though no shell would; those that it cannot take are refused."""
    impossible = [v for v in hostile() if not v or any(c in v for c in "=\"'\\$") or any(c.isspace() for c in v)]
    assert refused(lambda v: Image.scratch().env({v: "a"}), hostile()) == impossible
    names = [v for v in hostile() if v not in impossible]
    assert len(names) > 100
    found = config(client, Image.base(BASE).env({name: str(n) for n, name in enumerate(names)}), "names")
    assert dict(pair.split("=", 1) for pair in found["Env"]).items() >= {v: str(n) for n, v in enumerate(names)}.items()


def test_arguments_and_expansions_arrive(client: Client) -> None:
    """A value stays itself when it passes through ARG, stands beside a variable, or is a variable's default."""
    image = Image.base(BASE).env(HALF="½")
    for number, value in enumerate(VALUES):
        image = image.arg(f"A{number}", value)
    image = image.env({f"V{n}": expand(f"$A{n}") for n in range(len(VALUES))})
    beside = {f"B{n}": Expansion(parts=(v, Var(name="HALF"), v)) for n, v in enumerate(hostile())}
    default = {f"D{n}": Expansion(parts=(Var(name="UNSET", modifier=":-", word=v),)) for n, v in enumerate(hostile())}
    step = Step(Env.model_validate({"variables": {**beside, **default}}))
    found = config(client, Image(image.stage.then(step)), "expansions")
    env = dict(pair.split("=", 1) for pair in found["Env"])
    assert [env[f"V{n}"] for n in range(len(VALUES))] == [*VALUES]
    assert [env[f"B{n}"] for n in range(len(hostile()))] == [f"{v}½{v}" for v in hostile()]
    assert [env[f"D{n}"] for n in range(len(hostile()))] == [*hostile()]


def test_patterns_of_expansions_arrive(client: Client) -> None:
    """``${X##…}``, ``${X%%…}`` and ``${X/…/…}`` cut and replace text that holds every special character."""
    # A byte order mark at the edge of a pattern is refused: BuildKit passes over it.
    odd = [v for v in hostile() if v and "\ufeff" not in (v[0], v[-1]) and not any(c in v for c in "\\*?\r\n")]
    variables: dict[str, Any] = {}
    for number, value in enumerate(odd):
        variables[f"X{number}"] = f"{value}¦{value}"
    cut = {}
    for number, value in enumerate(odd):
        name = f"X{number}"
        cut[f"A{number}"] = Expansion(parts=(Var(name=name, modifier="##", word=value),))
        cut[f"B{number}"] = Expansion(parts=(Var(name=name, modifier="%%", word=value),))
        cut[f"C{number}"] = Expansion(parts=(Var(name=name, modifier="/", word="¦", replacement=value),))
    image = Image.base(BASE).env(variables)
    found = config(client, Image(image.stage.then(Step(Env.model_validate({"variables": cut})))), "patterns")
    env = dict(pair.split("=", 1) for pair in found["Env"])
    assert [env[f"A{n}"] for n in range(len(odd))] == [f"¦{v}" for v in odd]
    assert [env[f"B{n}"] for n in range(len(odd))] == [f"{v}¦" for v in odd]
    assert [env[f"C{n}"] for n in range(len(odd))] == [v * 3 for v in odd]


def test_words_of_commands_arrive(client: Client) -> None:
    """As an argument vector, and as shell text made by shlex: alone, in one script, and beside other commands."""
    assert refused(lambda v: Image.scratch().run_commands(["x", v]), VALUES) == []
    returns = [v for v in VALUES if "\r" in v]
    assert refused(lambda v: Image.scratch().run_commands("x " + shlex.quote(v)), VALUES) == returns
    plain = [v for v in VALUES if "\r" not in v]
    short = [v for v in plain if v not in LONG]
    append = ["python3", "/dump.py", "append"]
    image = (
        program(Image.base(BASE))
        .run_commands([*append, *VALUES])
        .run_commands(shlex.join([*append, *short]))
        .run_commands(*(shlex.join([*append, v]) for v in short))
        .run_commands(*([*append, v] for v in hostile()))
    )
    one_line = [v for v in plain if v and "\n" not in v][:: len(plain) // 60]
    for value in one_line:
        image = image.run_commands(shlex.join([*append, value]))
    client.build(image, name="words")
    done = client.run("words", ["cat", "/words.json"])
    lines = [words_of(line) for line in done.stdout.splitlines()]
    assert lines[0] == [*VALUES]
    assert lines[1] == short
    rest = [line[0] for line in lines[2:]]
    assert rest == [*short, *hostile(), *one_line]


def test_a_shell_command_of_any_shape_is_the_text_that_the_shell_gets(client: Client) -> None:
    """The whole of the command is the hostile text: what surrounds it in the Dockerfile must not reach it."""
    recorder = ["python3", "/dump.py", "append"]
    texts = [v for v in hostile() if v]
    odd = [
        v for v in texts if v != v.strip() or v[0] in "-[#<" or "<<" in v or v.endswith("\\") or "\n" in v or "`" in v
    ]
    image = program(Image.base(BASE)).shell(recorder)
    chosen = (odd + [v for v in texts if v not in odd])[:LAYERS]
    assert len(odd) > 40
    for text in chosen:
        image = Image(image.stage.then(Step(_run(text))))
    client.build(image, name="shapes")
    done = client.run("shapes", ["cat", "/words.json"])
    lines = [words_of(line) for line in done.stdout.splitlines()]
    # A script is a text of lines; one without a line end gets it.
    assert [line[-1].removesuffix("\n") for line in lines] == [text.removesuffix("\n") for text in chosen]


def _run(text: str) -> Any:
    from imagebuilder.ir.ops import Run

    return Run(command=text)


def test_working_folders_and_destinations_arrive(client: Client) -> None:
    """WORKDIR makes a folder of that very name; add_text, a file of that very name and content."""
    assert refused(lambda v: Image.scratch().workdir("/w/" + v).add_text("x", "/w/" + v), NAMES) == []
    stages = []
    for batch in batches(NAMES):
        stage = Image.base(BASE)
        for _, value in batch:
            stage = stage.workdir("/w/" + value)
        stages.append(stage)
    found = files(client, joined(stages, "/w/").workdir("/w/" + NAMES[-1]), "folders", "/w")
    assert found == {"/w/" + value: None for value in NAMES}


def test_text_files_arrive(client: Client) -> None:
    assert refused(lambda v: Image.scratch().add_text(v, "/t"), VALUES) == []
    stages = []
    expected = {}
    for number, batch in enumerate(batches(VALUES)):
        stage = Image.base(BASE)
        expected[f"/t/{number}"] = None
        for index, value in batch:
            name = NAMES[index] if index < len(NAMES) else str(index)
            stage = stage.add_text(value, f"/t/{number}/{name}")
            expected[f"/t/{number}/{name}"] = value.encode()
        stages.append(stage)
    assert files(client, joined(stages, "/t/"), "texts", "/t") == expected


def test_local_files_and_their_names_arrive(client: Client, tmp_path: Path) -> None:
    """A folder of odd names, single files of odd names, and each copied once more from another stage by its name."""
    folder = tmp_path / "names"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(VALUES[number].encode())
    source = Image.base(BASE).add_local_dir(folder, "/names")
    expected: dict[str, bytes | None] = {"/names/" + name: VALUES[n].encode() for n, name in enumerate(NAMES)}
    stages = []
    for batch in batches(NAMES):
        stage = Image.base(BASE)
        for number, name in batch:
            stage = stage.copy_from(source, "/names/" + name, "/copies/" + name)
            expected["/copies/" + name] = VALUES[number].encode()
        stages.append(stage)
    image = joined(stages, "/copies/").copy_from(source, "/names", "/names")
    for number, name in list(enumerate(NAMES))[:: len(NAMES) // 40]:
        image = image.add_local_file(folder / name, f"/single/{number}")
        expected[f"/single/{number}"] = VALUES[number].encode()
    assert files(client, image, "names-of-files", "/names", "/copies", "/single") == expected


def test_texts_with_variables_arrive(client: Client) -> None:
    """A here-document that expands variables keeps all that is not one."""
    values = [v for v in hostile() if "\r" not in v]
    parts: list[str | Var] = []
    for value in values:
        parts += [value, Var(name="HALF"), Var(name="UNSET", modifier=":-", word=value), "\n"]
    op = WriteFiles(files=(("", Expansion(parts=tuple(parts))),), dest="/x/expanded")
    image = Image(Image.base(BASE).env(HALF="½").stage.then(Step(op)))
    assert files(client, image, "expanded", "/x") == {"/x/expanded": "".join(f"{v}½{v}\n" for v in values).encode()}


def pattern(modifier: str, text: str) -> Image:
    var = Var.model_validate({"name": "A", "modifier": modifier, "word": text})
    place = Span("spec.py", 1)
    return Image(Image.scratch().stage.then(Step(Env(variables=(("A", Expansion(parts=(var,))),)), place)))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: Image.scratch().env(A="a\0b"), "IB101"),
        (lambda: Image.scratch().cmd(["\ud800"]), "IB101"),
        (lambda: Image.scratch().env(A="x" * 100_001), "IB102"),
        (lambda: Image.scratch().cmd(["x" * 70_000]), "IB144"),
        (lambda: Image.scratch().run_commands("x" * 70_000), "IB144"),
        (lambda: Image.scratch().label({" ": "x"}), "IB103"),
        (lambda: Image.scratch().volume(" "), "IB103"),
        (lambda: Image.scratch().workdir("a"), "IB109"),
        (lambda: Image.scratch().workdir("/" + "x" * 256), "IB132"),
        (lambda: Image.scratch().add_text("x", "/" + "x/" * 2048), "IB132"),
        (lambda: Image.scratch().add_text("x", "/a/"), "IB133"),
        (lambda: Image.scratch().run_commands("x", cache="/a b"), "IB142"),
        (lambda: Image.scratch().run_commands("x", cache="/a,b"), "IB142"),
        *((lambda m=m: pattern(m, "\ufeffx"), "IB141") for m in ("#", "##", "/", "//")),
        *((lambda m=m: pattern(m, "x\ufeff"), "IB141") for m in ("%", "%%")),
    ],
)
def test_what_cannot_arrive_is_refused(make: Callable[[], Image], code: str) -> None:
    with pytest.raises(CompileError) as caught:
        compile(make()).dockerfile()
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert caught.value.diagnostics[0].help and caught.value.diagnostics[0].place is not None
