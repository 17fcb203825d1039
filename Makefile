# `make demo` and `make test` do all of their own set-up.
VENV ?= .venv
PYTHON ?= python3
# Prepared datasets beside the checkout, if there are any; otherwise TFDS downloads what is asked for.
ifneq ($(wildcard ../shared/tfds),)
export TFDS_DATA_DIR ?= $(abspath ../shared/tfds)
endif
ifneq ($(wildcard ../shared/data),)
export ZOO_DATA_DIR ?= $(abspath ../shared/data)
endif
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test lint install format clean paper verify

demo: install  ## fine-tune a pretrained encoder on a few real digits, export it, run it as a phone would
	$(VENV)/bin/zoo demo

test: install lint  ## linter and all tests
	$(VENV)/bin/python -m pytest

paper: install  ## do the paper's experiments again: docs/paper.md
	$(VENV)/bin/python scripts/reproduce_paper.py

verify: install  ## recompute every number of every card
	$(VENV)/bin/python scripts/evaluate.py --verify
	$(VENV)/bin/python scripts/evaluate.py --verify-quantization
	$(VENV)/bin/python scripts/update_readme.py --check

lint: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

format: install
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

install: $(VENV)/.installed

$(VENV)/.installed: requirements.lock setup.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(VENV)/bin/python -m pip check
	touch $@

clean:
	rm -rf $(VENV) build dist demo exported trained paper-state *.egg-info

.PHONY: arm64
arm64: install  ## run exported files on emulated 64-bit ARM: docs/mobile.md
	PYTHON=$(VENV)/bin/python scripts/check_arm64.sh
