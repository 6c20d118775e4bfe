"""The server over its real protocol: a process, and messages on its standard input and output."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagebuilder.frontends.snap.verbs import verbs
from tests.editors.client import WAIT, Client

SNIPPETS = {"completion": {"completionItem": {"snippetSupport": True}}}
COMMON = "snap 1\nimage tools from scratch\n"
APP = """snap 1
use "./common.snap" as common
param python: string = "3.12"
secret PIP_TOKEN
image app from debian_slim "{python}" {
    label mood="😀 {python}" other="{python}"
    pip_install numpy secrets=[PIP_TOKEN]
    copy_from common.tools /a /b
}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One server for all tests that leave it as it was."""
    with Client(tmp_path_factory.mktemp("project with blanks é")) as client:
        client.initialize(textDocument=SNIPPETS)
        yield client
        assert client.leave() == 0
        assert client.errors == ""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Client(tmp_path) as client:
        client.initialize()
        yield client


def place(text: str, needle: str, occurrence: int = 0) -> tuple[int, int]:
    """The line and the column in UTF-16 of a part of a text."""
    at = -1
    for _ in range(occurrence + 1):
        at = text.index(needle, at + 1)
    before = text[:at].rpartition("\n")[2]
    return text.count("\n", 0, at), len(before.encode("utf-16-le")) // 2


def ends(at: dict[str, Any]) -> tuple[int, int, int, int]:
    return at["start"]["line"], at["start"]["character"], at["end"]["line"], at["end"]["character"]


def labels(found: Any) -> list[str]:
    return [item["label"] for item in found["items"]]


# Features -------------------------------------------------------------------------------------------


def test_what_it_offers(tmp_path: Path) -> None:
    with Client(tmp_path) as client:
        found = client.initialize(general={"positionEncodings": ["utf-16"]})
        offers = found["capabilities"]
        assert found["serverInfo"]["name"] == "imagebuilder"
        assert offers["positionEncoding"] == "utf-16" and offers["textDocumentSync"]["change"] == 1
        for name in ("completion", "hover", "definition", "documentSymbol", "foldingRange", "documentFormatting"):
            assert offers[f"{name}Provider"]
        assert client.leave() == 0


def test_diagnostics_as_one_types(running: Client) -> None:
    text = 'snap 1\nimage x from scratch {\n    label a="😀" b="{nmae}"\n}\n'
    uri = running.open("typing.snap", text)
    (found,) = running.diagnostics(uri)
    assert (found["code"], found["severity"], found["source"]) == ("IB811", 1, "imagebuilder")
    line, column = place(text, "{nmae}")
    assert ends(found["range"]) == (line, column, line, column + 6)
    running.change(uri, text.replace("snap 1\n", "snap 1\nparam nmae: int = 1\n"))
    assert running.diagnostics(uri) == []
    running.change(uri, text + "param x: int = 1\nparam x: int = 1\n")
    twice = next(each for each in running.diagnostics(uri) if each["code"] == "IB814")
    (first,) = twice["relatedInformation"]
    assert first["message"] == "first here" and first["location"]["uri"] == uri
    assert ends(first["location"]["range"]) == (4, 6, 4, 7)


def test_completion(running: Client) -> None:
    uri = running.open("completion.snap", APP + 'snapshot "x" from app {\n    pip_')
    found = running.at("completion", uri, 10, 8)
    assert labels(found) == [*verbs(), "when", "resources"]
    item = next(each for each in found["items"] if each["label"] == "copy_from")
    assert ends(item["textEdit"]["range"]) == (10, 4, 10, 8)
    assert item["textEdit"]["newText"] == 'copy_from ${1:image} "${2:src}" "${3:dst}"' and item["insertTextFormat"] == 2
    assert item["documentation"]["kind"] == "markdown"


def test_completion_after_an_emoji(running: Client) -> None:
    text = APP.replace('other="{python}"', 'other="{py"')
    uri = running.open("emoji.snap", text)
    line, column = place(text, "{py", 2)
    item = running.at("completion", uri, line, column + 3)["items"][0]
    assert item["label"] == "python" and item["textEdit"]["newText"] == "python}"
    assert ends(item["textEdit"]["range"]) == (line, column + 1, line, column + 3)


def test_completion_for_a_client_without_snippets(client: Client) -> None:
    uri = client.open("app.snap", "snap 1\n\n")
    for item in client.at("completion", uri, 1, 0)["items"]:
        assert item["textEdit"]["newText"] == item["label"] and item["insertTextFormat"] == 1
    assert client.leave() == 0


def test_hover(running: Client) -> None:
    uri = running.open("hover.snap", APP)
    found = running.at("hover", uri, *place(APP, "pip_install"))
    assert found["contents"]["value"].startswith("```snap\npip_install PACKAGES…")
    assert ends(found["range"]) == (6, 4, 6, 15)
    line, column = place(APP, "python", 3)
    found = running.at("hover", uri, line, column + 2)
    assert 'param python: string = "3.12"' in found["contents"]["value"]
    assert ends(found["range"]) == (line, column, line, column + 6)
    assert running.at("hover", uri, 5, 0) is None


def test_definition(running: Client) -> None:
    common = running.open("common.snap", COMMON)
    uri = running.open("definition.snap", APP)
    for needle, occurrence, expected in (
        ("python", 3, (uri, 2, 6)), ("PIP_TOKEN", 1, (uri, 3, 7)), ("tools", 0, (common, 1, 6)),
        ("./common.snap", 0, (common, 0, 0)), ("common.tools", 0, (uri, 1, 23)),
    ):  # fmt: skip
        found = running.at("definition", uri, *place(APP, needle, occurrence))
        assert (found["uri"], *ends(found["range"])[:2]) == expected
    assert running.at("definition", uri, *place(APP, "numpy")) is None


def test_definition_in_a_file_that_is_not_open(client: Client) -> None:
    (client.folder / "common.snap").write_text(COMMON)
    uri = client.open("app.snap", APP)
    found = client.at("definition", uri, *place(APP, "tools"))
    assert (found["uri"], *ends(found["range"])) == ((client.folder / "common.snap").as_uri(), 1, 6, 1, 11)
    assert client.leave() == 0


def test_symbols(running: Client) -> None:
    uri = running.open("symbols.snap", APP + 'matrix p=["a"] {\n    snapshot "x{p}" from app\n}\n')
    found = running.request("textDocument/documentSymbol", textDocument={"uri": uri})
    assert [each["name"] for each in found] == ["common", "python", "PIP_TOKEN", "app", "p"]
    assert ends(found[3]["range"]) == (4, 0, 8, 1) and ends(found[3]["selectionRange"]) == (4, 6, 4, 9)
    assert [each["name"] for each in found[4]["children"]] == ["x{p}"]


def test_folding(running: Client) -> None:
    uri = running.open("folding.snap", "# a\n# b\n" + APP)
    found = running.request("textDocument/foldingRange", textDocument={"uri": uri})
    assert [(each["startLine"], each["endLine"], each.get("kind")) for each in found] == [
        (0, 1, "comment"),
        (6, 9, None),
    ]


def test_formatting(running: Client) -> None:
    text = "snap 1\r\n# 😀\r\nimage   x from scratch {\r\nuser   a\r\n}\r\nimage y from x\r\n"
    uri = running.open("formatting.snap", text)
    options = {"tabSize": 8, "insertSpaces": False}
    (edit,) = running.request("textDocument/formatting", textDocument={"uri": uri}, options=options)
    first, _, last, column = ends(edit["range"])
    lines = text.split("\r\n")
    made = "\n".join([*lines[:first], edit["newText"] + lines[last][column:], *lines[last + 1 :]])
    assert "image x from scratch {\n    user a\n}\n" in made
    running.change(uri, made)
    assert running.request("textDocument/formatting", textDocument={"uri": uri}, options=options) is None
    running.change(uri, text.replace("}", ""))
    assert running.request("textDocument/formatting", textDocument={"uri": uri}, options=options) is None


def test_units_that_the_client_prefers(tmp_path: Path) -> None:
    with Client(tmp_path) as client:
        client.initialize(general={"positionEncodings": ["utf-8", "utf-16"]})
        (tmp_path / "common.snap").write_text(COMMON)
        uri = client.open("app.snap", APP)
        line, column = place(APP, "python", 3)
        found = client.at("hover", uri, line, column + 2)
        assert ends(found["range"]) == (line, column + 2, line, column + 8)
        assert client.leave() == 0


# Several files --------------------------------------------------------------------------------------


def test_a_change_of_a_used_file_is_seen_at_once(client: Client) -> None:
    common = client.open("common.snap", COMMON)
    uri = client.open("app.snap", APP)
    assert client.diagnostics(uri) == []
    client.change(common, "snap 1\n")
    (found,) = client.diagnostics(uri)
    assert found["code"] == "IB812" and ends(found["range"])[:2] == place(APP, "common.tools")
    (client.folder / "common.snap").write_text(COMMON)
    client.notify("textDocument/didClose", textDocument={"uri": common})
    assert client.diagnostics(uri) == [], "what is on disk holds again"
    assert client.leave() == 0


def test_a_change_on_disk(tmp_path: Path) -> None:
    with Client(tmp_path) as client:
        client.initialize(workspace={"didChangeWatchedFiles": {"dynamicRegistration": True}})
        uri = client.open("app.snap", APP)
        (missing, *_) = client.diagnostics(uri)
        assert missing["code"] == "IB851"
        (wanted,) = [note for note in client.notes if note["method"] == "client/registerCapability"]
        assert wanted["params"]["registrations"][0]["registerOptions"]["watchers"] == [{"globPattern": "**/*.snap"}]
        (tmp_path / "common.snap").write_text(COMMON)
        change = {"uri": (tmp_path / "common.snap").as_uri(), "type": 1}
        client.notify("workspace/didChangeWatchedFiles", changes=[change])
        assert client.diagnostics(uri) == []
        assert client.leave() == 0


def test_a_closed_file_has_no_diagnostics(client: Client) -> None:
    uri = client.open("app.snap", "nonsense\n")
    assert client.diagnostics(uri) != []
    client.notify("textDocument/didClose", textDocument={"uri": uri})
    assert client.at("hover", uri, 0, 0) is None
    last = [note for note in client.notes if note["method"].endswith("publishDiagnostics")][-1]
    assert last["params"] == {"uri": uri, "diagnostics": []}
    assert client.leave() == 0


def test_a_file_that_was_never_saved(client: Client) -> None:
    (client.folder / "common.snap").write_text(COMMON)
    uri = "untitled:Untitled-1"
    client._versions[uri] = 1
    document = {"uri": uri, "languageId": "snap", "version": 1, "text": APP}
    client.notify("textDocument/didOpen", textDocument=document)
    assert client.diagnostics(uri) == []
    assert client.at("definition", uri, *place(APP, "python", 1))["uri"] == uri
    assert client.leave() == 0


def test_only_what_is_open_is_read(client: Client) -> None:
    outside = client.folder.parent / "outside.snap"
    outside.write_text(APP)
    for method in ("completion", "hover", "definition"):
        assert client.at(method, outside.as_uri(), 2, 7) is None
    for method in ("documentSymbol", "foldingRange"):
        assert client.request(f"textDocument/{method}", textDocument={"uri": outside.as_uri()}) is None
    assert client.leave() == 0


# What goes wrong ------------------------------------------------------------------------------------


def test_messages_that_are_none(client: Client) -> None:
    for body in (b"{", b"[]", b"null", b'{"jsonrpc": "2.0"}', b'{"jsonrpc": "2.0", "id": 9, "method": "textDocument/hover"}',
                 b"\xff\xfe", json.dumps({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {}}).encode()):  # fmt: skip
        client.send_bytes(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    client.send_bytes(b"Content-Type: nothing\r\nnonsense\r\n")
    uri = client.open("app.snap", "snap 1\n")
    with pytest.raises(RuntimeError, match="textDocument/nonsense"):
        client.request("textDocument/nonsense", textDocument={"uri": uri})
    assert client.diagnostics(uri) == []
    assert client.leave() == 0


def test_positions_outside_of_the_text(running: Client) -> None:
    uri = running.open("outside.snap", APP)
    for line, column in ((0, 10**6), (10**6, 0), (10**6, 10**6), (8, 2)):
        for method in ("completion", "hover", "definition"):
            running.at(method, uri, line, column)


def test_exit_without_shutdown(client: Client) -> None:
    client.send({"method": "exit"})
    assert client.process.wait(WAIT) == 1


def test_the_editor_goes_away(client: Client) -> None:
    assert client.process.stdin is not None
    client.process.stdin.close()
    assert client.process.wait(WAIT) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once(client: Client, number: signal.Signals) -> None:
    client.process.send_signal(number)
    assert client.process.wait(WAIT) == 130
    assert "Traceback" not in client.errors


# Much -----------------------------------------------------------------------------------------------


def test_a_document_of_5000_lines(running: Client) -> None:
    text = 'snap 1\nparam python: string = "3.12"\n' + "".join(
        f'image i{index} from debian_slim "{{python}}" {{\n' + "    pip_install numpy>=2 secrets=[]\n" * 8 + "}\n"
        for index in range(500)
    )
    assert text.count("\n") > 5000
    uri = running.open("long.snap", text)
    assert running.diagnostics(uri) == []
    running.change(uri, text + 'image last from i499 {\n    pip_instal\n    workdir "{py"\n')
    assert labels(running.at("completion", uri, 5003, 6))[:1] == ["apt_install"]
    assert labels(running.at("completion", uri, 5004, 15)) == ["python"]
    assert running.at("definition", uri, 5002, 18)["range"]["start"] == {"line": 4992, "character": 6}
    assert len(running.request("textDocument/foldingRange", textDocument={"uri": uri})) == 501
    # The bracket, the operation, and the brace of a parameter that is not finished.
    assert [each["code"] for each in running.diagnostics(uri)] == ["IB806", "IB810", "IB822"]


def test_200_random_edits(running: Client) -> None:
    chance = random.Random(20)
    text = APP
    uri = running.open("edits.snap", text)
    pieces = [
        "{",
        "}",
        "[",
        "]",
        '"',
        '"""',
        "\n",
        "when ",
        "😀",
        "\r\n",
        "\u2028",
        "image x from ",
        "{python}",
        "#",
        "",
        "",
        "",
    ]
    for _ in range(200):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(pieces) + text[at + chance.randrange(5) :]
        running.change(uri, text)
        line, column = chance.randrange(12), chance.randrange(50)
        running.at(chance.choice(["completion", "hover", "definition"]), uri, line, column)
    running.diagnostics(uri)
    running.change(uri, APP.replace('use "./common.snap" as common', "").replace("common.tools", "img:1"))
    assert running.diagnostics(uri) == []
    assert running.errors == ""
