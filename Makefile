# Needs only make and Python 3.11 or newer: the rest is brought into ignored folders by tools/setup.py.
PYTHON ?= python3
VENV_PYTHON := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help setup dev test test-fast check fix types bench soak mutants deploy update lock clean

help: ## say what each command does
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

setup: ## bring everything into ignored folders (the others do it themselves)
	@$(PYTHON) -m tools.setup

dev: ## run Headgate here; takes PORT, STATE, STORE (d1, postgres), ENV_FILE and PRODUCTION=1
	@exec $(PYTHON) -m tools.dev --exit-with-parent

test: ## every test: units, the stores' contract, and the Worker on the real runtime with each store
	@$(PYTHON) -m tools.test

test-fast: ## units, and the contract of one store
	@$(PYTHON) -m tools.test --fast

check: setup ## format, lint, types, generated files, locks, and the tests that know all of the source
	@$(VENV_PYTHON) -m tools.check

fix: setup ## make generated files anew, format, and mend what the linter can
	@$(VENV_PYTHON) -m tools.generated
	@$(VENV_PYTHON) -m ruff check --fix-only --quiet .
	@$(VENV_PYTHON) -m ruff format --quiet .

types: setup ## row types from the migrations; TypeScript types and the table of permissions from the routes
	@$(VENV_PYTHON) -m tools.row_types
	@PYTHONPATH=src:. $(VENV_PYTHON) -m tools.client_types
	@PYTHONPATH=src:. $(VENV_PYTHON) -m tools.permissions

bench: setup ## the benchmarks; PEERS=1 measures other gateways beside it
	@PYTHONPATH=src:. $(VENV_PYTHON) bench/run.py

soak: setup ## a long load that kills the Worker again and again, and checks every sum; docs/soak.md tells its settings
	@PYTHONPATH=src:. $(VENV_PYTHON) -m tools.soak

mutants: setup ## break five modules in small ways, and tell which breaks their unit tests let pass
	@PYTHONPATH=src:. $(VENV_PYTHON) -m tools.mutants

deploy: ## to your Cloudflare account; makes what is missing, and updates. docs/deployment.md
	@exec $(PYTHON) -m tools.deploy

update: ## look up the newest versions, and lock them
	@$(PYTHON) -m tools.update_versions

lock: ## derive the locks from pyproject.toml
	@$(PYTHON) -m tools.lock

clean: ## remove all that the set-up brought; .wrangler/ with your data stays
	rm -rf .venv .tools node_modules python_modules .dev dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
