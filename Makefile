# What a person types. `make demo` and `make test` do all the set-up they need; the second time they need no network.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup check test demo demo-check bench lab lab-vm

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | sort | column -t -s $$'\t'

setup: $(VENV)/.ready  ## a virtual environment with everything that is pinned in requirements.lock

$(VENV)/.ready: requirements.lock pyproject.toml
	@PYTHON=$(PYTHON) tests/packages python
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation --editable .
	@touch $@

check: setup  ## format, lint, types, contracts, unit tests: the inner loop, under a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -n 2 -m "not service and not page and not kernel and not lab and not alone"

test: setup  ## every test this machine can run; says what is missing for the others
	@tests/packages test
	@tests/all

demo: setup  ## the whole story in a browser: no Slack account, no cluster
	$(BIN)/netdiag demo

demo-check: setup  ## the same story without a browser; exits 0 when all of it worked
	$(BIN)/netdiag demo --check

bench: setup  ## speed as ratios: ack, first progress, verdict
	$(BIN)/python -m tests.bench

lab: setup  ## a real cluster in network namespaces to play in (root)
	$(BIN)/python -m tests.lab build
	$(BIN)/python -m tests.lab shell

lab-vm: setup  ## what the lab's kernel may lack (IPVS, netem, host-wide limits), shown on Debian's kernel in QEMU
	@tests/packages vm
	$(BIN)/python -m tests.lab_vm
