# make demo and make test work on a fresh machine with Python 3.11, git and make.
# Every target but clean first brings .venv up to date; that costs nothing when nothing changed.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CODE := bot channels handlers inbox tests

MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup demo check test soak bench accuracy format clean

help: setup
	@echo 'make demo    the whole desk on this machine, with one web page to try it'
	@echo 'make test    format, lint, types, import contracts, all tests with coverage'
	@echo 'make soak    random deaths, broken mails and orders of events ten times as often; make soak SOAK=50: fifty'
	@echo 'make check   only what needs no test to run'
	@echo 'make format  what make check can mend by itself'
	@echo 'make bench   measures, one a line: name value unit'
	@echo 'make accuracy  how well labelled mails are read, where there are any; make accuracy ARGS=-v names what is wrong'
	@echo 'make clean   remove what these commands made, .venv included'

setup: $(VENV)/ready
	@:

# Everything these two recipes say goes to stderr: the output of make bench is read by programs.
$(VENV)/locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Permanence needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + ". Name another: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)")' >&2
	@echo 'Installing the locked dependencies into $(VENV) ...' >&2
	@$(PYTHON) -m venv --clear $(VENV) >&2
	@$(PIP) install --require-hashes --no-deps --only-binary :all: --requirement requirements.lock >&2
	@touch $@

$(VENV)/ready: $(VENV)/locked pyproject.toml
	@$(PIP) install --no-deps --no-build-isolation --editable . >&2
	@touch $@

demo: setup
	@$(BIN)/permanence demo

check: setup
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports

test: check
	@$(BIN)/pytest --cov --cov-report=term

# SOAK multiplies the rounds of every test that is random: deaths, stops, mutations, orders of events.
soak: export SOAK ?= 10
soak: setup
	@$(BIN)/pytest tests/crash tests/handlers/test_promises.py

bench: setup
	@$(BIN)/python -m tests.bench

accuracy: setup
	@$(BIN)/python -m tests.accuracy $(ARGS)

format: setup
	@$(BIN)/ruff check --fix --exit-zero --quiet $(CODE)
	@$(BIN)/ruff format $(CODE)

clean:
	@rm -rf $(VENV) dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis .artifacts
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
