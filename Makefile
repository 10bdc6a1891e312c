# Everything from a fresh clone: each target below sets up whatever it misses. See CONTRIBUTING.md.

PYTHON ?= python3
EXTRAS ?= dev
TORCH ?= torch==2.13.0
# Further Debian packages: EXTRAS=dev,browser DEBIAN=chromium also tests the site in a browser.
DEBIAN ?=
VENV := .venv
BIN := $(VENV)/bin

BENCH_TASK ?= functions-v1
BENCH_AGENTS ?= O0,O1,O2,O3,Os,Oz,random,greedy,tuner,autophase,coreset-nvp,coreset,oracle,llm
BENCH_BUDGET ?= 140
BENCH_FLAGS ?=

PYTEST_FLAGS ?=

comma := ,
given := $(subst $(comma), ,$(EXTRAS))
space := $(subst ,, )
more = $(subst $(space),$(comma),$(strip $(given) $(filter-out $(given),$(1))))
# One stamp for each set of extras, so that `make EXTRAS=dev,rl test` installs what it adds.
INSTALLED := $(VENV)/.installed-$(subst $(comma),-,$(EXTRAS))
CORE_SOURCES := $(wildcard llmopt_bench/csrc/* llmopt_bench/csrc/*/*)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help bench corpus compiler-gym test lint format nightly bench-speed bench-peers wheel setup system-packages readme clean

help: ## What there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

bench: ## Run the main job: score the agents on functions-v1, print the table
	@$(MAKE) --no-print-directory EXTRAS=$(call more,$(if $(findstring llm,$(BENCH_AGENTS)),llm)) setup
	@$(BIN)/llmopt-bench run --task $(BENCH_TASK) --agents $(BENCH_AGENTS) \
	  --budget $(BENCH_BUDGET) $(BENCH_FLAGS)

test: setup ## Run the tests
	@$(BIN)/python -m pytest -m "not nightly" $(PYTEST_FLAGS)

corpus: setup ## Build corpus-v1 from Debian's source packages
	@$(BIN)/llmopt-bench datasets build corpus-v1

compiler-gym: setup ## Set up CompilerGym 0.2.5 in an interpreter of its own
	@$(BIN)/llmopt-bench compiler-gym setup

# The types of what learns are those of PyTorch, so mypy has to see them.
lint: ## Check style and types
	@$(MAKE) --no-print-directory EXTRAS=$(call more,rl llm api) setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy llmopt_bench agents baselines

format: setup ## Rewrite the Python files in the project's style
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format .

nightly: ## Run the tests that take minutes
	@$(MAKE) --no-print-directory EXTRAS=$(call more,llm api serve distributed) setup
	@$(BIN)/python -m pytest -m nightly $(PYTEST_FLAGS)

# The default options of pytest leave the benchmarks out, so here they are spelled again.
bench-speed: setup ## Measure speed with pytest-benchmark
	@$(BIN)/python -m pytest tests/bench --ignore=tests/bench/test_peers.py \
	  -o addopts="--import-mode=importlib --strict-markers" \
	  --benchmark-enable --benchmark-sort=name $(PYTEST_FLAGS)

bench-peers: compiler-gym ## Measure speed against CompilerGym and opt-22, as ratios
	@$(BIN)/python -m pytest tests/bench/test_peers.py $(PYTEST_FLAGS) \
	  -o addopts="--import-mode=importlib --strict-markers"

wheel: setup ## Build the self-contained wheel, into wheelhouse/
	@scripts/wheel.sh $(VENV)

setup: $(INSTALLED) ## Only install: Debian packages, .venv, the library

system-packages:
	@PYTHON=$(PYTHON) scripts/system-packages.sh $(DEBIAN)

$(INSTALLED): pyproject.toml $(CORE_SOURCES) scripts/install.sh | system-packages
	@PYTHON=$(PYTHON) TORCH=$(TORCH) scripts/install.sh $(VENV) $(EXTRAS)
	@touch $@

readme: setup ## Write the tables of the README from the leaderboards
	@$(BIN)/python scripts/results.py readme

clean: ## Remove all that was built or installed here; results in runs/ stay
	rm -rf $(VENV) build dist wheelhouse .pytest_cache .ruff_cache .mypy_cache .hypothesis .benchmarks
	find llmopt_bench agents baselines tests -name __pycache__ -type d -prune -exec rm -rf {} +
