"""The format, variables, stages, arguments, triggers and here-documents."""

from imagebuilder.ir import ops
from imagebuilder.ir.words import Var
from tests.unit.frontends.reference import (
    B,
    Case,
    Section,
    add,
    arg,
    copy,
    env,
    label,
    on,
    refused,
    run,
    text_of,
    var,
)

FORMAT = {
    "Format": Section(
        "everything",
        (
            Case("# comment\n  # another\nfrom a\n  rUn echo 'a # b'\n", [run("echo 'a # b'")]),
            on("RUN hello \\\n# comment\n\n  world", run("hello   world")),
            on('RUN echo "\\\n   hello\\\n   world"', run('echo "   hello   world"')),
            Case("RUN x\nFROM a\n", "IB305"),
            Case("ARG A\n", "IB306"),
        ),
    ),
    "Parser directives": Section(
        "directives",
        (
            Case("#\t eScApE = `\n# check = skip=all\nFROM a\nRUN a `\n b\n", [run("a  b")]),
            Case("FROM a\n# escape=`\nRUN a \\\n b\n", [run("a  b")]),
            Case("# About\n# escape=`\nFROM a\nRUN a \\\n b\n", [run("a  b")]),
            Case("# unknown=value\n# escape=`\nFROM a\nRUN a \\\n b\n", [run("a  b")]),
            Case("\n# escape=`\nFROM a\nRUN a \\\n b\n", [run("a  b")]),
            Case("# escape=`\n# escape=`\nFROM a\n", "IB310"),
        ),
    ),
    "syntax": Section(
        "(the engine would fetch the front end)",
        (
            Case("# syntax=docker/dockerfile:1\nFROM a\n", []),
            Case("#syntax = docker.io/docker/dockerfile-upstream:master-labs\nFROM a\n", []),
            Case("# syntax=other/frontend\nFROM a\n", "IB310"),
        ),
    ),
    "escape": Section(
        "windows_escape",
        (
            Case("# escape=`\nFROM a\nWORKDIR c:\\x`\n\\y\n", [ops.Workdir(path="c:\\x\\y")]),
            Case("#Escape=\\\nFROM a\nRUN a \\\nb\n", [run("a b")]),
            Case("# escape=/\nFROM a\n", "IB310"),
        ),
    ),
    "check": Section(
        "directives",
        (
            Case("# check=skip=JSONArgsRecommended,StageNameCasing;error=true\nFROM a\n", []),
            Case("# check=skipp=all\nFROM a\n", "IB310"),
        ),
    ),
    "Environment replacement": Section(
        "variables",
        (
            on("WORKDIR $A/${B}_c", ops.Workdir(path=text_of(Var(name="A"), "/", Var(name="B"), "_c"))),
            on("USER ${A:-b}", ops.User(name=var("A", ":-", "b"))),
            on("USER ${A-b}", ops.User(name=var("A", "-", "b"))),
            on("USER ${A:+b}", ops.User(name=var("A", ":+", "b"))),
            on("USER ${A+$B}", ops.User(name=var("A", "+", var("B")))),
            on("USER ${A:?b}", ops.User(name=var("A", ":?", "b"))),
            on("USER ${A?b}", ops.User(name=var("A", "?", "b"))),
            on("USER ${A#f*b}", ops.User(name=var("A", "#", "f*b"))),
            on("USER ${A##f*b}", ops.User(name=var("A", "##", "f*b"))),
            on("USER ${A%b*}", ops.User(name=var("A", "%", "b*"))),
            on("USER ${A%%\\?}", ops.User(name=var("A", "%%", "\\?"))),
            on("USER ${A/ba/fo}", ops.User(name=var("A", "/", "ba", "fo"))),
            on("USER ${A//ba/fo}", ops.User(name=var("A", "//", "ba", "fo"))),
            on("WORKDIR \\$a\\${b}", ops.Workdir(path="$a${b}")),
            on(
                "ENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc",
                env(abc="hello"),
                ops.Env(variables=(("abc", "bye"), ("def", var("abc")))),
                env(ghi=var("abc")),
            ),
            on("ARG A=y\nADD $A /x\nCOPY ${A}c /x", arg("A", "y"), add("y", origin=copy("y").origin), copy("yc")),
            on("COPY \\$A /x", copy("$A")),
            on("STOPSIGNAL $S", ops.StopSignal(signal=var("S"))),
            on("EXPOSE $P 80", ops.Expose(ports=(var("P"), "80"))),
            on("VOLUME $V", ops.Volume(paths=(var("V"),))),
            on("LABEL $L=$M", label((var("L"), var("M")))),
            on("ONBUILD USER $U", ops.Onbuild(instruction="USER $U")),
            refused("IB314", "USER ${A^^}"),
            refused("IB326", "COPY $A /x"),
        ),
    ),
    ".dockerignore file": Section("contexts", (on("COPY . /x", copy(".")),)),
}

