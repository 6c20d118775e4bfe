"""Each instruction, and the operation that it becomes."""

from pathlib import Path

import pytest

from imagebuilder.diagnostics import CompileError
from imagebuilder.frontends.dockerfile import load
from imagebuilder.ir import ops
from imagebuilder.ir.ops import ImageSource, LocalSource, Mount
from imagebuilder.ir.stage import Stage
from imagebuilder.ir.words import Expansion, Var


def read(folder: Path, text: str, head: str = "FROM base:1\n") -> list[ops.Op]:
    file = folder / "Dockerfile"
    file.write_text(head + text, newline="")
    return [step.op for step in load(file).steps]


def var(name: str) -> Expansion:
    return Expansion(parts=(Var(name=name),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RUN make", ops.Run(command="make")),
        ("RUN echo 'a  b' \\\n   $X # c", ops.Run(command="echo 'a  b'    $X # c")),
        ('RUN ["a", "b c"]', ops.Run(command=("a", "b c"))),
        ("RUN ['a', 'b']", ops.Run(command="['a', 'b']")),
        ('RUN ["a", "b"', ops.Run(command='["a", "b"')),
        ("RUN [ -f x ] && y", ops.Run(command="[ -f x ] && y")),
        ("RUN --network=none make", ops.Run(command="make", network="none")),
        ("RUN --security=insecure make", ops.Run(command="make", security="insecure")),
        ("RUN <<E\na\n\nb\n\nE", ops.Run(command="a\n\nb\n")),
        ("RUN <<-E\n\ta\n\t\tb\nE", ops.Run(command="a\nb")),
        ("RUN <<E\nE", ops.Run(command="")),
        ("RUN <<E\n#!/usr/bin/python\nx\nE", ops.Run(command="#!/usr/bin/python\nx")),
        ("RUN python3 <<'E' > o\n$X\nE", ops.Run(command="python3 <<'E' > o\n$X\nE")),
        ("RUN cat <<A && cat <<-B\n1\nA\n\t2\nB", ops.Run(command="cat <<A && cat <<-B\n1\nA\n\t2\nB")),
        ("RUN #! <<E\nx\nE", ops.Run(command=" #! <<E\nx\nE")),
        ("CMD a b", ops.Cmd(command="a b")),
        ('CMD ["a"]', ops.Cmd(command=("a",))),
        ("CMD []", ops.Cmd(command=())),
        ('ENTRYPOINT ["a", "$X"]', ops.Entrypoint(command=("a", "$X"))),
        ("ENTRYPOINT exec $X", ops.Entrypoint(command="exec $X")),
        ("ENTRYPOINT []", ops.Entrypoint(command=())),
        ('SHELL ["/bin/bash", "-c"]', ops.Shell(words=("/bin/bash", "-c"))),
        ("ENV A=1", ops.Env(variables=(("A", "1"),))),
        ("ENV B=1 A=2", ops.Env(variables=(("B", "1"), ("A", "2")))),
        ("ENV A=a\\ b B='$X' C=\"x $X\"", None),
        ("ENV A= B=''", ops.Env(variables=(("A", ""), ("B", "")))),
        ("ENV A a  b ", ops.Env(variables=(("A", "a  b"),))),
        ('ENV A "q" b=c', ops.Env(variables=(("A", "q b=c"),))),
        ("ENV A=b=c", ops.Env(variables=(("A", "b=c"),))),
        ("ENV A=\\$B", ops.Env(variables=(("A", "$B"),))),
        ("LABEL a=1 \"b c\"='d $e'", ops.Label(labels=(("a", "1"), ("b c", "d $e")))),
        ("LABEL a some text", ops.Label(labels=(("a", "some text"),))),
        ('LABEL a="x\\\ny"', ops.Label(labels=(("a", "xy"),))),
        ("LABEL $K=v", ops.Label(labels=((var("K"), "v"),))),
        ("ARG A", ops.Arg(name="A")),
        ("ARG A=1", ops.Arg(name="A", default="1")),
        ("ARG A=", ops.Arg(name="A", default="")),
        ('ARG A="x y"', ops.Arg(name="A", default="x y")),
        ("ARG A=$PATH", ops.Arg(name="A", default=var("PATH"))),
        ("WORKDIR /a b", ops.Workdir(path="/a b")),
        ('WORKDIR "/a b"', ops.Workdir(path="/a b")),
        ("WORKDIR rel/$X", ops.Workdir(path=Expansion(parts=("rel/", Var(name="X"))))),
        ("USER 1000:1000", ops.User(name="1000:1000")),
        ("USER ${U:-me}", ops.User(name=Expansion(parts=(Var(name="U", modifier=":-", word="me"),)))),
        ("EXPOSE 80 443/tcp 8000-8010/udp", ops.Expose(ports=("80", "443/tcp", "8000-8010/udp"))),
        ("EXPOSE 8080:80/TCP", ops.Expose(ports=("80/tcp",))),
        ("EXPOSE $P", ops.Expose(ports=(var("P"),))),
        ("VOLUME /a /b", ops.Volume(paths=("/a", "/b"))),
        ('VOLUME ["/a b", "$X"]', ops.Volume(paths=("/a b", var("X")))),
        ("STOPSIGNAL sigterm", ops.StopSignal(signal="SIGTERM")),
        ("STOPSIGNAL 9", ops.StopSignal(signal="9")),
        ('MAINTAINER A "B" <c@d>', ops.Maintainer(name='A "B" <c@d>')),
        ("HEALTHCHECK NONE", ops.Healthcheck(command=())),
        ("healthcheck cmd  curl  x", ops.Healthcheck(command="curl  x")),
        ('HEALTHCHECK CMD ["a"]', ops.Healthcheck(command=("a",))),
        (
            "HEALTHCHECK --interval=5m --timeout=3s --start-period=1s --start-interval=500ms --retries=0 CMD a",
            ops.Healthcheck(
                command="a", interval="5m", timeout="3s", start_period="1s", start_interval="500ms", retries=0
            ),
        ),
        ("ONBUILD RUN  make \\\n all", ops.Onbuild(instruction="RUN  make  all")),
        ("ONBUILD COPY --from=x $A b", ops.Onbuild(instruction="COPY --from=x $A b")),
        ("ONBUILD RUN <<E\nx\nE", ops.Onbuild(instruction="RUN <<E\nx\nE")),
    ],
)
def test_one_instruction(tmp_path, text, expected):
    """The operation says what BuildKit would do."""
    if expected is None:
        expected = ops.Env(variables=(("A", "a b"), ("B", "$X"), ("C", Expansion(parts=("x ", Var(name="X"))))))
    assert read(tmp_path, text) == [expected]


