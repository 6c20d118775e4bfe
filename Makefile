PYTHON ?= python3
# Processes that test; each but the first has an engine of its own.
WORKERS ?= 2
BIN := .venv/bin
# As pip does for what it installs: where PYTHONDONTWRITEBYTECODE is set, each start would compile the package anew.
COMPILE := $(BIN)/python -m compileall -q imagebuilder
.PHONY: setup demo test check lint bench fmt grammar

setup: .venv/.installed
.venv/.installed: pyproject.toml
	@$(PYTHON) -m ensurepip --version >/dev/null 2>&1 || { apt-get -qq update && apt-get -qq install -y python3-venv; }
	@$(PYTHON) -m venv .venv && $(BIN)/pip -q install --upgrade pip && $(BIN)/pip -q install -e . --group dev && $(COMPILE) && touch $@

demo: setup
	@$(BIN)/imagebuilder engine start --if-needed && $(BIN)/imagebuilder base build --if-needed && $(BIN)/python examples/hello/demo.py

test: setup
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: lint
	@$(BIN)/pytest -q -n auto tests/unit tests/golden

lint: setup
	@$(BIN)/ruff format --check -q . && $(BIN)/ruff check -q . && $(BIN)/mypy && $(BIN)/lint-imports --no-logo >/dev/null

bench: setup
	@$(COMPILE) && $(BIN)/python tests/bench/run.py

fmt: setup
	@$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q .

grammar: setup
	@$(BIN)/python -m grammars.generate
