"""What an image says about itself: labels, ports, variables, volumes, user, folder, signal."""

from imagebuilder.ir import ops
from imagebuilder.ir.words import Var
from tests.unit.frontends.reference import Section, env, label, on, refused, text_of, var

SETTINGS = {
    "LABEL": Section(
        "settings",
        (
            on('LABEL "com.example.vendor"="ACME Incorporated"', label(("com.example.vendor", "ACME Incorporated"))),
            on('LABEL description="This \\\nspans lines."', label(("description", "This spans lines."))),
            on('LABEL a="1" b.c=2 \\\n      other="value3"', label(("a", "1"), ("b.c", "2"), ("other", "value3"))),
            on("LABEL a=\"foo-$V\" b='foo-$V'", label(("a", text_of("foo-", Var(name="V"))), ("b", "foo-$V"))),
            on("LABEL a one and the rest", label(("a", "one and the rest"))),
            on("LABEL #a=# b=#", label(("#a", "#"), ("b", "#"))),
            refused("IB316", "LABEL a=b c"),
        ),
    ),
    "MAINTAINER (deprecated)": Section(
        "everything", (on("MAINTAINER S <s@d.example>", ops.Maintainer(name="S <s@d.example>")),)
    ),
    "EXPOSE": Section(
        "settings",
        (
            on("EXPOSE 80", ops.Expose(ports=("80",))),
            on("EXPOSE 80/tcp 80/udp 9000-9010", ops.Expose(ports=("80/tcp", "80/udp", "9000-9010"))),
            on("EXPOSE $P ${Q}/udp", ops.Expose(ports=(var("P"), text_of(Var(name="Q"), "/udp")))),
            refused("IB115", "EXPOSE http"),
        ),
    ),
    "ENV": Section(
        "everything",
        (
            on(
                'ENV MY_NAME="John Doe" MY_DOG=Rex\\ The\\ Dog \\\n    MY_CAT=fluffy',
                env(MY_NAME="John Doe", MY_DOG="Rex The Dog", MY_CAT="fluffy"),
            ),
            on("ENV MY_VAR my-value", env(MY_VAR="my-value")),
            on("ENV ONE TWO= THREE=world", env(ONE="TWO= THREE=world")),
            on("ENV PATH=/x:$PATH", env(PATH=text_of("/x:", Var(name="PATH")))),
            refused("IB315", "ENV A"),
        ),
    ),
    "VOLUME": Section(
        "settings",
        (
            on('VOLUME ["/var/log/"]', ops.Volume(paths=("/var/log/",))),
            on("VOLUME /var/log /var/db", ops.Volume(paths=("/var/log", "/var/db"))),
        ),
    ),
    "Notes about specifying volumes": Section(
        "settings",
        (
            on("VOLUME ['/a']", ops.Volume(paths=("[/a]",))),
            refused("IB315", 'VOLUME [""]'),
        ),
    ),
    "USER": Section(
        "settings",
        (
            on("USER patrick", ops.User(name="patrick")),
            on("USER a:b", ops.User(name="a:b")),
            on("USER 1000:1000", ops.User(name="1000:1000")),
            refused("IB315", "USER"),
        ),
    ),
    "WORKDIR": Section(
        "settings",
        (
            on("WORKDIR /a\nWORKDIR b\nWORKDIR c", *(ops.Workdir(path=each) for each in ("/a", "b", "c"))),
            on("ENV D=/p\nWORKDIR $D/$N", env(D="/p"), ops.Workdir(path=text_of(Var(name="D"), "/", Var(name="N")))),
            refused("IB315", "WORKDIR"),
        ),
    ),
    "STOPSIGNAL": Section(
        "settings",
        (
            on("STOPSIGNAL SIGKILL", ops.StopSignal(signal="SIGKILL")),
            on("STOPSIGNAL 9", ops.StopSignal(signal="9")),
            refused("IB116", "STOPSIGNAL NOW"),
        ),
    ),
}
