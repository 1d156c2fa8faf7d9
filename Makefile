# `make demo` and `make test` need Python 3.11+ only; each makes its own .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test simulate replay-world fuzz sanitize lint e2e soak up down clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

BUILT_FROM := pyproject.toml hatch_build.py $(wildcard cdc_archive/archive/*/*.p[xy][xi])

$(BIN)/pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check 'pip>=25.1'

$(VENV)/.demo: $(BIN)/pip $(BUILT_FROM)
	$(BIN)/pip install -q --disable-pip-version-check -e '.[demo]'
	touch $@

$(VENV)/.dev: $(BIN)/pip $(BUILT_FROM)
	$(BIN)/pip install -q --disable-pip-version-check -e '.[librdkafka,demo]' --group dev
	touch $@

demo: $(VENV)/.demo ## Play the incident and its recovery, in this process
	@$(BIN)/cdc-archive demo

test: $(VENV)/.dev ## All tests that need nothing but Python
	$(BIN)/python -m pytest

$(VENV)/.fuzz: $(VENV)/.dev
	$(BIN)/pip install -q --disable-pip-version-check --group fuzz
	touch $@

fuzz: $(VENV)/.fuzz ## Search for inputs that break a reader or the decoder (SECONDS=60)
	$(BIN)/python tests/hostile/fuzz_all.py --seconds $(or $(SECONDS),60)

sanitize: $(VENV)/.dev ## The compiled modules' tests under the compiler's sanitizers
	$(BIN)/python tests/sanitize.py

lint: $(VENV)/.dev ## Style, types, and the rooms' imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --strict infra bench examples
	$(BIN)/lint-imports

simulate: $(VENV)/.dev ## Worlds of faults by seed: SEEDS=10000 FIRST=0 SECONDS=60 TRACE=1
	@SEEDS='$(SEEDS)' FIRST='$(FIRST)' SECONDS='$(SECONDS)' TRACE='$(TRACE)' PLANT='$(PLANT)' \
		PYTHONPATH=tests $(BIN)/python -m simulation

replay-world: $(VENV)/.dev ## Model databases by seed, replayed and held against what happened: SEEDS=1000 FIRST=0
	@PYTHONPATH=tests $(BIN)/python -m replay_world $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST))

e2e: $(VENV)/.dev ## Tests with real Kafka, Debezium, PostgreSQL, S3 (needs Java 17, Maven, Go)
	$(BIN)/python -m pytest -m e2e -p no:randomly tests/e2e  # in order: a failure is found again in minutes, not in an hour

soak: $(VENV)/.dev ## Memory of the worker under load on real servers: SCENARIO=name SECONDS=60
	$(BIN)/python -m bench.soak $(SCENARIO) $(if $(SECONDS),--seconds $(SECONDS))

up: ## Start the real stack; `python3 -m infra.local env` tells how to reach it
	$(PYTHON) -m infra.local up

down: ## Stop the real stack and remove its data
	$(PYTHON) -m infra.local down --purge

clean: ## Remove what make made
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
