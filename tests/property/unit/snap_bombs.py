"""Texts of a given size that are meant to take long: each kind grows one thing as far as it goes."""

from __future__ import annotations

from collections.abc import Callable

HEAD = "snap 1\n"
IMAGE = f"{HEAD}image a from scratch {{\n"
_STATEMENTS = """    run_commands "echo {number}" 'true'
    env NAME{number}="x y" OTHER{number}=z
    pip_install numpy>=2,<3 package{number}==2.2.3
    add_text "text {number}" /etc/file{number} chmod=0644
    workdir /srv/{number}
    label a.b{number}=1 "with blank {number}"='x'
"""


def valid(size: int) -> str:
    """An ordinary file of about so many characters."""
    return IMAGE + numbered(_STATEMENTS, size) + "}\n"


def numbered(pattern: str, size: int) -> str:
    """The pattern again and again, with another number each time."""
    parts: list[str] = []
    length = number = 0
    while length < size:
        parts.append(pattern.replace("{number}", str(number)))
        length += len(parts[-1])
        number += 1
    return "".join(parts)


def repeated(pattern: str, head: str = HEAD, tail: str = "\n") -> Callable[[int], str]:
    return lambda size: head + pattern * (size // len(pattern)) + tail


def counted(pattern: str, head: str = HEAD, tail: str = "\n") -> Callable[[int], str]:
    return lambda size: head + numbered(pattern, size) + tail


def nested(opening: str, closing: str, inner: str = "", head: str = HEAD, tail: str = "\n") -> Callable[[int], str]:
    def text(size: int) -> str:
        depth = size // (len(opening) + len(closing))
        return head + opening * depth + inner + closing * depth + tail

    return text


def _chain(size: int) -> str:
    """Images that each start from the next one."""
    count = size // 30
    return (
        HEAD
        + "".join(f"image i{number} from i{number + 1}\n" for number in range(count))
        + f"image i{count} from scratch\n"
    )


def _cycle(size: int) -> str:
    count = size // 30
    return HEAD + "".join(f"image i{number} from i{(number + 1) % count}\n" for number in range(count))


def _doubling(size: int) -> str:
    """Parameters that each hold the one before twice."""
    count = size // 35
    lines = "".join(f'param p{number + 1}: string = "{{p{number}}}{{p{number}}}"\n' for number in range(count))
    return f"{HEAD}param p0: string = xx\n{lines}"


def _lists(size: int) -> str:
    count = size // 50
    lines = "".join(f"param p{number + 1}: list[string] = [{{p{number}}}, {{p{number}}}]\n" for number in range(count))
    return f"{HEAD}param p0: list[string] = [xx, yy]\n{lines}"


def _large_values(size: int) -> str:
    """One long parameter, interpolated many times."""
    half = size // 2
    return (
        f'{HEAD}param p: string = "{"x" * min(half, 100_000)}"\nimage a from scratch {{\n'
        + numbered("env A{number}={p}\n", half)
        + "}\n"
    )


def _large_lists(size: int) -> str:
    """A list that is spread many times."""
    half = size // 2
    return (
        f"{HEAD}param p: list = [{'x, ' * min(half // 3, 9_999)}]\nimage a from scratch {{\n"
        + "apt_install {p}\n" * (half // 16)
        + "}\n"
    )


def _lists_compared(size: int) -> str:
    half = size // 2
    head = f"{HEAD}param q: string = y\nparam p: list = [{'x, ' * min(half // 3, 9_999)}]\n"
    return head + "image a from scratch {\n" + "when q in {p} { }\n" * (half // 18) + "}\n"


def _choices_compared(size: int) -> str:
    half = size // 2
    head = f"{HEAD}param q: one of [{numbered('x{number}, ', half)}] = x0\n"
    return head + "image a from scratch {\n" + "when q == x999 { }\n" * (half // 19) + "}\n"


def _matrix(size: int) -> str:
    axis = ", ".join(f"v{number}" for number in range(16))
    return (
        f'{HEAD}matrix x=[{axis}] y=[{axis}] {{\nsnapshot "s:{{x}}-{{y}}" from scratch {{\n'
        + numbered("env A{number}=1\n", size)
        + "}\n}\n"
    )


def _matrix_of_mistakes(size: int) -> str:
    return _matrix(size).replace("env A", "enf A")


def _wide_matrix(size: int) -> str:
    return HEAD + "matrix " + numbered("a{number}=[x, y] ", size) + "{\n}\n"


def _many_matrices(size: int) -> str:
    return HEAD + numbered('matrix v{number}=[a, b] {\nsnapshot "s{number}:{v{number}}" from scratch\n}\n', size)


def _sharing(size: int) -> str:
    """Each image copies from the two before it."""
    count = size // 70
    lines = "".join(
        f"image i{number} from i{number - 1} {{ copy_from i{number - 1} /a /b; copy_from i{number - 2} /a /b }}\n"
        for number in range(2, count)
    )
    return f"{HEAD}image i0 from scratch\nimage i1 from i0\n{lines}"


KINDS: dict[str, Callable[[int], str]] = {
    # Brackets, quotes and depth.
    **{f"open {char}": repeated(char) for char in "[{("},
    **{f"open {char} in a statement": repeated(char, f"{IMAGE}run_commands ") for char in "[{("},
    **{f"lines of open {char}": repeated(f"a {char}\n", IMAGE) for char in "[{("},
    **{f"indented open {char}": repeated(f"    when a {char}\n", IMAGE) for char in "[{("},
    **{f"close {char}": repeated(char) for char in "]})"},
    **{f"lines of close {char}": repeated(f"  {char}\n", IMAGE) for char in "]})"},
    "mixed brackets": repeated("[{(]})", IMAGE),
    "crossed brackets": nested("[(", "])", head=IMAGE),
    "nested lists": nested("[", "]", head=f"{IMAGE}cmd ", tail="\n}\n"),
    "nested lists in lines": nested("[\n", "]\n", "x\n", f"{IMAGE}cmd ", "\n}\n"),
    "nested options": nested("a=[", "]", "x", f"{IMAGE}cmd ", "\n}\n"),
    "nested blocks": nested("when a {\n", "}\n", "", f"{HEAD}param a: bool = true\nimage a from scratch {{\n", "}\n"),
    "nested blocks of items": nested("when a {\n", "}\n", "", f"{HEAD}param a: bool = true\n"),
    "nested matrices": nested("matrix a=[x] {\n", "}\n"),
    "nested blocks, damaged": nested("when a {\n x ]\n", "}\n", "", IMAGE, "}\n"),
    "nested images": nested("image a from scratch {\n", "}\n"),
    "nested parentheses": nested("(", ")", "a", f"{HEAD}param a: bool = true\nwhen ", " {\n}\n"),
    "not not not": repeated("not ", f"{HEAD}param a: bool = true\nwhen ", "a {\n}\n"),
    "not not not, no end": repeated("not ", f"{HEAD}when "),
    "and and and": repeated("a and ", f"{HEAD}param a: bool = true\nwhen ", "a {\n}\n"),
    "or of comparisons": repeated('a == "x" or ', f"{HEAD}param a: string = y\nwhen ", "a == x {\n}\n"),
    "in a long list": counted("x{number}, ", f"{HEAD}param a: string = y\nwhen a in [", "] {\n}\n"),
    "else when": counted("when a == {number} {\n} else ", f"{HEAD}param a: string = x\nimage i from scratch {{\n", "{\n}\n}\n"),
    "else when of items": counted("when a == {number} {\n} else ", f"{HEAD}param a: string = x\n", "{\n}\n"),
    "else when, damaged": counted("when a == {number} {\n x ]\n} else ", f"{HEAD}image i from scratch {{\n", "{\n}\n}\n"),
    "else else else": repeated("else { }\n", IMAGE, "}\n"),
    "} else {": repeated("} else {\n", IMAGE, "}\n"),
    "open quotes": repeated('a "b\n', IMAGE),
    "open apostrophes": repeated("it's\n", IMAGE),
    "open quotes in lists": repeated('a ["b\n', IMAGE),
    "quotes": repeated('"', IMAGE),
    "quotes parted": repeated('"a', IMAGE),
    "apostrophes": repeated("'", IMAGE),
    "dollars and quotes": repeated('$"', IMAGE),
    "backslashes": repeated("\\", IMAGE),
    "a quote, then backslashes": repeated("\\", f'{IMAGE}env A="'),
    "a quote, then escapes": repeated("\\n", f'{IMAGE}env A="', '"\n}\n'),
    "a quote, then wrong escapes": repeated("\\q", f'{IMAGE}env A="', '"\n}\n'),
    "quote and key": repeated('"a"=', IMAGE),
    "a quoted key without an end": repeated('\\"', f'{IMAGE}env "'),
    "three quotes": repeated('"""', IMAGE),
    "three quotes without an end": repeated('a """ b\n', IMAGE),
    "blocks glued": repeated('"""x"""y ', IMAGE),
    "raw blocks glued": repeated("'''x'''y\n", IMAGE),
    "a block of short lines": repeated("\n", f'{IMAGE}run_commands """', '"""\n}\n'),
    "a block of indented lines": repeated("      x\n", f'{IMAGE}run_commands """\n', '"""\n}\n'),
    "a block of deeper lines": repeated("  \t  \t \n", f'{IMAGE}run_commands """\n  x', '"""\n}\n'),
    "a block of parameters": repeated("{{{p}}}", f'{HEAD}param p: string = x\nimage a from scratch {{\nrun_commands """\n', '"""\n}\n'),
    "a block of unknown parameters": repeated("{{{q}}}\n", f'{IMAGE}run_commands """\n', '"""\n}\n'),
    "a block of braces": repeated("{", f'{IMAGE}run_commands """\n', '"""\n}\n'),
    # Words.
    "one long word": repeated("x", f"{IMAGE}run_commands ", "\n}\n"),
    "one long verb": repeated("x", IMAGE, "\n}\n"),
    "one long verb of the file": repeated("x"),
    "one long unknown parameter": repeated("x", f'{IMAGE}env A="{{', '}"\n}\n'),
    "one long option": repeated("x", f"{IMAGE}pip_install a ", "=y\n}\n"),
    "one long name of an image": repeated("x", f"{IMAGE}}}\nimage b from "),
    "a long word, then a comparison": repeated("x", f"{IMAGE}pip_install ", " >= 2\n}\n"),
    "a long word, then a bracket": repeated("x", f"{IMAGE}pip_install ", " (\n}\n"),
    "a long word, then a quote": repeated("x", f"{IMAGE}pip_install ", " “a”\n}\n"),
    "a long word in a condition": repeated("x", f"{HEAD}when ", " = y {\n}\n"),
    "a long comparison": repeated("x", f"{HEAD}when a == ", " y {\n}\n"),
    "a long word of a file, then a comparison": repeated("x", f"{HEAD}param ", " = y\n"),
    "blanks, then a comparison": repeated(" ", f"{IMAGE}pip_install x", "= 2\n}\n"),
    "blanks in a condition": repeated(" ", f"{HEAD}when a and", "= y {\n}\n"),
    "words, then a comparison": repeated("x ", f"{IMAGE}pip_install ", "= 2\n}\n"),
    "long words, then comparisons": repeated(f"pip_install {'x' * 1000} = 2\n", IMAGE, "}\n"),
    "a word of [": repeated("[", f"{IMAGE}pip_install x", "\n}\n"),
    "a word of [a": repeated("[a", f"{IMAGE}pip_install x", "\n}\n"),
    "a word of []": repeated("[]", f"{IMAGE}pip_install x", "\n}\n"),
    "a word of {a}": repeated("{a}", f"{HEAD}param a: string = x\nimage i from scratch {{\npip_install ", "\n}\n"),
    "a word of {a": repeated("{a", f"{IMAGE}pip_install ", "\n}\n"),
    "a word of commas": repeated(",", f"{IMAGE}pip_install x", "\n}\n"),
    "a value of commas": repeated(",x", f"{IMAGE}env A=x", "\n}\n"),
    "a key of dots": repeated("a.", f"{IMAGE}env ", "\n}\n"),
    "a key, then =": repeated("a=", f"{IMAGE}env ", "\n}\n"),
    "many = ": repeated("a= ", f"{IMAGE}env ", "\n}\n"),
    "many blanks": repeated(" ", IMAGE, "x\n}\n"),
    "many blanks and a mark": repeated("   #\n", IMAGE, "]\n}\n"),
    "blanks before line ends": repeated(" \t", IMAGE, "@\n}\n"),
    "many line ends": repeated("\n", IMAGE, "]"),
    "many carriage returns": repeated("\r", IMAGE, "}"),
    "comments": repeated("# x\n", IMAGE, "}\n"),
    "a long comment": repeated("#", f"{IMAGE}workdir /a ", "\n}\n"),
    "semicolons": repeated(";", IMAGE, "}\n"),
    "semicolons parted": repeated("; ", IMAGE, "}\n"),
    "control characters at the end": repeated("x ", IMAGE, "\x01"),
    "odd blanks": repeated("\xa0", IMAGE, "}\n"),
    "odd blanks between words": repeated("a\u2028b ", IMAGE, "}\n"),
    "typographic quotes": repeated("a “b”\n", IMAGE, "}\n"),
    "wide characters": repeated("\U0001f600 ", f"{IMAGE}run_commands ", "\n}\n"),
    # Many things.
    "many words": repeated("x ", f"{IMAGE}apt_install ", "\n}\n"),
    "many words in a list": repeated("x, ", f"{IMAGE}apt_install [", "]\n}\n"),
    "many lists": repeated("[x] ", f"{IMAGE}apt_install ", "\n}\n"),
    "many pairs": counted("A{number}=1 ", f"{IMAGE}env ", "\n}\n"),
    "many equal pairs": repeated("A=1 ", f"{IMAGE}env ", "\n}\n"),
    "many statements on a line": repeated("workdir /a; ", IMAGE, "}\n"),
    "many wrong statements on a line": repeated("workdr /a; ", IMAGE, "}\n"),
    "short statements": repeated("user a\n", IMAGE, "}\n"),
    "many secrets": counted("A{number} ", f"{HEAD}secret "),
    "many equal secrets": repeated("A ", f"{HEAD}secret "),
    "many parameters": counted("param p{number}: string = x\n"),
    "many equal parameters": repeated("param p: string = x\n"),
    "many equal broken parameters": repeated("param p: strin = x\n"),
    "many unknown parameters": counted("env A={q{number}}\n", f"{HEAD}param p: string = x\nimage a from scratch {{\n", "}\n"),
    "many unknown among many": lambda size: HEAD + numbered("param p{number}: string = x\n", size // 2) + "image a from scratch {\n" + numbered("env A={q{number}}\n", size // 2) + "}\n",
    "many choices": counted("x{number}, ", f"{HEAD}param p: one of [", "] = y\n"),
    "many unknown images": counted("image a{number} from b{number}\n"),
    "many unknown images in cells": counted("image a{number} from b{number}\n", f"{HEAD}matrix x=[a, b, c, d] {{\n", "}\n"),
    "many equal images": repeated("image a from scratch\n"),
    "many images": counted("image a{number} from scratch\n"),
    "many snapshots": counted("snapshot a{number} from scratch\n"),
    "many equal snapshots": repeated("snapshot a from scratch\n"),
    "many headers": repeated("snap 1\n"),
    "many uses": counted('use "./x{number}.snap" as a{number}\n'),
    "many equal uses": repeated('use "./x.snap" as a\n'),
    "many unknown operations": counted("run_comand{number} x\n", IMAGE, "}\n"),
    "many equal unknown operations": repeated("run_comand x\n", IMAGE, "}\n"),
    "many unknown operations in a branch": repeated("run_comand x\n", f"{HEAD}param p: bool = false\nimage a from scratch {{\nwhen p {{\n", "}\n}\n"),
    "many unknown options": counted("pip_install a indx{number}=1\n", IMAGE, "}\n"),
    "many unreadable statements": repeated("run_commands ) (\n", IMAGE, "}\n"),
    "many unreadable values": repeated("expose x\n", IMAGE, "}\n"),
    "many refused values": counted("add_text x y{number}\n", IMAGE, "}\n"),
    "many typos": repeated("imag a from scratch\n"),
    "many half statements": repeated("image a from\n"),
    "many wrong conditions": counted("when a == {number} {\n}\n", f"{HEAD}param a: one of [x, y] = x\nimage i from scratch {{\n", "}\n"),
    "one mistake at the end": lambda size: valid(size) + "]\n",
    "one mistake at the start": lambda size: valid(size).replace("scratch", "scratch )", 1),
    "a mistake in each": lambda size: valid(size).replace("workdir", "workdir ,"),
    "a chain of images": _chain,
    "a cycle of images": _cycle,
    "images that share": _sharing,
    "parameters that double": _doubling,
    "lists that double": _lists,
    "a large value many times": _large_values,
    "a large list many times": _large_lists,
    "a large list compared many times": _lists_compared,
    "many choices compared many times": _choices_compared,
    "a large matrix": _matrix,
    "a large matrix of mistakes": _matrix_of_mistakes,
    "a wide matrix": _wide_matrix,
    "many matrices": _many_matrices,
    "one letter": lambda size: "a" * size,
    "letters and line ends": lambda size: "a\n" * (size // 2),
    "nothing": lambda size: " " * size,
}  # fmt: skip
