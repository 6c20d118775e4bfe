"""A large folder is copied in parts: the image holds what a plain copy puts there, and a change costs its part."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from imagebuilder import Client, Image
from imagebuilder.backends.dockerfile import FOLDER
from imagebuilder.compiler import Plan, compile
from imagebuilder.context.staging import stage_tree
from imagebuilder.engine.protocol import BuildRequest
from tests.engine.test_build import docker

MTIME = 1_600_000_000


@pytest.fixture
def name(env: dict[str, str]) -> Iterator[str]:
    """A name that nobody else builds; its images go with the test."""
    made = f"test-cut-{uuid4().hex[:12]}"
    yield made
    tags = docker(env, "images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference=*{made}*")
    tags += "\n" + docker(env, "images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference=*/{made}*")
    if tags.strip():
        docker(env, "rmi", "--force", *set(tags.split()))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Large enough to be cut, with all that a tree can hold."""
    root = tmp_path / "project/src"
    for number in range(3000):
        write(root / f"pkg{number % 60}/sub/f{number}.py", f"{number}\n" * 3)
    for number in range(1200):
        write(root / f"many/{number}.txt", str(number))
    write(root / "top.txt", "at the top")
    write(root / "large/one.bin", "x" * (2 << 20))
    write(root / "odd name/ü'\"$&*?[x]\\ \n.txt", "odd")
    write(root / ".dockerignore", "ignored\n")
    write(root / "ignored", "not to be seen")
    write(root / "run.sh", "#!/bin/sh\n").chmod(0o700)
    (root / "empty/inside").mkdir(parents=True)
    (root / "links").mkdir()
    (root / "links/up").symlink_to("../top.txt")
    (root / "links/folder").symlink_to("../pkg1")
    (root / "links/nowhere").symlink_to("/no/where")
    for number, path in enumerate(sorted(root.rglob("*"), reverse=True)):
        os.utime(path, (MTIME + number, MTIME + number), follow_symlinks=False)
    return root


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def edit(path: Path, text: str) -> None:
    """With size and time as they were, where the text is as long."""
    status = path.stat()
    path.write_text(text)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def plain(client: Client, plan: Plan, tag: str, folder: Path) -> str:
    """The image that the Dockerfile as it is rendered makes."""
    dockerfile = plan.dockerfile()
    (folder / "main").mkdir(parents=True)
    (folder / "Dockerfile").write_text(dockerfile.text)
    contexts = {}
    for context in dockerfile.contexts:
        assert isinstance(context.content, tuple)
        contexts[context.name] = folder / context.name
        contexts[context.name].mkdir()
        stage_tree(plan.trees[context.content], contexts[context.name] / FOLDER)
    request = BuildRequest(
        dockerfile=folder / "Dockerfile",
        context=folder / "main",
        tag=tag,
        platform=plan.platform,
        contexts=contexts,
        no_cache=True,
    )
    client.engine.build(request, lambda _: None)
    shutil.rmtree(folder)
    return tag


def listing(env: dict[str, str], image: str, below: str) -> dict[str, tuple[object, ...]]:
    """What a container of the image sees: everything but the times of folders that the tree has not."""
    container = docker(env, "create", image, "none")
    found: dict[str, tuple[object, ...]] = {}
    try:
        process = subprocess.Popen([env["TEST_DOCKER"], "export", container], env=env, stdout=subprocess.PIPE)
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
            for member in tar:
                path = f"/{member.name}"
                if path == below or path.startswith(below + "/"):
                    file = tar.extractfile(member) if member.isfile() else None
                    content = hashlib.sha256(file.read()).hexdigest() if file else ""
                    time = member.mtime if path != below else 0
                    found[path] = (member.type, member.mode, member.uid, member.gid, time, member.linkname, content)
        assert process.wait() == 0
    finally:
        docker(env, "rm", container)
    return found


def layers(env: dict[str, str], image: str) -> list[str]:
    return docker(env, "image", "inspect", "--format", "{{range .RootFS.Layers}}{{println .}}{{end}}", image).split()


def base() -> Image:
    return Image.debian_slim("3.13")


