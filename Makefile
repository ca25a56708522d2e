# The two commands are "make run" and "make test"; "make help" lists the rest.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install -qq --disable-pip-version-check --constraint constraints.txt
PYTEST_ARGS ?=
# Many tests wait for a relay: more of them run than there are processors.
WORKERS ?= $(shell echo $$((2 * $$(nproc))))
DEMO_ARGS ?=
EXAMPLES ?= 50000
FUZZ_SECONDS ?= 300
FUZZ_TIMES ?= 50
MUTANTS ?= relay.policy.* relay.judgement.*

# What was compiled once serves every process of a run.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test pythons lint site attacks torture bench bounds differential fuzz mutate format docs image image-test help clean screenshots

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

run: .venv/.runtime ## the demo: relay, embedded SES and admin endpoint on loopback, no AWS account
	@$(BIN)/ses-relay demo $(DEMO_ARGS)

test: .venv/.dev ## the whole suite
	@tests/provide
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

pythons: .venv/.dev ## the whole suite on every other Python at hand: a quarter of an hour for each
	@tests/provide
	tests/pythons -n $(WORKERS) $(PYTEST_ARGS)

lint: .venv/.dev ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

attacks: .venv/.dev ## every attack cut at every place, and the time-outs that ship waited out: half an hour
	ATTACKS=full $(BIN)/pytest -n auto --dist worksteal --timeout 0 tests/attacks $(PYTEST_ARGS)

torture: .venv/.dev ## relays killed, starved and lied to: over 200 kills, over 10,000 messages (docs/reliability.md)
	@tests/provide
	TORTURE=full $(BIN)/pytest -n 0 --timeout 0 tests/torture $(PYTEST_ARGS)

bench: .venv/.dev ## what is fast, measured beside peers, and written into docs/performance.md: ten minutes on a quiet machine
	@tests/provide
	$(BIN)/python -m bench --write

bounds: .venv/.dev ## what clients can make the relay cost, measured (SECURITY.md)
	$(BIN)/python -m bench.bounds

differential: .venv/.dev ## the judge against another's evaluator, on many more policies than in the suite
	DIFFERENTIAL_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -n auto --timeout 0 tests/policy/test_differential.py tests/localses/test_second_judge.py $(PYTEST_ARGS)

mutate: .venv/.mutation ## mutants of the judge that its tests let live: half an hour for all, or MUTANTS='relay.policy.dates.*'
	@tests/mutate $(MUTANTS)

fuzz: .venv/.fuzz ## whatever comes in: FUZZ_SECONDS for each target, FUZZ_TIMES as many examples (docs/explanation/fuzzed.md)
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_TARGETS)
	FUZZ_TIMES=$(FUZZ_TIMES) $(BIN)/pytest -n auto --timeout 0 tests/readings tests/fuzz $(PYTEST_ARGS)

format: .venv/.dev ## sort imports, wrap lines
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

docs: .venv/.dev ## write what is generated: relay.toml.example and docs/reference
	$(BIN)/python -m tests.generated

site: .venv/.dev ## the documentation as a site, into .site: what CI builds, with every link and anchor held
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

screenshots: .venv/.dev ## the pictures of the console in docs/images, made anew
	@$(BIN)/python -m tests.screenshots

image: ## the container image
	docker build -t ses-relay .

image-test: ## the image built by buildah on a base made here, and tried: a minute, as root
	@tests/image

clean: ## remove the virtual environment and caches
	rm -rf .venv .demo .fuzz .site mutants .mypy_cache .ruff_cache .pytest_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("ses-relay needs Python 3.11 or newer; try: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv .venv || { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }

.venv/.runtime: .venv/bin/python pyproject.toml constraints.txt
	@echo "installing into .venv ..."
	@$(PIP) --editable '.[cli]'
	@touch $@

.venv/.dev: .venv/.runtime
	@echo "installing what the tests need ..."
	@$(PIP) --upgrade 'pip>=25.1'
	@$(PIP) --editable '.[cli]' --group dev
	@$(PIP) --no-deps --group oracle
	@touch $@

.venv/.fuzz: .venv/.dev
	@echo "installing what fuzzing needs ..."
	@$(PIP) --group fuzz
	@touch $@

# Without ses-relay itself: there the relay is what mutmut made of it.
.venv/.mutation: .venv/.dev
	@echo "installing what mutation testing needs ..."
	@$(PYTHON) -m venv .venv/mutation
	@.venv/mutation/bin/pip install -qq --disable-pip-version-check --upgrade 'pip>=25.1'
	@.venv/mutation/bin/$(notdir $(PIP)) --editable '.[cli]' --group test --group mutation
	@.venv/mutation/bin/$(notdir $(PIP)) --no-deps --group oracle
	@.venv/mutation/bin/pip uninstall -q -y ses-relay
	@touch $@