STAGES = {
    "FROM": Section(
        "stages",
        (
            Case("FROM a\n", []),
            Case("FROM a:1 AS x\n", []),
            Case(f"FROM --platform=linux/arm64 a@sha256:{'0' * 64} as x\n", []),
            Case("FROM a AS x\nUSER u\nFROM x\nUSER v\n", [ops.User(name="v")]),
            Case("FROM --platform=$BUILDPLATFORM a\n", []),
            Case("FROM scratch\nLABEL a=b\n", [label(("a", "b"))]),
            Case("FROM a b\n", "IB318"),
            Case("FROM a AS 1\n", "IB319"),
            Case("FROM --platform=pc a\n", "IB331"),
        ),
    ),
    "Understand how ARG and FROM interact": Section(
        "stages",
        (
            Case("ARG  V=latest\nFROM b:${V}\nFROM c:${V}\n", []),
            Case("ARG V=1\nFROM a:$V\nARG V\nRUN echo $V\n", [arg("V", "1"), run("echo $V")]),
            Case("ARG V=1\nFROM a\nCOPY $V /x\n", "IB326"),
            Case("ARG V\nFROM a:$V\n", "IB324"),
            Case("ARG V\nFROM a:$V\n", [], (("V", "2"),)),
        ),
    ),
    "ARG": Section(
        "arguments",
        (
            on("ARG user1\nARG buildno", arg("user1"), arg("buildno")),
            on("ARG A=1 B C=$A", arg("A", "1"), arg("B"), arg("C", var("A"))),
            refused("IB315", "ARG"),
        ),
    ),
    "Default values": Section(
        "arguments", (on('ARG A=x\nARG B="a b"\nARG C=', arg("A", "x"), arg("B", "a b"), arg("C", "")),)
    ),
    "Scope": Section(
        "arguments",
        (
            Case(
                "FROM a\nUSER ${u:-some}\nARG u\nUSER $u\n",
                [ops.User(name=var("u", ":-", "some")), arg("u", "what"), ops.User(name=var("u"))],
                (("u", "what"),),
            ),
            Case("FROM scratch AS x\nARG A=s\nFROM x\nCOPY $A /x\n", [copy("s")]),
            Case("FROM a AS x\nARG A=s\nFROM a\nCOPY $A /x\n", "IB326"),
        ),
    ),
    "Using ARG variables": Section(
        "arguments",
        (
            on("ARG V\nENV V=${V:-v1}\nRUN echo $V", arg("V"), env(V=var("V", ":-", "v1")), run("echo $V")),
            Case("FROM scratch\nARG V=a\nENV V=b\nCOPY $V /x\n", [arg("V", "c"), env(V="b"), copy("b")], (("V", "c"),)),
        ),
    ),
    "Predefined ARGs": Section(
        "arguments",
        (
            Case("FROM a\nRUN x\n", [run("x")], (("HTTP_PROXY", "p"), ("all_proxy", "p"), ("FTP_PROXY", "p"))),
            Case("FROM a\nARG HTTP_PROXY\nRUN x\n", [arg("HTTP_PROXY", "p"), run("x")], (("HTTP_PROXY", "p"),)),
        ),
    ),
    "Automatic platform ARGs in the global scope": Section(
        "stages",
        (
            on("ARG TARGETPLATFORM BUILDARCH\nRUN x", arg("TARGETPLATFORM"), arg("BUILDARCH"), run("x")),
            Case("FROM a\nARG TARGETARCH\nCOPY $TARGETARCH /x\n", "IB325"),
            Case(
                "FROM a\nARG TARGETARCH\nCOPY $TARGETARCH /x\n",
                [arg("TARGETARCH", "arm64"), copy("arm64")],
                (("TARGETARCH", "arm64"),),
            ),
            Case("FROM x-$TARGETOS\n", "IB325"),
        ),
    ),
    "BuildKit built-in build args": Section(
        "(they are the builder's own: none is part of an image)",
        (Case("FROM a\n", "IB323", (("BUILDKIT_MULTI_PLATFORM", "1"),)),),
    ),
    "ONBUILD": Section(
        "onbuild",
        (
            on("ONBUILD ADD . /app/src", ops.Onbuild(instruction="ADD . /app/src")),
            on('ONBUILD RUN ["/usr/bin/x", "--dir"]', ops.Onbuild(instruction='RUN ["/usr/bin/x", "--dir"]')),
            Case("FROM a AS x\nONBUILD USER u\nONBUILD ENV A=1\nFROM x\n", [ops.User(name="u"), env(A="1")]),
            Case("FROM a AS x\nONBUILD USER u\nFROM x AS y\nFROM y\n", []),
        ),
    ),
    "Copy or mount from stage, image, or context": Section(
        "onbuild",
        (
            on("ONBUILD COPY --from=b /x /y", ops.Onbuild(instruction="COPY --from=b /x /y")),
            Case("FROM a AS x\nONBUILD COPY --from=b /x /y\nFROM x\n", [copy("/x", dest="/y", origin=B)]),
            on("ONBUILD RUN --mount=from=b,target=/b x", ops.Onbuild(instruction="RUN --mount=from=b,target=/b x")),
        ),
    ),
    "ONBUILD limitations": Section(
        "(refused)",
        (
            refused("IB329", "ONBUILD ONBUILD RUN x"),
            refused("IB329", "ONBUILD FROM b"),
            refused("IB329", "ONBUILD MAINTAINER me"),
        ),
    ),
}

