"""RUN and its options, CMD, ENTRYPOINT, HEALTHCHECK, SHELL."""

from imagebuilder.ir import ops
from imagebuilder.ir.ops import Mount
from tests.unit.frontends.reference import B, Section, local, mounted, on, refused, run, var

CONTEXT = local(literal=True)

COMMANDS = {
    "Exec form": Section(
        "everything",
        (
            on('RUN ["c:\\\\windows", "$HOME"]', run(("c:\\windows", "$HOME"))),
            on('RUN ["c:\\windows"]', run('["c:\\windows"]')),
            on("CMD ['a']", ops.Cmd(command="['a']")),
            refused("IB317", "RUN [1]"),
        ),
    ),
    "Shell form": Section("everything", (on("RUN a $HOME && \\\nb", run("a $HOME && b")),)),
    "Use a different shell": Section(
        "shells", (on('SHELL ["/bin/bash", "-c"]\nRUN x', ops.Shell(words=("/bin/bash", "-c")), run("x")),)
    ),
    "RUN": Section(
        "everything",
        (
            on("RUN a  b", run("a  b")),
            on('RUN [ "a", "b" ]', run(("a", "b"))),
            on("RUN <<EOF\na\nb\nEOF", run("a\nb")),
            refused("IB315", "RUN"),
            refused("IB308", "RUN --nope x"),
        ),
    ),
    "RUN --device": Section("(an entitlement)", (refused("IB308", "RUN --device=nvidia.com/gpu=all x"),)),
    "RUN --mount": Section(
        "mounts",
        (
            on(
                "RUN --mount=target=/a --mount=type=ssh x",
                run("x", Mount(type="bind", target="/a", origin=CONTEXT), Mount(type="ssh")),
            ),
            refused("IB327", "RUN --mount=type=disk,target=/x x"),
        ),
    ),
    "RUN --mount=type=bind": Section(
        "mounts",
        (
            mounted("type=bind,target=.", type="bind", target=".", origin=CONTEXT),
            mounted("from=b", type="bind", target=".", origin=B),
            mounted(
                "dst=/a,source=s,rw",
                type="bind", target="/a", source="s", readonly=False, origin=local("s", literal=True),
            ),
            mounted("destination=/a,src=/s,from=b,ro", type="bind", target="/a", source="/s", readonly=True, origin=B),
            mounted("target=/a,from=b,readwrite=true", type="bind", target="/a", readonly=False, origin=B),
            mounted("target=/a,from=b,readonly=false", type="bind", target="/a", readonly=False, origin=B),
        ),
    ),
    "RUN --mount=type=cache": Section(
        "mounts",
        (
            mounted("type=cache,target=/c", type="cache", target="/c"),
            mounted(
                "type=cache,id=i,target=/c,readonly,sharing=locked,mode=0700,uid=1,gid=2",
                type="cache", id="i", target="/c", readonly=True, sharing="locked", mode="0700", uid="1", gid="2",
            ),
            mounted("type=cache,target=/c,sharing=private", type="cache", target="/c", sharing="private"),
            mounted("type=cache,target=/c,sharing=shared", type="cache", target="/c", sharing="shared"),
            mounted(
                "type=cache,target=/c,from=b,source=/s,rw",
                type="cache", target="/c", origin=B, source="/s", readonly=False,
            ),
            mounted("type=cache,id=$I,target=$T", type="cache", id=var("I"), target=var("T")),
            refused("IB327", "RUN --mount=type=cache,target=/c,sharing=mine x"),
        ),
    ),
    "RUN --mount=type=tmpfs": Section(
        "mounts",
        (
            mounted("type=tmpfs,target=/t,size=64m", type="tmpfs", target="/t", size="64m"),
            mounted("type=tmpfs,dst=/t,readwrite", type="tmpfs", target="/t", readonly=False),
            mounted("type=tmpfs,target=/t,ro", type="tmpfs", target="/t", readonly=True),
            refused("IB327", "RUN --mount=type=tmpfs,target=/t,size=much x"),
        ),
    ),
    "RUN --mount=type=secret": Section(
        "mounts",
        (
            mounted("type=secret,id=k", type="secret", id="k"),
            mounted("type=secret,src=k,env=K", type="secret", id="k", env="K"),
            mounted(
                "type=secret,id=k,target=/k,required=true,mode=0440,uid=1,gid=2,ro",
                type="secret", id="k", target="/k", required=True, mode="0440", uid="1", gid="2", readonly=True,
            ),
            mounted("type=secret,dst=/run/k,required", type="secret", target="/run/k", required=True),
            refused("IB327", "RUN --mount=type=secret x"),
        ),
    ),
    "RUN --mount=type=ssh": Section(
        "mounts",
        (
            mounted("type=ssh", type="ssh"),
            mounted(
                "type=ssh,id=d,target=/s,required=false,mode=0600,uid=1,gid=2,readonly",
                type="ssh", id="d", target="/s", required=False, mode="0600", uid="1", gid="2", readonly=True,
            ),
        ),
    ),
    "RUN --network": Section(
        "everything",
        (
            on("RUN --network=default x", run("x")),
            on("RUN --network=none x", run("x", network="none")),
            on("RUN --network=host x", run("x", network="host")),
            refused("IB309", "RUN --network=wifi x"),
        ),
    ),
    "RUN --security": Section(
        "(not in the engine's own front end)",
        (
            on("RUN --security=sandbox x", run("x", security="sandbox")),
            on("RUN --security=insecure x", run("x", security="insecure")),
            refused("IB309", "RUN --security=none x"),
        ),
    ),
    "CMD": Section(
        "commands",
        (
            on('CMD ["a", "$B"]', ops.Cmd(command=("a", "$B"))),
            on("CMD a  $B", ops.Cmd(command="a  $B")),
            on('CMD a\nCMD ["b"]', ops.Cmd(command="a"), ops.Cmd(command=("b",))),
            refused("IB315", "CMD"),
        ),
    ),
    "ENTRYPOINT": Section(
        "commands",
        (
            on('ENTRYPOINT ["top", "-b"]\nCMD ["-c"]', ops.Entrypoint(command=("top", "-b")), ops.Cmd(command=("-c",))),
            on("ENTRYPOINT exec top -b", ops.Entrypoint(command="exec top -b")),
            on("ENTRYPOINT []", ops.Entrypoint(command=())),
        ),
    ),
    "Understand how CMD and ENTRYPOINT interact": Section(
        "commands",
        (on('ENTRYPOINT a\nCMD ["b", "c"]', ops.Entrypoint(command="a"), ops.Cmd(command=("b", "c"))),),
    ),
    "HEALTHCHECK": Section(
        "settings",
        (
            on("HEALTHCHECK NONE", ops.Healthcheck(command=())),
            on("HEALTHCHECK CMD curl -f x || exit 1", ops.Healthcheck(command="curl -f x || exit 1")),
            on(
                "HEALTHCHECK --interval=5m --timeout=3s --start-period=1m30s --start-interval=1s --retries=2 \\\n"
                '  CMD ["a", "b"]',
                ops.Healthcheck(
                    command=("a", "b"),
                    interval="5m", timeout="3s", start_period="1m30s", start_interval="1s", retries=2,
                ),
            ),
            refused("IB328", "HEALTHCHECK TCP 80"),
            refused("IB117", "HEALTHCHECK --interval=5 CMD x"),
        ),
    ),
    "SHELL": Section(
        "shells",
        (
            on(
                'SHELL ["powershell", "-command"]\nRUN Write-Host hello\nSHELL ["cmd", "/S", "/C"]',
                ops.Shell(words=("powershell", "-command")),
                run("Write-Host hello"),
                ops.Shell(words=("cmd", "/S", "/C")),
            ),
            refused("IB317", "SHELL cmd /S /C"),
        ),
    ),
}  # fmt: skip
