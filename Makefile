# Needs python3 (3.11 or newer) and make; everything else comes into .venv by itself. `make PYTHON=…` picks another Python.

.DEFAULT_GOAL := help
.PHONY: help demo test test-long check fix bench dojo lock clean venv
MAKEFLAGS += --no-print-directory

PYTHON ?=
WORKERS ?= 2
export PYTHON

BIN := .venv/bin
DECIDING := guarded_agents/policy/*,guarded_agents/provenance/*,guarded_agents/screen/*,$\
	guarded_agents/approval/*,guarded_agents/catalog/*,guarded_agents/audit/*

help:
	@echo 'make demo       a guarded agent on real MCP servers: permitted, refused, approved'
	@echo 'make test       the tests that take seconds, and the coverage of the deciding rooms'
	@echo 'make test-long  all tests, mutants, and the protocol model where SPIN is installed'
	@echo 'make check      format, lint, types, imports'
	@echo 'make fix        repair what check can repair'
	@echo 'make bench      what the guard costs, as JSON'
	@echo 'make dojo       AgentDojo with a model that obeys everything, as JSON (in an environment of its own)'
	@echo 'make lock       resolve pyproject.toml again into requirements.lock and requirements-bench.lock'
	@echo 'make clean      remove .venv, .venv-bench and caches (not .runs, where the demo keeps its stores)'
	@echo 'make ... PYTHON=/path/to/python3.12 uses that Python (3.11 or newer)'

demo: venv
	@$(BIN)/guarded-agents demo --answer approve

test: venv
	@$(BIN)/python -m pytest -q -n $(WORKERS) -m 'not long' --cov --cov-report=
	@$(BIN)/python -m coverage report --include='$(DECIDING)' --fail-under=100

test-long: venv
	@$(BIN)/python -m pytest -q -n $(WORKERS) --maxschedchunk=1 --timeout=900
	@sh .ci/model.sh

check: venv
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fix: venv
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: venv
	@$(BIN)/python -m benchmarks

dojo:
	@sh .ci/venv.sh .venv-bench requirements-bench.lock
	@.venv-bench/bin/python -m benchmarks.agentdojo

lock:
	@sh .ci/lock.sh

clean:
	@rm -rf .venv .venv-bench .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache \
		build dist docs/model/run
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@sh .ci/venv.sh
