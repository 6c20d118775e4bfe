"""What two images differ in, and how that is folded into a tree."""

from __future__ import annotations

from imagebuilder.engine.contents import Contents, Entry
from imagebuilder.snapshots.difference import Line, changes, compare, folded, ways


def entry(content: str = "", mode: int = 0o644, owner: tuple[int, int] = (0, 0)) -> Entry:
    return Entry("file", len(content), mode, owner, "", content.encode())


DIR = Entry("dir", 0, 0o755)


def shown(a: dict[str, Entry], b: dict[str, Entry]) -> list[str]:
    return [f"{'  ' * line.depth}{line.sign} {line.name}".rstrip() for line in folded(changes(a, b))]


def test_packages() -> None:
    a = Contents({}, {"apt": {"same": "1", "old": "1", "up": "1"}, "npm": {"x": "1"}}, 5)
    b = Contents({}, {"apt": {"same": "1", "new": "1", "up": "2"}, "pip": {"y": "1"}}, 7)
    found = compare(a, b)
    assert (found.packages["apt"].added, found.packages["apt"].removed) == ({"new": "1"}, {"old": "1"})
    assert found.packages["apt"].changed == {"up": ("1", "2")}
    assert (found.packages["npm"].removed, found.packages["pip"].added) == ({"x": "1"}, {"y": "1"})
    assert found.size == (5, 7) and found
    assert not compare(a, a)
    assert found.as_json()["packages"]["apt"]["changed"] == [{"name": "up", "from": "1", "to": "2"}]


def test_in_what_a_path_differs() -> None:
    assert list(ways(entry("a"), entry("b"))) == ["content"]
    assert list(ways(entry(), entry(mode=0o4755))) == ["mode 0644 → 4755"]
    assert list(ways(entry(), entry(owner=(1, 2)))) == ["owner 0:0 → 1:2"]
    assert list(ways(Entry("link", target="a"), Entry("link", target="b"))) == ["a → b"]
    assert list(ways(entry("x"), Entry("link", mode=0o777, target="b"))) == ["file → link"]


def test_a_folder_that_is_new_or_gone_is_one_line() -> None:
    new = {"/srv": DIR, "/srv/n": DIR, "/srv/n/a": entry("12"), "/srv/n/d": DIR, "/srv/n/d/b": entry("345")}
    a = {"/srv": DIR, "/old": DIR, "/old/x": entry("1")}
    assert folded(changes(a, new)) == [Line("-", "/old/", 0, 1, 1, 0), Line("+", "/srv/n/", 0, 2, 0, 5)]


def test_folders_stand_where_several_things_in_them_changed() -> None:
    a = {
        "/etc/a": entry("1"),
        "/etc/b": entry("1"),
        "/etc/deep/er/c": entry("1"),
        "/etc/deep/er/d": entry("1"),
        "/usr/x/y": entry(),
    }
    b = {path: entry("2") for path in a}
    assert shown(a, b) == [
        "  /etc/",
        "  ~ a",
        "  ~ b",
        "    deep/er/",
        "    ~ c",
        "    ~ d",
        "~ /usr/x/y",
    ]
    assert shown({"/e": DIR, **a}, {"/e": Entry("dir", 0, 0o700), "/e/new": entry(), **a}) == ["~ /e/", "  + new"]


def test_a_folder_in_place_of_a_file() -> None:
    assert shown({"/a": entry("1")}, {"/a": DIR, "/a/b": entry()}) == ["~ /a", "  + b"]


def test_noise_is_one_line() -> None:
    a = {"/var/log/dpkg.log": entry("1"), "/app/m.pyc": entry("1"), "/var/lib/apt/lists/x": entry("123")}
    b = {
        "/var/log/dpkg.log": entry("22"),
        "/app/m.pyc": entry("2"),
        "/app/__pycache__": DIR,
        "/app/__pycache__/z.pyc": entry("1"),
    }
    (line,) = folded(changes(a, b))
    assert (line.sign, line.count, line.before, line.after) == ("~", 4, 5, 4)
    # What is wholly new is new with all that is in it.
    assert shown({}, {"/app": DIR, "/app/x.pyc": entry()}) == ["+ /app/"]


def test_deep_paths() -> None:
    path = "/d" * 2000
    assert shown({}, {f"{path}/a": entry(), f"{path}/b": entry()}) == [f"  {path}/", "  + a", "  + b"]
