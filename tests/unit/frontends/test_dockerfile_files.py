"""COPY and ADD: sources, here-documents, flags, and which ignore file applies."""

from pathlib import Path

import pytest

from imagebuilder.frontends.dockerfile import load, parse_commands
from imagebuilder.ir import ops
from imagebuilder.ir.ops import ImageSource, LocalSource
from imagebuilder.ir.words import Expansion, Var, Word


def read(folder: Path, text: str, head: str = "FROM base:1\n") -> list[ops.Op]:
    file = folder / "Dockerfile"
    file.write_text(head + text, newline="")
    return [step.op for step in load(file).steps]


def local(*patterns: str) -> LocalSource:
    return LocalSource(path=".", include=tuple((each,) for each in patterns))


def copy(*sources: str, dest: Word = "/x", patterns: tuple[str, ...] | None = None, **more: object) -> ops.Copy:
    origin = local(*(each.rstrip("/") for each in sources) if patterns is None else patterns)
    return ops.Copy(sources=sources, dest=dest, origin=origin, **more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COPY . /x", copy(".")),
        ("COPY ./ /x", copy(".")),
        ("COPY / /x", copy(".")),
        ("COPY a b/ /x", copy("a", "b/")),
        ("COPY ./a//b/./c /x", copy("a/b/c")),
        ("COPY /a/../../b /x", copy("b")),
        ("COPY ../../.. /x", copy(".")),
        ("COPY *.py src/**/[ab]?.c /x", copy("*.py", "src/**/[ab]?.c")),
        ('COPY ["a b", "c", "/x"]', copy("a b", "c")),
        ('COPY ["a\\\\ b", "/x"]', copy("a b")),
        # BuildKit cuts at the blank before it looks at escapes.
        ("COPY a\\ b /x", copy("a", "b")),
        ("COPY --chown=1:2 --chmod=755 --link a /x", copy("a", chown="1:2", chmod="755", link=True)),
        ("COPY --link=FALSE a /x", copy("a")),
        ("COPY --chmod=u+x,go=r a /x", copy("a", chmod="u+x,go=r")),
        ("COPY --chown=$U:$G a /x", copy("a", chown=Expansion(parts=(Var(name="U"), ":", Var(name="G"))))),
        ("COPY --exclude=*.md --exclude=$E a /x", copy("a", exclude=("*.md", Expansion(parts=(Var(name="E"),))))),
        ("COPY --parents ./a/./b/*.c d /x", copy("a/./b/*.c", "d", patterns=("a/b/*.c", "d"), parents=True)),
        ("COPY a $D/", copy("a", dest=Expansion(parts=(Var(name="D"), "/")))),
    ],
)
def test_copy_of_the_context(tmp_path, text, expected):
    """Sources are rooted in the context and stop at its top; each is a group of its own."""
    assert read(tmp_path, text) == [expected]


def test_sources_are_evaluated_with_what_the_stage_knows(tmp_path):
    """ARG and ENV values, defaults and patterns."""
    (*_, found) = read(tmp_path, "ARG V=1.2\nENV D=conf-${V%.*} \nCOPY ${D}/${F:-x}.txt a$V /x/", "FROM scratch\n")
    assert found == copy("conf-1/x.txt", "a1.2", dest="/x/")


def test_copy_from_an_image_keeps_variables(tmp_path):
    """Nothing of this machine is chosen, so nothing must be known now."""
    (found,) = read(tmp_path, "COPY --from=ghcr.io/a/b:1 /etc/$X y /x/")
    assert found == ops.Copy(
        sources=(Expansion(parts=("/etc/", Var(name="X"))), "y"), dest="/x/", origin=ImageSource(ref="ghcr.io/a/b:1")
    )


def test_here_documents_are_files_of_the_spec(tmp_path):
    """Expanded, literal, without tabs; several go into a folder."""
    (found,) = read(tmp_path, "COPY --chmod=600 --link <<A <<'B' <<-C /d/\nx $V \\$W \"q\" 'q'\nA\n$V\nB\n\t\tt\n\tC")
    a = Expansion(parts=("x ", Var(name="V"), " $W \"q\" 'q'\n"))
    assert found == ops.WriteFiles(files=(("A", a), ("B", "$V\n"), ("C", "t\n")), dest="/d/", chmod="600", link=True)


