"""Files in the .snap language that parse, from its grammar, with blanks, line ends and comments in every odd place.

A file is drawn in two steps: its pieces, from the rules of the grammar, and what
stands between them. The comments are numbered, so that a test sees whether one is
lost or moved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from hypothesis import strategies as st

# What may stand between two pieces, besides the pieces themselves.
BLANK, MAYBE, LINE, LINES, ENTRY = "<blank>", "<maybe>", "<line>", "<lines>", "<entry>"

WORDS = [
    "git",
    "numpy>=2,<3",
    "requests[socks]",
    "/app",
    "a==1",
    "--x=1",
    "h?a=b",
    "{p}",
    "x{p}y",
    "git+https://h/x@v1#egg=y",
    ":",
    "3.10",
    "in",
    "image",
]
STRINGS = ['"a b"', '""', '"{p} # no comment"', "'raw \\ {'", "''", '$"$HOME/${A:-b}"', '"\\" }"', '"ünï ]; "', "'\t#'"]
VALUES = ["v", "a,b", "a#b", "{p}", "8GiB", "-q"]
NAMES = ["a", "base", "x1", "python"]
VERBS = ["run_commands", "pip_install", "env", "frm", "else_", "x"]
LINES_OF_TEXT = ["a", "  b", "\tc", "    d  ", "", "   ", "# no comment", '"', "{{{p}}}", "]}", "\f", " \te"]


@dataclass
class Pieces:
    """Draws a file's pieces."""

    random: Random
    found: list[str] = field(default_factory=list)

    def add(self, *pieces: str) -> None:
        self.found += pieces

    def any(self, *choices: Callable[[], None]) -> None:
        self.random.choice(choices)()

    def times(self, most: int, draw: Callable[[], None]) -> None:
        for _ in range(self.random.randint(0, most)):
            draw()

    def file(self) -> None:
        self.statements(lambda: self.item(3), LINE, 6)

    def statements(self, draw: Callable[[], None], between: str, most: int) -> None:
        self.add(LINES)
        for index in range(self.random.randint(0, most)):
            if index:
                self.add(between)
            draw()
        self.add(LINES)

    def item(self, depth: int) -> None:
        choices = [self.use, self.param, self.secret, self.header, lambda: self.image(depth)]
        if depth:
            choices += [lambda: self.matrix(depth), lambda: self.when(depth, self.item)]
        self.any(*choices)

    def header(self) -> None:
        self.add("snap", BLANK, "1")

    def use(self) -> None:
        self.add("use", BLANK, self.random.choice(['"./a.snap"', "'b'", "./c.snap"]), BLANK, "as", BLANK, self.name())
        if self.random.random() < 0.5:
            self.add(BLANK, "with")
            self.times_at_least_once(self.pair)

    def param(self) -> None:
        self.add("param", BLANK, self.name(), MAYBE, ":", MAYBE)
        self.any(
            lambda: self.add(self.name()),
            lambda: self.add("list", MAYBE, "[", MAYBE, "string", MAYBE, "]"),
            self.choice,
        )
        if self.random.random() < 0.6:
            self.add(BLANK, "=", BLANK)
            self.value(2)

    def choice(self) -> None:
        self.add("one", BLANK, "of", BLANK)
        self.list(1)

    def secret(self) -> None:
        self.add("secret")
        self.times_at_least_once(lambda: self.add(BLANK, self.name()))

    def image(self, depth: int) -> None:
        self.add("image", BLANK, self.name()) if self.random.random() < 0.5 else self.add("snapshot", BLANK, '"a:1"')
        self.add(BLANK, "from", BLANK, self.random.choice(["base", '"{p}"', "debian_slim"]))
        self.times(2, self.argument)
        if self.random.random() < 0.8:
            self.block(depth, self.statement)

    def matrix(self, depth: int) -> None:
        self.add("matrix")
        self.times_at_least_once(self.pair)
        self.block(depth - 1, self.item)

    def block(self, depth: int, draw: Callable[[int], None]) -> None:
        self.add(BLANK, "{", MAYBE)
        self.statements(lambda: draw(max(0, depth - 1)), LINE, 3)
        self.add(MAYBE, "}")

    def when(self, depth: int, draw: Callable[[int], None]) -> None:
        self.add("when", BLANK)
        self.condition(2)
        self.block(depth, draw)
        if self.random.random() < 0.5:
            self.add(MAYBE, "else")
            if self.random.random() < 0.3:
                self.add(BLANK)
                self.when(depth, draw)
            else:
                self.block(depth, draw)

    def condition(self, depth: int) -> None:
        if depth and self.random.random() < 0.5:
            word = self.random.choice(["and", "or"])
            self.test(depth - 1)
            for _ in range(self.random.randint(1, 2)):
                self.add(BLANK, word, BLANK, LINES, MAYBE)
                self.test(depth - 1)
        else:
            self.test(depth)

    def test(self, depth: int) -> None:
        if self.random.random() < 0.2:
            self.add("not", BLANK)
        literal = self.random.choice(['"a"', "'b'", "c"])
        self.any(
            lambda: self.add(self.name()),
            lambda: self.add(self.name(), BLANK, self.random.choice(["==", "!="]), BLANK, literal),
            lambda: self.add(self.name(), BLANK, self.random.choice(["in", "not in"]), BLANK, self.choices()),
            lambda: self.parens(depth),
        )

    def parens(self, depth: int) -> None:
        self.add("(", MAYBE, LINES, MAYBE)
        self.condition(max(0, depth - 1))
        self.add(MAYBE, LINES, MAYBE, ")")

    def choices(self) -> str:
        return self.random.choice(["[a, 'b']", "[\n a,\n b # no comment\n]", "names", "[ ]"])

    def statement(self, depth: int) -> None:
        if depth and self.random.random() < 0.3:
            self.when(depth, self.statement)
        else:
            self.add(self.random.choice(VERBS))
            self.times(4, self.argument)

    def argument(self) -> None:
        self.any(self.word, self.pair)

    def word(self) -> None:
        self.add(BLANK)
        self.value(2)

    def pair(self) -> None:
        self.add(BLANK, self.random.choice(["a=", "secrets=", '"odd key"=']))
        self.any(lambda: self.add(self.random.choice(VALUES)), self.string, lambda: self.list(1))

    def value(self, depth: int) -> None:
        self.any(lambda: self.add(self.random.choice(WORDS)), self.string, lambda: self.list(depth))

    def string(self) -> None:
        if self.random.random() < 0.7:
            self.add(self.random.choice(STRINGS))
            return
        quotes = self.random.choice(['"""', "'''"])
        text = "\n".join(self.random.choice(LINES_OF_TEXT) for _ in range(self.random.randint(1, 5)))
        self.add(quotes + text.strip('"') + quotes)

    def list(self, depth: int) -> None:
        self.add("[", MAYBE, LINES, MAYBE)
        for index in range(self.random.randint(0, 4)):
            if index:
                self.add(ENTRY)
            self.entry(depth)
        self.add(MAYBE, LINES, MAYBE, "]")

    def entry(self, depth: int) -> None:
        if self.random.random() < 0.2:
            self.add(self.random.choice(["a=", '"k"=']), self.random.choice(["v", "a,<b", '"s"', "[a]"]))
        elif depth and self.random.random() < 0.3:
            self.list(depth - 1)
        else:
            self.any(lambda: self.add(self.random.choice(WORDS)), self.string)

    def times_at_least_once(self, draw: Callable[[], None]) -> None:
        for _ in range(self.random.randint(1, 3)):
            draw()

    def name(self) -> str:
        return self.random.choice(NAMES)


