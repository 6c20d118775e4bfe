"""ADD and COPY: sources, destinations, and their options."""

from imagebuilder.ir import ops
from imagebuilder.ir.words import Var
from tests.unit.frontends.reference import B, Case, Section, add, arg, copy, local, on, refused, text_of, var

SUM = "sha256:" + "0" * 64
URL = "https://h/a.tgz"
GIT = "https://github.com/a/b.git"


def added(*sources: str, dest: str = "/x", **more: object) -> ops.Op:
    """Files of the context."""
    return add(*sources, dest=dest, origin=local(*(each.rstrip("/") for each in sources)), **more)


FILES = {
    "ADD": Section(
        "copies",
        (
            on("ADD a b /d/", added("a", "b", dest="/d/")),
            on('ADD ["a b", "/d e"]', added("a b", dest="/d e")),
            refused("IB315", "ADD a"),
            refused("IB308", "ADD --from=b a /x"),
        ),
    ),
    "ADD: Adding files from the build context": Section(
        "copies",
        (
            on("ADD ../a /x", added("a")),
            on("ADD /a /x", added("a")),
            on("ADD a/ /x", added("a/")),
        ),
    ),
    "ADD: Pattern matching": Section(
        "copies",
        (
            on("ADD *.png /d/", added("*.png", dest="/d/")),
            on("ADD index.?s /d/", added("index.?s", dest="/d/")),
            on("ADD arr[[]0].txt /d/", added("arr[[]0].txt", dest="/d/")),
        ),
    ),
    "ADD: Adding local tar archives": Section("everything", (on("ADD a.tar.gz /d/", added("a.tar.gz", dest="/d/")),)),
    "ADD: Adding files from a URL": Section(
        "(no network)",
        (
            on(f"ADD {URL} /", add(URL, dest="/")),
            on("ARG V=1\nADD https://h/$V /x", arg("V", "1"), add(text_of("https://h/", Var(name="V")))),
            refused("IB107", "ADD https://u:p@h/a /x"),
        ),
    ),
    "ADD: Adding files from a Git repository": Section(
        "(no network)",
        (
            on(f"ADD {GIT} /x", add(GIT)),
            on("ADD git@github.com:a/b.git#v0.1:docs /x", add("git@github.com:a/b.git#v0.1:docs")),
        ),
    ),
    "ADD: Destination": Section(
        "copies", (on("ADD a /abs", added("a", dest="/abs")), on("ADD a rel/", added("a", dest="rel/")))
    ),
    "ADD --keep-git-dir": Section(
        "(no network)",
        (
            on(f"ADD --keep-git-dir=true {GIT}#v1 /x", add(f"{GIT}#v1", keep_git_dir=True)),
            on(f"ADD --keep-git-dir {GIT} /x", add(GIT, keep_git_dir=True)),
            on(f"ADD --keep-git-dir=false {GIT} /x", add(GIT)),
        ),
    ),
    "ADD --checksum": Section(
        "(no network)",
        (
            on(f"ADD --checksum=be1f38e {GIT}#v1 /x", add(f"{GIT}#v1", checksum="be1f38e")),
            on(f"ADD --checksum={SUM} {URL} /x", add(URL, checksum=SUM)),
            refused("IB309", f"ADD --checksum=md5:0 {URL} /x"),
            refused("IB337", f"ADD --checksum={SUM} a /x"),
        ),
    ),
    "ADD --chmod": Section("copies", (on("ADD --chmod=0644 a /x", added("a", chmod="0644")),)),
    "ADD --chown": Section("copies", (on("ADD --chown=1:2 a /x", added("a", chown="1:2")),)),
    "ADD --link": Section("copies", (on("ADD --link a /x", added("a", link=True)),)),
    "ADD --unpack": Section(
        "copies",
        (
            on(f"ADD --unpack=true {URL} /x", add(URL, unpack=True)),
            on("ADD --unpack=false a.tar /x", added("a.tar", unpack=False)),
        ),
    ),
    "ADD --exclude": Section("copies", (on("ADD --exclude=*.md a /x", added("a", exclude=("*.md",))),)),
    "COPY": Section(
        "contexts",
        (
            on("COPY a b /d/", copy("a", "b", dest="/d/")),
            on('COPY ["a b", "/d e"]', copy("a b", dest="/d e")),
            refused("IB315", "COPY a"),
            refused("IB338", "COPY https://h/a /x"),
        ),
    ),
    "COPY: Copying from the build context": Section(
        "copies",
        (
            on("COPY ../../a /x", copy("a")),
            on("COPY /a /x", copy("a")),
            on("COPY a/ /x", copy("a/")),
            on("COPY . .", copy(".", dest=".")),
        ),
    ),
    "COPY: Pattern matching": Section(
        "contexts",
        (
            on("COPY *.png index.?s /d/", copy("*.png", "index.?s", dest="/d/")),
            on("COPY arr[[]0].txt /d/", copy("arr[[]0].txt", dest="/d/")),
        ),
    ),
    "COPY: Destination": Section(
        "copies",
        (
            on("COPY a /abs/", copy("a", dest="/abs/")),
            on("COPY a rel", copy("a", dest="rel")),
            on("COPY a $D/", copy("a", dest=text_of(Var(name="D"), "/"))),
        ),
    ),
    "COPY --from": Section(
        "stages",
        (
            on("COPY --from=b /s /x", copy("/s", origin=B)),
            Case(
                "FROM a AS y\nFROM a\nCOPY --from=nginx:1 /s /x\n",
                [copy("/s", origin=B.model_copy(update={"ref": "nginx:1"}))],
            ),
            refused("IB332", "COPY --from=$B /s /x"),
            refused("IB322", "COPY --from=0 /s /x"),
        ),
    ),
    "COPY --chmod": Section(
        "copies",
        (
            on("COPY --chmod=755 a /x", copy("a", chmod="755")),
            on("ARG M=440\nCOPY --chmod=$M . /x", arg("M", "440"), copy(".", chmod=var("M"))),
            on("COPY --chmod=+x a /x", copy("a", chmod="+x")),
            on("COPY --chmod=u=rwX,go=rX a /x", copy("a", chmod="u=rwX,go=rX")),
            on("COPY --chmod=g=u a /x", copy("a", chmod="g=u")),
            refused("IB309", "COPY --chmod=rwx a /x"),
        ),
    ),
    "COPY --chown": Section(
        "copies",
        tuple(
            on(f"COPY --chown={owner} files* /d/", copy("files*", dest="/d/", chown=owner))
            for owner in ("55:mygroup", "bin", "1", "10:11")
        ),
    ),
    "COPY --link": Section(
        "copies",
        (
            on("COPY --link /foo /x", copy("foo", link=True)),
            on("COPY --link=false foo /x", copy("foo")),
            refused("IB309", "COPY --link=maybe a /x"),
        ),
    ),
    "COPY --parents": Section(
        "(not in the engine's own front end)",
        (
            on("COPY --parents ./x/a ./y/a /p/", copy("x/a", "y/a", dest="/p/", parents=True)),
            on(
                "COPY --parents ./x/./y/*.txt /p/",
                copy("x/./y/*.txt", dest="/p/", origin=local("x/y/*.txt"), parents=True),
            ),
            on("COPY --parents=true ./s/**/*.txt /p/", copy("s/**/*.txt", dest="/p/", parents=True)),
        ),
    ),
    "COPY --exclude": Section(
        "contexts",
        (on("COPY --exclude=*.txt --exclude=*.md hom* /d/", copy("hom*", dest="/d/", exclude=("*.txt", "*.md"))),),
    ),
}