def test_files_and_here_documents_in_one_copy(tmp_path):
    """Files first, as BuildKit copies them."""
    assert read(tmp_path, "COPY <<A a.txt /d/\nx\nA") == [
        copy("a.txt", dest="/d/"),
        ops.WriteFiles(files=(("A", "x\n"),), dest="/d/"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ADD a.tar /x", [ops.Add(sources=("a.tar",), dest="/x", origin=local("a.tar"))]),
        ("ADD https://h/a.tgz /x", [ops.Add(sources=("https://h/a.tgz",), dest="/x")]),
        (
            "ADD https://h/$V.tgz /x",
            [ops.Add(sources=(Expansion(parts=("https://h/", Var(name="V"), ".tgz")),), dest="/x")],
        ),
        ("ARG U=https://h\nADD $U/a /x", [ops.Arg(name="U", default="https://h"), None]),
        ("ADD git@github.com:a/b.git /x", [ops.Add(sources=("git@github.com:a/b.git",), dest="/x")]),
        (
            "ADD --keep-git-dir https://github.com/a/b.git#v1 /x",
            [ops.Add(sources=("https://github.com/a/b.git#v1",), dest="/x", keep_git_dir=True)],
        ),
        (
            "ADD --checksum=be1f38e https://github.com/a/b.git#v1 /x",
            [ops.Add(sources=("https://github.com/a/b.git#v1",), dest="/x", checksum="be1f38e")],
        ),
        (
            "ADD --checksum=b https://github.com/a/b.git /x",
            [ops.Add(sources=("https://github.com/a/b.git",), dest="/x", checksum="b")],
        ),
        (
            f"ADD --checksum=sha256:{'0' * 64} https://h/a /x",
            [ops.Add(sources=("https://h/a",), dest="/x", checksum="sha256:" + "0" * 64)],
        ),
        (
            "ADD --unpack=false --link --chown=1 --exclude=b a /x",
            [ops.Add(sources=("a",), dest="/x", origin=local("a"), unpack=False, link=True, chown="1", exclude=("b",))],
        ),
        (
            "ADD a https://h/b c d /x/",
            [
                ops.Add(sources=("a",), dest="/x/", origin=local("a")),
                ops.Add(sources=("https://h/b",), dest="/x/"),
                ops.Add(sources=("c", "d"), dest="/x/", origin=local("c", "d")),
            ],
        ),
    ],
)
def test_add(tmp_path, text, expected):
    """Local files, URLs and repositories; each run of one kind is an operation."""
    expected = [each or ops.Add(sources=(Expansion(parts=(Var(name="U"), "/a")),), dest="/x") for each in expected]
    assert read(tmp_path, text) == expected


def origin_of(file: Path, context: Path | None = None) -> LocalSource:
    (step,) = load(file, context_dir=context).steps
    assert isinstance(step.op, ops.Copy)
    assert isinstance(step.op.origin, LocalSource)
    return step.op.origin


def test_the_ignore_file(tmp_path):
    """The Dockerfile's own wins over that of the context; outside of the context its path is absolute."""
    context = tmp_path / "context"
    (tmp_path / "docker").mkdir()
    (context / "sub").mkdir(parents=True)
    inside, outside = context / "sub" / "app.Dockerfile", tmp_path / "docker" / "Dockerfile"
    for file in (inside, outside):
        file.write_text("FROM scratch\nCOPY . .\n")
    assert origin_of(inside, context).dockerignore == ""
    (context / ".dockerignore").write_text("x")
    assert origin_of(inside, context).dockerignore == ".dockerignore"
    assert origin_of(outside, context).dockerignore == ".dockerignore"
    own = context / "sub" / "app.Dockerfile.dockerignore"
    own.write_text("y")
    assert origin_of(inside, context).dockerignore == "sub/app.Dockerfile.dockerignore"
    far = tmp_path / "docker" / "Dockerfile.dockerignore"
    far.write_text("z")
    assert origin_of(outside, context).dockerignore == far.as_posix()


def test_the_root_of_local_sources(tmp_path, monkeypatch):
    """The absolute context folder where a step reads local files, and nothing elsewhere."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "Dockerfile").write_text("FROM scratch\nCOPY a a\nUSER b\nRUN --mount=target=/x y\n")
    monkeypatch.chdir(tmp_path)
    steps = load(Path("d/Dockerfile")).steps
    assert [step.root for step in steps] == [str(tmp_path / "d"), "", str(tmp_path / "d")]
    assert load(Path("d/Dockerfile"), context_dir=Path()).steps[0].root == str(tmp_path)


def test_parse_commands(tmp_path):
    """Instructions on top of some image, with local sources in the given folder."""
    (tmp_path / ".dockerignore").write_text("")
    steps = parse_commands(["RUN a \\", "  b", "COPY x /y\nUSER z"], context_dir=tmp_path)
    assert [step.op for step in steps] == [
        ops.Run(command="a   b"),
        ops.Copy(
            sources=("x",), dest="/y", origin=LocalSource(path=".", include=(("x",),), dockerignore=".dockerignore")
        ),
        ops.User(name="z"),
    ]
    assert [step.root for step in steps] == ["", str(tmp_path), ""]
    assert str(steps[1].place) == "<commands>:3:1"
