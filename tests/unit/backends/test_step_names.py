"""A step is found under the name that BuildKit gives it, whatever stage that names."""

from __future__ import annotations

import pytest

from imagebuilder import Image
from imagebuilder.backends.dockerfile.step_names import names
from tests.unit.backends.rendering import rendered

HEREDOC = "RUN --mount=type=cache,target=/c \\\n    --network=none <<'EOF'\nset -ex\nmake\nEOF"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("RUN make", "RUN make"),
        ("RUN --mount=type=cache,target=/c     make", "RUN --mount=type=cache,target=/c \\\n    make"),
        ("RUN --mount=type=cache,target=/c     --network=none <<'EOF' (set -ex...)", HEREDOC),
        ("RUN gcc -O2 -o /hi a.c", "RUN gcc $CFLAGS -o ${OUT} a.c"),
        ("RUN echo   x", "RUN echo $EMPTY x"),
        ("FROM docker.io/library/debian:12@sha256:0123", "FROM --platform=linux/amd64 debian:12 AS app"),
        ("WORKDIR /app", "WORKDIR /app"),
    ],
)
def test_it_is_that_instruction(name: str, text: str) -> None:
    assert names(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("RUN make install", "RUN make"),
        ("RUN make", "RUN make install"),
        ("RUN gcc -O2 b.c", "RUN gcc $CFLAGS a.c"),
        ("RUN --network=none <<'EOF' (set -ex...)", HEREDOC),
        ("RUN <<'EOF' (cd /x...)", "RUN <<'EOF'\nset -ex\nmake\nEOF"),
        ("FROM docker.io/library/debian:12@sha256:0123", "FROM alpine AS app"),
        ("RUN a", "RUN a$B${C}" + "a" * 50),
    ],
)
def test_it_is_another(name: str, text: str) -> None:
    assert not names(name, text)


def test_a_step_that_two_builds_share_is_named_by_the_stage_of_the_other() -> None:
    base = Image.base("debian:12").run_commands("a", "b").run_commands("c", "d")
    found = rendered(Image.scratch().copy_from(base, "/x", "/x"), ca=True)
    for position, instruction in ((2, found.instructions[1]), (3, found.instructions[2])):
        text = "\n".join(found.text.split("\n")[instruction.first - 1 : instruction.last])
        name = text.partition("\n")[0] if "<<" not in text else text.partition("\nset")[0].replace("\\\n", "")
        seen = f"[other {position}/9] {name} (set -ex...)"
        assert found.at_event(seen, "other", position) is instruction
    start = found.at_event("[other 1/9] FROM docker.io/library/debian:12@sha256:01", "other", 1)
    assert start is found.instructions[0]
