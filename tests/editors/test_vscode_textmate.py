"""The TextMate grammar in the engine that VS Code has; installed from npm for the time of the test."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.textmate import Engine

ROOT = Path(__file__).parents[2]
GRAMMAR = ROOT / "grammars/snap.tmLanguage.json"
SAMPLE = Path(__file__).parent / "sample.snap"
PACKAGES = ("vscode-textmate@9.3.2", "vscode-oniguruma@2.0.1")
PROGRAM = """
const fs = require("fs"), path = require("path");
const textmate = require("vscode-textmate"), oniguruma = require("vscode-oniguruma");
const [grammar, sample] = process.argv.slice(2);
(async () => {
  await oniguruma.loadWASM(fs.readFileSync(path.join(path.dirname(require.resolve("vscode-oniguruma")), "onig.wasm")).buffer);
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async () => textmate.parseRawGrammar(fs.readFileSync(grammar, "utf8"), grammar),
  });
  const found = await registry.loadGrammar("source.snap");
  let state = textmate.INITIAL;
  const lines = fs.readFileSync(sample, "utf8").split("\\n").map((line) => {
    const { tokens, ruleStack } = found.tokenizeLine(line, state);
    state = ruleStack;
    return tokens.map((token) => [line.slice(token.startIndex, token.endIndex), token.scopes.at(-1)]);
  });
  console.log(JSON.stringify(lines));
})();
"""


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm installs the engine")
def test_the_real_engine_sees_what_ours_does(tmp_path: Path) -> None:
    """So that what the unit tests say of the grammar holds in an editor."""
    subprocess.run(["npm", "init", "-y"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    subprocess.run(["npm", "install", *PACKAGES], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    (tmp_path / "run.cjs").write_text(PROGRAM)
    done = subprocess.run(
        ["node", "run.cjs", GRAMMAR, SAMPLE], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60
    )
    real = [per_character(line) for line in json.loads(done.stdout)]
    ours = Engine(json.loads(GRAMMAR.read_text(encoding="utf-8"))).lines(SAMPLE.read_text(encoding="utf-8"))
    assert [per_character(line) for line in ours] == real


def per_character(line: list[list[str]] | list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(char, scope) for text, scope in line for char in text]
