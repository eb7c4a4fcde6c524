SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9

# The first interpreter that can make an environment; `make PYTHON=... TARGET` names another.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	"$$python" -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	2>/dev/null && echo "$$python" && break; done)
define require_python
	[[ -n "$(PYTHON)" ]] || { \
		echo "trimtab needs Python 3.11, 3.12 or 3.13 with venv (on Debian: python3-venv);" \
			"name it with: make PYTHON=/path/to/python TARGET" >&2; exit 1; }
endef

.PHONY: help
help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/.ready ## Plan the bundled shop into out/shop
	@$(BIN)/trimtab plan scenarios/shop --out out/shop
	@echo "Report: $(CURDIR)/out/shop/report.html"

.PHONY: test
test: $(VENV)/.ready browser servers ## Run all tests
	@$(BIN)/python -m pytest

.PHONY: check
check: $(VENV)/.ready ## Lint, check formatting, types and the order of the house
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/architecture

.PHONY: bench
bench: $(VENV)/.ready ## Run the benchmarks; ARGS="exact --json" chooses
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: lock
lock: ## Choose the newest dependencies anew and pin them
	@$(require_python)
	@tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	$(PYTHON) -m venv "$$tools"; \
	"$$tools/bin/pip" install --quiet uv==$(UV_VERSION); \
	"$$tools/bin/uv" pip compile pyproject.toml --extra dev --output-file requirements.lock \
		--upgrade --universal --python-version 3.11 --only-binary :all: --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet

.PHONY: clean
clean: ## Remove the environment, results and caches
	rm -rf $(VENV) out build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps come last, so that a set-up that was interrupted starts afresh.
$(VENV)/.locked: requirements.lock
	@$(require_python)
	@echo "Setting up $(VENV) (about a minute) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
		--no-deps --require-hashes --only-binary :all: --requirement requirements.lock
	@touch $@

$(VENV)/.ready: $(VENV)/.locked pyproject.toml
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
		--no-deps --no-build-isolation --editable .
	@touch $@

# Reports are looked at in a real browser. Tests that need it are skipped without, but not in CI.
.PHONY: browser
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null && exit; \
	as_root=(); [[ $$(id -u) == 0 ]] || as_root=(sudo -n); \
	echo "Installing chromium ..."; \
	{ "$${as_root[@]}" apt-get -qq update && \
		"$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes \
			--no-install-recommends chromium; } </dev/null >/dev/null || \
	echo "chromium could not be installed: tests that look at reports in a browser are skipped"

# Telemetry is read from real servers. Packages may not start services: tests start their own.
SERVERS := prometheus haproxy prometheus-node-exporter
.PHONY: servers
servers:
	@PATH="$$PATH:/usr/sbin"; command -v $(SERVERS) promtool >/dev/null && \
		[[ $$(command -v $(SERVERS) promtool | wc -l) == 4 ]] && exit; \
	as_root=(); [[ $$(id -u) == 0 ]] || as_root=(sudo -n); \
	echo "Installing $(SERVERS) ..."; \
	{ "$${as_root[@]}" apt-get -qq update && \
		"$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install --yes \
			--no-install-recommends $(SERVERS); } </dev/null >/dev/null || \
	echo "$(SERVERS) could not be installed: tests that read telemetry from them are skipped"
