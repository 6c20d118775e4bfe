"""What each ignore file leaves out: recorded from ``docker buildx build`` with ``COPY . /``.

One entry is an ignore file, the files it ignores and those it keeps, all of one
folder. The recording is of BuildKit's own behaviour, so that a case which looks
odd (``a**b``, ``[^x]``) is odd there.
"""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    what: str
    lines: str
    ignored: tuple[str, ...]
    kept: tuple[str, ...]


def case(what: str, lines: str, ignored: str = "", kept: str = "") -> Case:
    return Case(what, lines, tuple(ignored.split()), tuple(kept.split()))


CASES = (
    # Anchoring: a pattern starts at the root, unlike in .gitignore.
    case("a name is the root's alone", "log", "log", "sub/log logs xlog"),
    case("a leading slash says the same", "/log", "log", "sub/log"),
    case("several leading slashes too", "///log", "log", "sub/log"),
    case("a leading ./ too", "./log", "log", "sub/log"),
    case("a path", "sub/log", "sub/log", "log sub/sub/log sub/other"),
    case("a trailing slash is dropped", "build/", "build/a build/b/c", "builds other/build/a"),
    case("a trailing slash does not ask for a folder", "log/", "log", "logs"),
    case("doubled slashes are one", "a//b", "a/b", "a/c"),
    case("dots are resolved", "a/./b/../c", "a/c", "a/b a/d"),
    case("beyond the root is nothing", "../a", "", "a sub/a"),
    case("the root itself is nothing", ".", "", "a sub/a"),
    case("a slash alone is nothing", "/", "", "a sub/a"),
    case(
        "a folder is all below it", "node_modules", "node_modules/a node_modules/b/c", "web/node_modules/a node_module"
    ),
    # One star, one question mark: never a slash.
    case("a star", "*.pyc", "a.pyc .pyc", "sub/a.pyc a.py a.pycx"),
    case("a star alone is everything", "*", "a .hidden sub/deep/b"),
    case("a star matches dots first", "*ignore", "ignore .gitignore xignore/a", "ignored"),
    case("a star in the middle", "a*z", "az abz a.z", "azx sub/az"),
    case("a star for a folder", "*/temp", "a/temp b/temp/x", "temp a/b/temp a/temps"),
    case("two folders", "*/*/temp", "a/b/temp", "a/temp a/b/c/temp"),
    case("a star does not reach below", "a/*.txt", "a/x.txt", "a/b/x.txt a/x.md"),
    case("two stars apart", "*a*", "a bab xa/file", "b sub/a"),
    case("a question mark", "temp?", "tempa temp1 temp.", "temp tempab sub/tempa"),
    case("a question mark is no slash", "a?b", "axb", "a/b ab"),
    case("a question mark is a character, not a byte", "?.txt", "é.txt 漢.txt a.txt", "éé.txt"),
    # Two stars: any number of folders, also none.
    case("**/ at the start", "**/log", "log a/log a/b/log", "logs a/xlog a/logs"),
    case("**/ takes folders", "**/cache", "cache/a a/cache/b a/b/cache/c", "caches/a a/xcache/b"),
    case("**/ and a star", "**/*.go", "a.go x/a.go x/y/a.go", "a.gox x/a.py"),
    case("** alone is everything", "**", "a .b c/d"),
    case("/** at the end", "a/**", "a/b a/c/d", "b x/a/b ab"),
    case("** at the end without a slash", "a**", "a ab ab2/c", "b x/a"),
    case("** in the middle", "a/**/z", "a/z a/b/z a/b/c/z", "a/bz z b/a/z az"),
    case("** glued to a name is a suffix", "**foo", "foo afoo x/foo x/afoo", "foox x/foox"),
    case("** glued, with a star after it", "**foo*", "foo foo1 x/foo1", "afoo1 x/afoo1"),
    case("** between letters ends a folder", "a**b", "ab ax/b a/b a/x/b", "axb a/xb"),
    case("** twice", "**/a/**/b", "a/b x/a/b a/x/b x/a/y/b", "b x/b ab"),
    case("a star before **", "*/**", "a/x a/b/c", "c d"),
    case("** after a star", "*.d/**", "x.d/a x.d/b/c", "x.e/a x.c"),
    case("three stars", "***", "a b/c"),
    case("** with a class", "**/[ab].txt", "a.txt x/b.txt x/y/a.txt", "c.txt x/c.txt"),
    case("** with a question mark", "**/?", "a xx/b x/yy", "ab xx/bc"),
    case("** with an extension below a folder", "src/**/*.o", "src/a.o src/b/c.o", "a.o x/src/a.o src/a.c"),
    # Taking things back in: the last match decides.
    case("back in", "*.md\n!README.md", "a.md", "README.md"),
    case("order: back in comes too early", "!README.md\n*.md", "a.md README.md"),
    case("in, out, in", "*.md\n!README*.md\nREADME-secret.md", "a.md README-secret.md", "README.md README-x.md"),
    case("out, in, out, in", "*\n!a\na\n!a", "b c/d", "a"),
    case("from an ignored folder", "a\n!a/keep", "a/x a/b/y", "a/keep b"),
    case("from deep in an ignored folder", "a\n!a/b/c/keep", "a/x a/b/x a/b/c/x", "a/b/c/keep"),
    case("a folder from an ignored folder", "a\n!a/b", "a/x", "a/b/c a/b/d/e"),
    case("out again within", "a\n!a/b\na/b/c", "a/x a/b/c", "a/b/d"),
    case("everything but", "*\n!src\n!pyproject.toml", "a docs/b .env", "src/a src/b/c pyproject.toml"),
    case("everything but, with **", "**\n!src/**", "a docs/b", "src/a src/b/c"),
    case("everything but an extension anywhere", "**\n!**/*.py", "a.txt x/b.txt", "a.py x/b.py x/y/c.py"),
    case("everything but an extension at the root", "*\n!*.py", "a.txt x/b.py", "a.py"),
    case("everything but what a glued ** takes", "*\n!a**b", "axb x/ab", "ab ax/b a/x/b"),
    case("everything but below a star", "*\n!*/keep", "a x/b", "x/keep y/keep"),
    case("everything but a path with a class", "*\n!sr[cd]/a", "a src/b", "src/a srd/a"),
    case("a slash after !", "*\n!/a", "b", "a"),
    case("a blank after !", "*\n! a", "b", "a"),
    case("./ after !", "*\n!./a", "b", "a"),
    case("a trailing slash after !", "*\n!a/", "b", "a/x"),
    case("! of what is not ignored changes nothing", "a\n!b", "a", "b c"),
    case("! and a wildcard in a folder name", "*\n!pkg-*/src", "a pkg-a/test/x", "pkg-a/src/x pkg-b/src/y"),
    case("an escaped ! is a name", "\\!a", "!a", "a"),
    case("! twice is a name that starts with !", "*\n!!a", "a", "!a"),
    # Lines.
    case("a comment", "# log\n#log", "", "log #log"),
    case("# after a blank is a pattern", " #log", "#log", "log"),
    case("# inside a name", "a#b", "a#b", "a"),
    case("an escaped # is a name", "\\#log", "#log", "log"),
    case("blanks around are dropped", "  log\t ", "log", "logs"),
    case("empty lines", "\n\nlog\n\n \n", "log", "a"),
    case("carriage returns", "log\r\ntmp\r\n", "log tmp", "a"),
    case("a byte order mark", "\ufefflog\ntmp", "log tmp", "a"),
    case("no newline at the end", "a\nlog", "a log", "b"),
    case("other line separators end no line", "x\x0clog\u2028tmp", "", "log tmp"),
    # Escapes and classes.
    case("an escaped star", "a\\*", "a*", "ab a"),
    case("an escaped question mark", "a\\?", "a?", "ab"),
    case("an escaped bracket", "\\[a]", "[a]", "a"),
    case("an escaped backslash", "a\\\\b", "a\\b", "ab"),
    case("a class", "[ab].txt", "a.txt b.txt", "c.txt ab.txt"),
    case("a range", "[a-c]1", "a1 b1 c1", "d1 -1"),
    case("two ranges", "[a-cx-z0-9]", "b y 5", "d"),
    case("a negated class", "[^a].txt", "b.txt", "a.txt"),
    case("a negated range", "x[^0-9]", "xa x-", "x0 x9"),
    case("! does not negate a class", "[!a].txt", "!.txt a.txt", "b.txt"),
    case("an escaped ] in a class", "[a\\]b]", "a b ]", "c"),
    case("an escaped - in a class", "[a\\-c]", "a - c", "b"),
    case("a class in a path", "a/[bc]/d", "a/b/d a/c/d/e", "a/d/d"),
    case("a negated class may be a slash", "a[^x]b", "ayb a/b", "axb"),
    case("a closing bracket alone", "a]", "a]", "a"),
    # Characters that mean something to regular expressions, and nothing here.
    case("a dot", "a.b", "a.b", "axb"),
    case("a plus", "a+", "a+", "aa a"),
    case("parentheses", "a(b)", "a(b)", "ab"),
    case("braces are no alternatives", "{a,b}", "{a,b}", "a b"),
    case("braces are no counts", "a{2}", "a{2}", "aa"),
    case("a dollar sign", "a$", "a$", "a"),
    case("a caret", "^a", "^a", "a"),
    case("a bar", "a|b", "a|b", "a b"),
    case("a tilde and an ampersand", "~a&b", "~a&b", "ab"),
    case("a backslash before a dot", "a\\.b", "a.b", "axb"),
    case("case matters", "Log", "Log", "log LOG"),
    case("Unicode", "données/*", "données/é", "donnees/e"),
    case("two forms of one letter are two names", "\u00e9", "\u00e9", "e\u0301"),
    case("the ignore file itself", ".dockerignore", ".dockerignore", "a"),
    case("dot files are not special", "*", ".env .git/config"),
)

# What is refused: no list of files would be what was meant.
REFUSED = (
    ("an unclosed class", "[a"),
    ("an empty class", "[]"),
    ("a class that starts with ]", "[]a]"),
    ("a class that starts with -", "[-a]"),
    ("a class that ends with -", "[a-]"),
    ("a negated class of nothing", "[^]"),
    ("a range upside down", "[z-a]"),
    ("a backslash at the end", "a\\"),
    ("! alone", "!"),
    ("! and blanks", "!  "),
    ("a bad class after !", "![a"),
    ("a backslash that ends a class", "[a\\"),
)
