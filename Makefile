# `make help` lists what there is. Everything runs from .venv, which `make setup` builds from locked versions.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
VENV := .venv
# Test processes, each with servers of its own. More than cores, since tests that kill things mostly wait.
JOBS ?= 3
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed
BENCHMARKS := $(VENV)/.benchmarks-installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options
# The tests' settings need no environment; the tools below look at the code, not at a database.
TOOL_ENV := DJANGO_SETTINGS_MODULE=tests.settings

.PHONY: help setup demo test faults faults-matrix fuzz bench bench-page bench-publish screenshots lint format clean lock

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(RUNTIME) ## build .venv from requirements.txt (hashes checked)

demo: setup ## web, workers, live feed and sample runs, on servers of its own; Ctrl-C stops all
	@exec $(BIN)/python manage.py demo

test: $(DEVELOPMENT) ## all tests, on real servers of their own; ARGS="-k name" chooses, JOBS=1 runs one at a time
	@$(BIN)/pytest -n $(JOBS) --dist loadfile $(ARGS)

fuzz: $(DEVELOPMENT) ## the move protocol under random writers and kills; SEEDS=40, or SEED=7 to play one again
	@$(BIN)/python -m tests.faults.fuzz $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

faults: $(DEVELOPMENT) ## random schedules of faults until N=200 were injected; SEED=1 for the first, JOBS=2 at a time
	@$(BIN)/python -W ignore -m tests.faults.schedules --faults $(or $(N),200) $(if $(SEED),--seed $(SEED)) \
		$(if $(filter command environment,$(firstword $(origin JOBS))),--jobs $(JOBS)) $(ARGS)

faults-matrix: $(DEVELOPMENT) ## every fault at every moment, by real kills; writes docs/reference/reliability.md
	@$(if $(ARGS),,rm -f tests/faults/results/matrix.json)
	@FAULTS_MATRIX=1 $(BIN)/pytest tests/faults/test_matrix.py -q $(ARGS) && passed=1 || passed=; \
		$(BIN)/python -m tests.faults.page && [ -n "$$passed" ]

bench: $(BENCHMARKS) ## measure against baselines of the same run; ROWS=1000000, ARGS="--only P1"
	@$(BIN)/python -m bench $(if $(ROWS),--rows $(ROWS)) $(ARGS)

bench-page: $(DEVELOPMENT) ## write the published figures into docs/reference/performance.md
	@$(BIN)/python -m bench.page

bench-publish: $(DEVELOPMENT) ## take the last measurement over as the published one, and write the page
	@$(BIN)/python -m bench.page --publish

screenshots: $(DEVELOPMENT) ## take docs/images/ anew, of a run that is driven meanwhile; a few minutes
	@$(BIN)/pytest -q tests/browser/screenshots.py $(ARGS)

lint: $(DEVELOPMENT) ## ruff, mypy, missing migrations, shipped runbooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(TOOL_ENV) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@for runbook in */runbooks/*/; do \
		echo "runbook check $$runbook"; $(TOOL_ENV) $(BIN)/python manage.py runbook check "$$runbook"; \
	done

format: $(DEVELOPMENT) ## let ruff rewrite the layout of the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## forget the demo's data and all caches; refuses while a demo runs
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m controlpanel.embedded forget; \
	elif [ -e .phasegate ]; then echo ".phasegate is left: 'make setup' first, then 'make clean' removes it" >&2; exit 1; fi
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis staticfiles test-results
	@find . -path ./$(VENV) -prune -o -type d -name __pycache__ -exec rm -rf {} +

lock: $(DEVELOPMENT) ## choose versions anew and write requirements*.txt with hashes; ARGS="--upgrade"
	$(LOCK) $(ARGS) --output-file requirements.txt requirements.in
	$(LOCK) $(ARGS) --output-file requirements-dev.txt requirements-dev.in
	$(LOCK) $(ARGS) --output-file requirements-bench.txt requirements-bench.in

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found; install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V). Try: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "cannot make $(VENV); on Debian: apt install python3-venv" >&2; exit 1; }

$(RUNTIME): requirements.txt | $(BIN)/python
	@echo "installing locked versions into $(VENV)"
	@$(PIP) install --require-hashes -r requirements.txt
	@touch $@

$(DEVELOPMENT): requirements-dev.txt $(RUNTIME)
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@

$(BENCHMARKS): requirements-bench.txt $(DEVELOPMENT)
	@$(PIP) install --require-hashes -r requirements-bench.txt
	@touch $@
