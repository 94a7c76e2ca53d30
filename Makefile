# The environment and the jobs that run in it; each target can be called again at any time.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
TOGETHER := --numprocesses 2 --dist loadfile

.PHONY: env demo test fast lint format docs

env: $(STAMP)

$(STAMP): pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "gansweep needs Python 3.11 or newer, found $$($(PYTHON) -V): make PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' -c constraints.txt
	$(BIN)/gansweep schema > search_spaces/gansweep.schema.json # which the first line of each preset names, for editors
	@touch $@

demo: env
	@$(BIN)/python -m pipeline.cli.demo

# The parts, then whole sweeps; each in two processes, a file in one of them.
test: env
	$(BIN)/python -m pytest -q $(TOGETHER) --ignore tests/integration --ignore tests/browser
	$(BIN)/python -m pytest -q $(TOGETHER) tests/integration tests/browser

fast: env
	$(BIN)/python -m pytest -q $(TOGETHER) -m "not slow"

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: env
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: env
	$(BIN)/python -m docs.made