@dataclass
class Between:
    """Draws what stands between pieces. ``wild`` is how often it is odd, from 0 to 1."""

    random: Random
    wild: float
    comments: int = 0

    def odd(self) -> bool:
        return self.random.random() < self.wild

    def fill(self, piece: str) -> str:
        match piece:
            case "<blank>":
                return self.random.choice([" ", "   ", "\t", " \t "]) if self.odd() else " "
            case "<maybe>":
                return self.random.choice(["", " ", "\t  "]) if self.odd() else ""
            case "<line>":
                return self.random.choice(["; ", " ; ", ";\n", self.lines()]) if self.odd() else "\n"
            case "<lines>":
                return self.lines() if self.odd() else ""
            case "<entry>":
                return self.random.choice([",", " , ", "," + self.lines(), self.lines()]) if self.odd() else ", "
        return piece

    def lines(self) -> str:
        """A line end, and maybe more of them."""
        found = ""
        for _ in range(self.random.choice([1, 1, 1, 2, 3, 4])):
            found += self.random.choice(["", "", " ", "\t"]) + self.comment() + self.random.choice(["\n", "\n", "\r\n"])
        return found + self.random.choice(["", "  ", "\t"])

    def comment(self) -> str:
        if self.random.random() < 0.6:
            return ""
        self.comments += 1
        return f" # c{self.comments}" + self.random.choice(["", "  ", ' "', " [ {", "\t}", "\xa0"])


def joined(pieces: list[str], between: Between) -> str:
    text = ""
    for piece in pieces:
        filled = between.fill(piece)
        if piece == "}" and text.endswith(";"):
            filled = " }"
        # What may be empty is not, where it parts two words.
        if filled and piece == "else" and not text[-1:].isspace():
            filled = " else"
        text += filled
    return text


@st.composite
def files(draw: st.DrawFn) -> str:
    """The text of a file that parses."""
    random = draw(st.randoms(use_true_random=False))
    pieces = Pieces(random)
    pieces.file()
    wild = draw(st.sampled_from([0.1, 0.5, 0.9]))
    text = joined(pieces.found, Between(random, wild))
    return draw(st.sampled_from(["", "\ufeff"])) + text + draw(st.sampled_from(["", "\n"]))
