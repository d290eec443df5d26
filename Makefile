# Two commands do it all: `make run` and `make test`. Everything else is a part of these.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE ?=
PACKAGES := accounts audit chat common consent console crypto inference policy qwenportal registry tenants

.PHONY: help run setup compiled native ctransformers ldap packages dev test lint format bench messages lock clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: setup compiled ## Set up what is missing and serve http://127.0.0.1:8000 (MODEL=qwen fetches the real model)
	@exec $(BIN)/python manage.py quickstart $(if $(MODEL),--model $(MODEL))

setup: $(VENV)/.base compiled ## Build .venv from the locked requirements

# Each start of the server or of a worker would compile it all again where nothing may be written while it runs.
compiled: $(VENV)/.base
	@$(BIN)/python -m compileall -q $(PACKAGES)

native: $(VENV)/.base ## Build llama.cpp for this very processor: the fastest engine (two minutes, needs a compiler)
	@bash deploy/build-native.sh $(VENV)

ctransformers: $(VENV)/.base ## Add the ctransformers engine, for GGML and llama files of 2023
	@bash deploy/install.sh $(VENV) requirements/ctransformers.txt

ldap: $(VENV)/.base ## Add LDAP and Active Directory (ten seconds, needs a compiler and two Debian packages)
	@bash deploy/build-ldap.sh $(VENV)

# What the tests drive, and what python-ldap is compiled against: before anything is compiled.
packages:
	@bash deploy/system-packages.sh

dev: $(VENV)/.dev ## The same, with what tests and linters need

test: packages $(VENV)/.dev compiled ## Install what is missing, lint and pass every test
	@$(MAKE) --no-print-directory native
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST)

lint: $(VENV)/.dev ## Everything that needs no server: style, types, layers, templates, migrations
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy
	@git ls-files -z -- 'templates/*.html' | xargs -0 -r $(BIN)/djade --check --target-version 5.2
	@$(BIN)/python -m tests.lint

format: $(VENV)/.dev ## Format Python and templates in place
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .
	@git ls-files -z -- 'templates/*.html' | xargs -0 -r $(BIN)/djade --target-version 5.2

bench: $(VENV)/.dev ## Measure against the engine called directly, in the same run
	@for b in benchmarks/[a-z]*.py; do $(BIN)/python $$b $(BENCH) || exit 1; done

messages: $(VENV)/.dev ## Collect translatable strings and compile the catalogue
	@$(BIN)/python manage.py makemessages -l zh_Hans --no-location --no-wrap --ignore .venv --ignore var --ignore tests
	@$(BIN)/python manage.py compilemessages -l zh_Hans --ignore .venv --ignore var

lock: $(VENV)/.base ## Renew requirements/*.txt from requirements/*.in
	@for f in uv base server ctransformers native-build ldap-build ldap dev; do $(BIN)/uv pip compile --universal --generate-hashes --no-header --no-emit-index-url \
	  --no-emit-find-links --python-version 3.11 --quiet requirements/$$f.in -o requirements/$$f.txt; done
	@$(BIN)/uv pip compile --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-deps \
	  --python-version 3.11 --quiet requirements/native.in -o requirements/native.txt

clean: ## Remove the virtual environment (data below var/ stays)
	@rm -rf $(VENV)

$(VENV)/bin/python:
	@PYTHON=$(PYTHON) bash deploy/make-venv.sh $(VENV)

$(VENV)/.base: requirements/base.txt requirements/uv.txt | $(VENV)/bin/python
	@bash deploy/install.sh $(VENV) requirements/base.txt
	@touch $@

$(VENV)/.dev: requirements/base.txt requirements/server.txt requirements/ctransformers.txt requirements/ldap.txt requirements/ldap-build.txt requirements/dev.txt | $(VENV)/bin/python
	@bash deploy/install.sh $(VENV) $(filter-out %/ldap.txt %/ldap-build.txt,$(filter %.txt,$^))
	@bash deploy/build-ldap.sh $(VENV)
	@touch $(VENV)/.base $@
