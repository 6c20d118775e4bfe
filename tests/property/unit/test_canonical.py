"""Whatever the value, its canonical bytes can be read back: so none is another's, nor the beginning of another's."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from imagebuilder.ir.canonical import canonical
from imagebuilder.ir.ops import Arg, BaseImage, Copy, Env, ImageSource, LocalSource, Mount, Run, Scratch
from imagebuilder.ir.stage import Stage
from imagebuilder.ir.words import Expansion, Var

SETTINGS = settings(max_examples=200, deadline=None, derandomize=True)

# Mostly the characters of the form itself, where two values could run into one another.
TEXT = st.text("s1:0lmnbiyNone", max_size=5) | st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
PLAIN = TEXT.filter(lambda text: "\0" not in text)
NAMES = st.sampled_from(["A", "B", "s1"])
MODIFIERS = st.sampled_from(["", ":-", ":+", "#", "//"])
VARS = st.builds(Var, name=TEXT, modifier=MODIFIERS, word=TEXT, replacement=st.none() | TEXT)
WORDS = PLAIN | st.lists(TEXT | VARS, max_size=3).map(lambda parts: Expansion(parts=tuple(parts)))
DIGESTS = st.sampled_from(["sha256:1", "sha256:2", ""])
# A path and a stage's name are where the substitute below finds the digest.
LOCALS = DIGESTS.filter(bool).map(lambda digest: LocalSource(path=digest))
STAGES = DIGESTS.map(lambda digest: Stage(Scratch(), name=digest))
ORIGINS = LOCALS | STAGES | DIGESTS.map(lambda digest: ImageSource(ref=digest))
MOUNTS = st.builds(
    Mount,
    type=st.sampled_from(["bind", "cache"]),
    target=st.none() | WORDS,
    origin=st.none() | ORIGINS,
    required=st.none() | st.booleans(),
)
MODELS = (
    st.just(Scratch())
    | VARS
    | st.builds(BaseImage, ref=st.sampled_from(["a", "b:1"]), platform=WORDS)
    | st.builds(Arg, name=NAMES, default=st.none() | WORDS)
    | st.builds(Env, variables=st.lists(st.tuples(NAMES, WORDS), max_size=2).map(tuple))
    | st.builds(
        Run, command=PLAIN | st.lists(PLAIN, max_size=2).map(tuple), mounts=st.lists(MOUNTS, max_size=2).map(tuple)
    )
    | st.builds(Copy, sources=st.lists(WORDS, max_size=2).map(tuple), dest=WORDS, origin=ORIGINS, link=st.booleans())
)
LEAVES = st.none() | st.booleans() | st.integers() | TEXT | st.binary(max_size=4) | MODELS | LOCALS | STAGES
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=8)


def form(value: Any) -> bytes:
    return canonical(value, lambda found: found.name if isinstance(found, Stage) else found.path)


def meaning(value: Any) -> tuple[Any, ...]:
    """What the bytes have to tell, with the type of every value, since True, 1 and 1.0 are equal in Python."""
    match value:
        case tuple():
            return ("l", *map(meaning, value))
        case LocalSource():
            return ("t", value.path)
        case Stage():
            return ("k", value.name)
        case BaseModel():
            verb = getattr(value, "verb", type(value).__name__)
            held = {name: meaning(getattr(value, name)) for name in sorted(type(value).model_fields)}
            return ("m", verb, {name: found for name, found in held.items() if not is_default(value, name)})
    return (type(value).__name__, value)


def is_default(model: BaseModel, name: str) -> bool:
    field = type(model).model_fields[name]
    return not field.is_required() and meaning(getattr(model, name)) == meaning(field.default)


def read(data: bytes) -> tuple[tuple[Any, ...], bytes]:
    """The value at the beginning, and what follows it."""
    head, _, rest = data.partition(b":")
    content, rest = rest[: int(head[1:])], rest[int(head[1:]) :]
    match head[:1]:
        case b"n":
            return ("NoneType", None), rest
        case b"b":
            return ("bool", content == b"1"), rest
        case b"i":
            return ("int", int(content)), rest
        case b"s":
            return ("str", content.decode()), rest
        case b"y":
            return ("bytes", content), rest
        case b"t" | b"k":
            return (head[:1].decode(), content.decode()), rest
    items = []
    while content:
        item, content = read(content)
        items.append(item)
    if head[:1] == b"l":
        return ("l", *items), rest
    assert head[:1] == b"m"
    (_, verb), *fields = items
    names = [name for _, name in fields[::2]]
    assert names == sorted(names)
    return ("m", verb, dict(zip(names, fields[1::2], strict=True))), rest


@SETTINGS
@given(VALUES, st.binary(max_size=6))
def test_the_bytes_can_be_read_back_whatever_follows_them(value: Any, after: bytes) -> None:
    assert read(form(value) + after) == (meaning(value), after)


@SETTINGS
@given(VALUES, VALUES)
def test_values_share_their_bytes_just_when_they_are_the_same(one: Any, other: Any) -> None:
    assert (form(one) == form(other)) is (meaning(one) == meaning(other))


@SETTINGS
@given(st.lists(VALUES, max_size=4), st.data())
def test_where_a_list_is_divided_is_part_of_it(values: list[Any], data: st.DataObject) -> None:
    one, other = (data.draw(st.integers(0, len(values))) for _ in range(2))
    forms = [form((tuple(values[:at]), tuple(values[at:]))) for at in (one, other)]
    assert (forms[0] == forms[1]) is (one == other)


@SETTINGS
@given(VALUES)
def test_a_list_is_as_good_as_a_tuple(value: Any) -> None:
    def listed(found: Any) -> Any:
        return [listed(item) for item in found] if isinstance(found, tuple) else found

    assert form(listed(value)) == form(value)