def test_arg_of_several_names(tmp_path):
    """One operation for each; the later see the earlier."""
    found = read(tmp_path, "ARG A=1 B=$A C")
    assert found == [ops.Arg(name="A", default="1"), ops.Arg(name="B", default=var("A")), ops.Arg(name="C")]


LOCAL = {"path": ".", "dockerignore": ""}


@pytest.mark.parametrize(
    ("options", "mount"),
    [
        ("type=cache,target=/c", Mount(type="cache", target="/c")),
        (
            "type=cache,id=i,dst=/c,sharing=locked,mode=0755,uid=1,gid=2,ro",
            Mount(type="cache", id="i", target="/c", sharing="locked", mode="0755", uid="1", gid="2", readonly=True),
        ),
        ("target=.", Mount(type="bind", target=".", origin=LocalSource(**LOCAL, literal=True))),
        # Without a target it is the working directory.
        ("from=alpine:3", Mount(type="bind", target=".", origin=ImageSource(ref="alpine:3"))),
        ("type=cache,id=c", Mount(type="cache", target=".", id="c")),
        ("type=tmpfs", Mount(type="tmpfs", target=".")),
        (
            "type=bind,src=/a/../b/,destination=/b,rw",
            Mount(
                type="bind",
                target="/b",
                source="b",
                readonly=False,
                origin=LocalSource(**LOCAL, literal=True, include=(("b",),)),
            ),
        ),
        (
            "from=alpine:3,source=/etc,target=/e,readonly=false",
            Mount(type="bind", target="/e", source="/etc", origin=ImageSource(ref="alpine:3"), readonly=False),
        ),
        ("type=tmpfs,target=$T,size=64m", Mount(type="tmpfs", target=var("T"), size="64m")),
        ("type=secret,id=s", Mount(type="secret", id="s")),
        ("type=secret,source=s,env=S,required", Mount(type="secret", id="s", env="S", required=True)),
        ("type=secret,target=/run/s", Mount(type="secret", target="/run/s")),
        ("required=true,type=ssh", Mount(type="ssh", required=True)),
        ("type=$KIND,target=/c", Mount(type="cache", target="/c")),
        ("type=bind,from=scratch,target=/e", Mount(type="bind", target="/e", origin=Stage(ops.Scratch()))),
    ],
)
def test_mounts(tmp_path, options, mount):
    """All types and their options; short names are the long ones."""
    found = read(tmp_path, f"ARG KIND=cache\nRUN --mount={options} make")
    assert found[1] == ops.Run(command="make", mounts=(mount,))


def test_several_mounts_and_a_here_document(tmp_path):
    """Flags and a script go together."""
    (run,) = read(tmp_path, "RUN --mount=type=ssh --mount=type=cache,target=/c <<E\nx\nE")
    assert isinstance(run, ops.Run)
    assert [mount.type for mount in run.mounts] == ["ssh", "cache"]
    assert run.command == "x"


def test_env_sees_the_variables_before_it(tmp_path):
    """Within one ENV the old value counts; BuildKit expands all before it sets any."""
    found = read(tmp_path, "ENV A=old\nENV A=new B=$A\nCOPY $B $A/ /x/")
    assert isinstance(found[-1], ops.Copy)
    assert found[-1].sources == ("old", "new/")


def test_env_names_may_be_variables(tmp_path):
    """They are known now, since they name what is set."""
    assert read(tmp_path, "ARG N=A\nENV $N=1")[1] == ops.Env(variables=(("A", "1"),))


def test_wrong_values_are_refused_at_the_instruction(tmp_path):
    """The checks of the IR apply, at the place of the instruction."""
    with pytest.raises(CompileError) as caught:
        read(tmp_path, "USER a b\nEXPOSE 99999\nSTOPSIGNAL SIGNOPE\nHEALTHCHECK --interval=3 CMD x\nENV 'a b'=1")
    found = [(each.code, each.place.resolve().line) for each in caught.value.diagnostics]
    assert found == [("IB120", 2), ("IB115", 3), ("IB116", 4), ("IB117", 5), ("IB111", 6)]
