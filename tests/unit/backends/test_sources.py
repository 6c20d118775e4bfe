"""Local files reach the build under names that carry their content and nothing of this machine."""

from __future__ import annotations

import re
import runpy
from hashlib import sha256
from pathlib import Path

import pytest

from imagebuilder import Image
from imagebuilder.backends.dockerfile import FOLDER, Context, Dockerfile, Text
from imagebuilder.backends.dockerfile.naming import StageNames
from imagebuilder.backends.dockerfile.sources import Sources
from imagebuilder.compiler import compile
from imagebuilder.ir.ops import LocalSource, Scratch
from imagebuilder.ir.stage import Stage
from tests.unit.backends.rendering import PLATFORM, dockerfile, rendered

SPEC = "from imagebuilder import Image\nimage = Image.base('debian').add_local_dir('.', '/app')\n"


def project(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def only(found: Dockerfile) -> Context:
    (context,) = found.contexts
    return context


def folder_context(path: Path) -> Context:
    return only(rendered(Image.base("debian").add_local_dir(path, "/app")))


def test_a_contexts_name_carries_its_contents_digest(tmp_path: Path) -> None:
    plan = compile(Image.base("debian").add_local_dir(project(tmp_path / "web", a="1"), "/app"), platform=PLATFORM)
    context = only(plan.dockerfile())
    assert not isinstance(context.content, Text)
    assert context.name == "web-" + plan.trees[context.content].digest.removeprefix("sha256:")[:12]
    assert f"COPY --from={context.name} {FOLDER}/ /app" in plan.dockerfile().text.split("\n")


def test_another_content_is_another_context(tmp_path: Path) -> None:
    """BuildKit compares only size and time with what it kept under the same name."""
    one, two = (folder_context(project(tmp_path / n / "app", a=n)) for n in ("1", "2"))
    assert one.name != two.name


def test_the_same_content_is_the_same_context(tmp_path: Path) -> None:
    one, two = (folder_context(project(tmp_path / n / "app", a="same")) for n in ("1", "2"))
    assert one.name == two.name
    image = Image.base("debian").add_local_dir(tmp_path / "1/app", "/a").add_local_dir(tmp_path / "2/app", "/b")
    assert only(rendered(image)).name == one.name


def test_two_projects_of_one_build_do_not_meet(tmp_path: Path) -> None:
    paths = [project(tmp_path / n / "app", a=n) for n in ("1", "2")]
    image = Image.base("debian")
    for path in paths:
        image = image.add_local_dir(path, f"/srv/{path.parent.name}")
    found = rendered(image).contexts
    assert len({context.name for context in found}) == 2
    assert [c.content[0] and c.content[1].path for c in found if not isinstance(c.content, Text)] == [
        str(p) for p in paths
    ]


def test_a_checkouts_own_name_does_not_show(tmp_path: Path) -> None:
    """The same project builds from the cache of another checkout."""
    texts = set()
    for checkout in ("first-checkout", "second-checkout"):
        spec = project(tmp_path / checkout, **{"spec.py": SPEC, "a": "1"}) / "spec.py"
        text = rendered(runpy.run_path(str(spec))["image"]).text
        assert checkout not in text
        texts.add(text)
    assert len(texts) == 1


def test_a_file_keeps_its_name(tmp_path: Path) -> None:
    path = project(tmp_path / "x", **{"app.conf": "a"}) / "app.conf"
    found = rendered(Image.base("debian").add_local_file(path, "/etc/"))
    assert f"COPY --from={only(found).name} {FOLDER}/app.conf /etc/app.conf" in found.text.split("\n")


@pytest.mark.parametrize(
    ("name", "slug", "source"),
    [
        ("Read Me.TXT", "read-me-txt", "files/* /x"),
        ("--link", "link", "files/--link /x"),
        ("日本", "context", "files/日本 /x"),
        ("[a]*", "a", "files/* /x"),
        (" blank\n", "blank", "files/* /x"),
        (".dockerignore", "dockerignore", "files/.dockerignore /x"),
        ("x" * 60, "x" * 40, f"files/{'x' * 60} /x"),
    ],
)
def test_an_odd_name_stays_itself(tmp_path: Path, name: str, slug: str, source: str) -> None:
    """The name of the context is plain; that of the file may matter where it is copied into a folder."""
    path = project(tmp_path / "odd", **{name: "a"}) / name
    found = rendered(Image.base("debian").add_local_file(path, "/x"))
    assert re.fullmatch(re.escape(slug) + "-[0-9a-f]{12}", only(found).name)
    assert found.text.split("\n")[-2] == f"COPY --from={only(found).name} {source}"


def test_a_text_that_no_here_document_holds_has_a_context(tmp_path: Path) -> None:
    context = only(rendered(Image.base("debian").add_text("no line end", "/etc/app.conf")))
    assert context.content == Text("app.conf", "no line end")
    assert re.fullmatch("app-conf-[0-9a-f]{12}", context.name)
    assert rendered(Image.base("debian").add_text("a line end\n", "/etc/app.conf")).contexts == ()


# Two texts, and two values, whose digests begin with the same 48 bits: somebody can look for such.
ALIKE = ("collide \x01 84885d", "collide \x01 fb589e")


def test_digests_that_begin_alike_are_told_apart() -> None:
    assert len({sha256(text.encode()).hexdigest()[:12] for text in ALIKE}) == 1
    found = rendered(Image.base("debian").env({"A": ALIKE[0], "B": ALIKE[1]}))
    names = re.findall(r"[AB]=\"\$\{(IB_VALUE_[0-9a-f]+)\}\"", found.text)
    assert [found.build_args[name] for name in names] == [*ALIKE]


def test_contexts_whose_digests_begin_alike_are_told_apart() -> None:
    sources = Sources({}, StageNames([Stage(Scratch())]))
    digests = ("0" * 64, "0" * 63 + "1")
    one, other, same = (sources._context("a", digest, Text("a", digest)) for digest in (*digests, digests[0]))
    assert one == same != other and one.name != other.name


# The main context -------------------------------------------------------------------------------------


def test_add_reads_from_the_main_context(tmp_path: Path) -> None:
    """``ADD`` has no ``--from``: its files are a folder of the context's name in the main one."""
    (tmp_path / "app.tar").write_text("a")
    found = dockerfile(tmp_path, "FROM a\nADD app.tar /x\n")
    context = only(found)
    assert context.main
    assert f"ADD {context.name}/{FOLDER}/app.tar /x" in found.text.split("\n")


def test_one_source_may_be_in_both(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    contexts = dockerfile(
        tmp_path, "FROM a\nADD a /x\nCOPY a /y\nRUN --mount=type=bind,target=/z,source=a true\n"
    ).contexts
    assert [context.main for context in contexts] == [True, False]
    assert contexts[0].name == contexts[1].name


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("COPY . /x", f"{FOLDER}/ /x"),
        ("COPY a b/ /x/", f"{FOLDER}/a {FOLDER}/b/ /x/"),
        ("COPY --parents b/c /x/", f"--parents {FOLDER}/./b/c /x/"),
        ("COPY --parents b/./c /x/", f"--parents {FOLDER}/b/./c /x/"),
    ],
)
def test_sources_lie_below_the_prefix(tmp_path: Path, line: str, written: str) -> None:
    project(tmp_path / "b", c="c")
    (tmp_path / "a").write_text("a")
    found = dockerfile(tmp_path, f"FROM a\nWORKDIR /w\n{line}\n")
    context = only(found)
    assert isinstance(context.content[1], LocalSource)
    assert found.text.split("\n")[-2] == f"COPY --from={context.name} {written}"
