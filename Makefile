# Two commands matter: `make run` and `make test`. Everything they need, they install.
.DELETE_ON_ERROR:
.PHONY: run setup setup-test test check bench format lint types clean lock help

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
RUN    := $(VENV)/.installed-run
TEST   := $(VENV)/.installed-test
# The homeserver that Matrix is tested with: its pins must not meet ours.
SYNAPSE := $(VENV)/synapse
SYNAPSE_PIP := $(SYNAPSE)/bin/python -m pip --disable-pip-version-check --quiet

help:
	@echo "make run     install what is missing and start Wirken"
	@echo "make test    prepare and run everything: format, lint, types, contracts, all tests"
	@echo "make check   the same without the slow tests"
	@echo "make bench   print the figures (medians) as a table, and as JSON in build/bench.json"
	@echo "make lock    renew the locked versions and hashes (needs uv)"

run: setup
	@exec $(BIN)/wirken run

setup: $(RUN)
	@sh tools/machine.sh run

setup-test: $(TEST) $(SYNAPSE)/.installed
	@sh tools/machine.sh test

$(VENV)/bin/python:
	@sh tools/machine.sh python $(PYTHON)
	$(PYTHON) -m venv $(VENV)

$(RUN): $(VENV)/bin/python requirements/run.txt requirements/build.txt pyproject.toml
	$(PIP) install --no-deps --require-hashes -r requirements/build.txt
	$(PIP) install --no-deps --require-hashes -r requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q src
	@touch $@

$(TEST): $(RUN) requirements/test.txt
	$(PIP) install --no-deps --require-hashes -r requirements/test.txt
	@touch $@

$(SYNAPSE)/.installed: $(VENV)/bin/python requirements/synapse.txt
	$(VENV)/bin/python -m venv $(SYNAPSE)
	$(SYNAPSE_PIP) install --no-deps --require-hashes -r requirements/synapse.txt
	@touch $@

lint: setup-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	$(BIN)/python -m compileall -q src
	$(BIN)/python -m pytest -q -m "not slow"

test: lint
	$(BIN)/python -m compileall -q src
	@mkdir -p build
	$(BIN)/python -m pytest -q --cov --cov-report=
	@$(BIN)/python -m coverage report --skip-covered > build/coverage.txt && tail -1 build/coverage.txt

format: setup-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup-test
	$(BIN)/python -m bench

lock:
	sh tools/lock.sh

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