HERE_DOCUMENTS = {
    "Here-Documents: Running a multi-line script": Section(
        "heredocs",
        (
            on("RUN <<EOT bash\n  set -ex\nEOT", run("<<EOT bash\n  set -ex\nEOT")),
            on("RUN <<EOT\n  mkdir -p a/b\nEOT", run("  mkdir -p a/b")),
            on("RUN <<EOT\n#!/usr/bin/env python\nprint()\nEOT", run("#!/usr/bin/env python\nprint()")),
            on(
                "RUN <<F1 cat > f1 && <<F2 cat > f2\nI\nF1\nII\nF2",
                run("<<F1 cat > f1 && <<F2 cat > f2\nI\nF1\nII\nF2"),
            ),
            refused("IB311", "RUN <<E\nx"),
        ),
    ),
    "Here-Documents: Creating inline files": Section(
        "heredocs",
        (
            on("COPY <<EOF greeting.txt\nhello\nEOF", ops.WriteFiles(files=(("EOF", "hello\n"),), dest="greeting.txt")),
            on(
                'ARG FOO=bar\nCOPY <<-EOT /s\n\techo "${FOO}"\nEOT',
                arg("FOO", "bar"),
                ops.WriteFiles(files=(("EOT", text_of('echo "', Var(name="FOO"), '"\n')),), dest="/s"),
            ),
            on('COPY <<-"EOT" /s\n\t${FOO}\nEOT', ops.WriteFiles(files=(("EOT", "${FOO}\n"),), dest="/s")),
            on("ADD <<a <<b /d/\n1\na\n2\nb", ops.WriteFiles(files=(("a", "1\n"), ("b", "2\n")), dest="/d/")),
            refused("IB312", "COPY x <<E\nE"),
        ),
    ),
}
