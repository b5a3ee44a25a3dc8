# Two commands on a fresh machine: `make demo` and `make test`. Everything installs into .venv; nothing else is touched.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# A machine that forbids compiled files makes each of the hundreds of processes that tests start half a second slower.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo run test lint types imports check mutants chaos chaos-mutants fuzz bench-bulk bench-many bench-console docs lock clean screenshots

help: ## Show what there is to do
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: .venv/run ## Install into .venv, so that .venv/bin/tltw is there

demo: .venv/run ## Run the whole pipeline against simulated systems; ARGS=--once plays the story and ends
	@$(BIN)/python -m sandbox $(ARGS)

run: .venv/run ## Run against the real systems, from .env
	@$(BIN)/tltw run

# More than there are cores: many tests wait for a lease, a process or a browser.
test: .venv/dev ## Run the tests; ARGS="-k words" picks some
	$(BIN)/pytest -n 3 --dist worksteal $(ARGS)

check: lint types imports test ## Everything that .ci/run checks

lint: .venv/dev ## Style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/dev ## Types
	$(BIN)/mypy

imports: .venv/dev ## Who may import whom
	$(BIN)/lint-imports

mutants: .venv/dev ## Take out one safety at a time; the tests must notice each
	$(BIN)/python tests/mutants/run.py

MINUTES ?= 10
SEED ?= 1
chaos: .venv/dev ## Break everything for MINUTES from SEED on, and write docs/reliability.md (needs redis-server)
	$(BIN)/python -m tests.chaos.run --minutes $(MINUTES) --seed $(SEED) --report docs/reliability.md $(ARGS)

chaos-mutants: .venv/dev ## Take a safety out of the ledger, one at a time; the chaos checker must notice
	$(BIN)/python -m tests.chaos.mutants

screenshots: .venv/dev ## Take pictures of every page of the console into build/screenshots (needs chromium)
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

bench-bulk: .venv/dev ## Print what a whole database costs: export, real limit, sweep, lost webhooks; ARGS=--quick, ARGS=--million
	@$(BIN)/python -m benchmarks.bulk $(ARGS)

bench-many: .venv/dev ## Print what hundreds of merchants cost and whether they disturb each other; ARGS=--quick in a minute
	@$(BIN)/python -m benchmarks.many $(ARGS)

bench-console: .venv/dev ## Print what the console's pages cost with 100,000 customers in the ledger
	@$(BIN)/python -m benchmarks.console $(ARGS)

docs: .venv/dev ## Write the generated pages anew
	$(BIN)/python -m mapping.field_map > docs/field-map.md
	$(BIN)/python -m config.document

lock: ## Choose the newest versions pyproject.toml allows (needs uv)
	uv pip compile pyproject.toml --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --python-version 3.11 -q -o requirements/run.txt
	uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --python-version 3.11 -q -o requirements/dev.txt

clean: ## Remove what was installed and built
	rm -rf .venv build *.egg-info

.venv/run: requirements/run.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (once; about a minute) …"
	@$(BIN)/pip install --quiet --require-hashes -r requirements/run.txt
	@$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

.venv/dev: requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (once; about a minute) …"
	@$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@ .venv/run

fuzz: .venv/dev ## Send more than 20,000 hostile requests to the real web process
	TLTW_FUZZ_CASES=2600 $(BIN)/pytest -q -s --timeout 900 tests/acceptance/test_fuzz_over_http.py tests/acceptance/test_openapi_is_kept_over_http.py \
		tests/integration/test_ingress_server.py::test_500_half_open_requests_and_50_slow_senders_do_not_starve_the_others