CASES = {
    "linked": lambda root: base().add_local_dir(root, "/app/src"),
    "with an owner": lambda root: base().add_local_dir(root, "/app/src", chown="1000:1001"),
    "after a command": lambda root: (
        base().run_commands("mkdir -p /app/src/pkg1 && chmod 700 /app/src/pkg1").add_local_dir(root, "/app/src")
    ),
    "through a link": lambda root: base().run_commands("mkdir /app && ln -s /app /x").add_local_dir(root, "/x/src"),
    "a folder of a Dockerfile's context": lambda root: Image.from_dockerfile(
        write(root.parent / "Dockerfile", "FROM python:3.13-slim-trixie\nWORKDIR /app\nCOPY src src\n"), root.parent
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_file_system_as_a_plain_copy(
    case: str, client: Client, env: dict[str, str], source: Path, tmp_path: Path, name: str
) -> None:
    image = CASES[case](source)
    plan = compile(image)
    whole = listing(env, plain(client, plan, f"{name}:plain", tmp_path / "plain"), "/app/src")
    assert len(whole) > 4200 and "/app/src/empty/inside" in whole
    snapshot = client.build(image, name=name)
    assert snapshot.key == plan.key
    assert len(layers(env, snapshot.image)) > len(layers(env, f"{name}:plain")) + 10
    assert listing(env, snapshot.image, "/app/src") == whole
    assert len([step for step in snapshot.steps if step.op in ("add_local_dir", "copy")]) == 1


def test_a_change_costs_its_part_and_then_only_the_last(
    client: Client, env: dict[str, str], source: Path, tmp_path: Path, name: str
) -> None:
    def built() -> list[str]:
        """The layers, once they hold what a plain copy would."""
        plan = compile(image := base().add_local_dir(source, "/app/src"))
        snapshot = client.build(image, name=name)
        tag = plain(client, plan, f"{name}:plain", tmp_path / "plain")
        assert listing(env, snapshot.image, "/app/src") == listing(env, tag, "/app/src")
        return layers(env, snapshot.image)

    first = built()
    edit(source / "pkg7/sub/f7.py", "9\n9\n9\n")
    second = built()
    assert len(set(first) - set(second)) == 2 and first[-1] != second[-1]
    edit(source / "pkg7/sub/f7.py", "8\n8\n8\n")
    third = built()
    assert second[:-1] == third[:-1] and second[-1] != third[-1]
    # Added, removed, and an executable bit: of files whose parts are others.
    write(source / "pkg9/new.py", name)
    (source / "pkg7/sub/f7.py").unlink()
    (source / "many/5.txt").chmod(0o755)
    fourth = built()
    assert len(set(third) - set(fourth)) <= 3
    assert set(first) - set(fourth)


def test_an_edit_that_keeps_size_and_time_is_seen(client: Client, env: dict[str, str], source: Path, name: str) -> None:
    for text in ("1\n1\n1\n", "2\n2\n2\n", "1\n1\n1\n", "3\n3\n3\n"):
        edit(source / "pkg1/sub/f1.py", text)
        snapshot = client.build(base().add_local_dir(source, "/app/src"), name=name)
        said = docker(env, "run", "--rm", "--network=none", snapshot.image, "cat", "/app/src/pkg1/sub/f1.py")
        assert said == text.strip()


def test_two_large_projects_that_look_alike(
    client: Client, env: dict[str, str], source: Path, tmp_path: Path, name: str
) -> None:
    """One name, and files of one size and time; what differs is in a part that both have."""
    other = tmp_path / "other/src"
    shutil.copytree(source, other, symlinks=True)
    edit(other / "pkg1/sub/f1.py", "2\n2\n2\n")
    for number, (root, text) in enumerate(((source, "1\n1\n1"), (other, "2\n2\n2"), (source, "1\n1\n1"))):
        snapshot = client.build(base().label({"run": str(number)}).add_local_dir(root, "/app/src"), name=name)
        said = docker(env, "run", "--rm", "--network=none", snapshot.image, "cat", "/app/src/pkg1/sub/f1.py")
        assert said == text


@pytest.mark.parametrize("damage", ["a byte", "a file less", "a file more", "an empty file", "a mode"])
def test_a_damaged_part_is_not_used(
    damage: str, client: Client, env: dict[str, str], home: Path, source: Path, name: str
) -> None:
    image = base().add_local_dir(source, "/app/src")
    before = client.build(image, name=name)
    whole = listing(env, before.image, "/app/src/pkg1/sub")
    path = next(home.glob("parts/*/*/files/pkg1/sub/f1.py"))
    times = path.stat().st_mtime_ns
    match damage:
        case "a byte":
            path.write_text("2\n2\n2\n")
            os.utime(path, ns=(times, times))
        case "a file less":
            path.unlink()
        case "a file more":
            path.with_name("more.py").write_text("more")
        case "an empty file":
            path.write_bytes(b"")
        case "a mode":
            path.chmod(0o600)
    edit(source / "many/7.txt", "8")
    after = client.build(image, name=name, no_cache=True)
    assert before.key != after.key
    assert listing(env, after.image, "/app/src/pkg1/sub") == whole
