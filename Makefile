# `make demo`, `make test` and `make web` do all of their own set-up.
VENV ?= .venv
PYTHON ?= python3
# Of `make test`: processes that test side by side.
JOBS ?= 2
PYTEST = $(VENV)/bin/python -m pytest --numprocesses $(JOBS) --dist loadfile
# Of `make web`.
PORT ?= 8000
# Of `make lock`, `make audit` and `make sbom`: their tools, in an environment of their own.
RELEASE ?= .release
PIP_INSTALL = pip install --quiet --disable-pip-version-check
COMPILE = $(RELEASE)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
# Prepared datasets beside the checkout, if there are any; otherwise TFDS downloads what is asked for.
ifneq ($(wildcard ../shared/tfds),)
export TFDS_DATA_DIR ?= $(abspath ../shared/tfds)
endif
ifneq ($(wildcard ../shared/data),)
export ZOO_DATA_DIR ?= $(abspath ../shared/data)
endif
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test test-keras-next web test-web browser lint install format clean paper verify arm64 lock audit sbom

demo: install  ## fine-tune a pretrained encoder on a few real digits, export it, run it as a phone would
	$(VENV)/bin/zoo demo

test: install lint  ## linter and all tests, in three runs because TensorFlow's converter leaks memory
	$(PYTEST) tests/exporting
	$(PYTEST) tests/catalog tests/recipes tests/scripts tests/transfer
	$(PYTEST) $(foreach folder,exporting catalog recipes scripts transfer,--ignore=tests/$(folder))

test-keras-next: install  ## the training tests with the newest Keras, pre-releases included
	PYTHON=$(VENV)/bin/python scripts/test_newest_keras.sh

web: install  ## the page that runs exported models in the browser: build what is missing, and serve it
	$(VENV)/bin/python scripts/web.py build
	$(VENV)/bin/python scripts/web.py serve --port $(PORT)

test-web: install browser  ## that page, in a real Chromium
	$(VENV)/bin/python scripts/web.py build
	$(VENV)/bin/python -m pytest tests/web

browser:  ## what test-web needs of the system; Debian's packages, as root, where something is missing
	@missing=$$(for name in chromium npm; do command -v $$name >/dev/null || echo $$name; done); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "Missing:" $$missing"; install it and try again (Debian: apt-get install" $$missing")." >&2; exit 2; \
	fi; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing

arm64: install  ## run exported files on emulated 64-bit ARM, and write what was found into docs/mobile.md
	PYTHON=$(VENV)/bin/python scripts/check_arm64.sh

paper: install  ## do the paper's experiments again: docs/paper.md
	$(VENV)/bin/python scripts/reproduce_paper.py

verify: install  ## recompute every number of every card
	$(VENV)/bin/python scripts/evaluate.py --verify
	$(VENV)/bin/python scripts/evaluate.py --verify-quantization
	$(VENV)/bin/python scripts/update_readme.py --check

lock: $(RELEASE)/.installed  ## write both lock files anew; pinned versions stay, unless UPGRADE=1
	$(COMPILE) setup.py --extra test --output-file requirements.lock
	$(COMPILE) --group pyproject.toml:release --output-file requirements-release.lock

audit: $(RELEASE)/.installed  ## search a public database for known vulnerabilities of the locked packages
	$(RELEASE)/bin/python scripts/supply_chain.py audit requirements.lock

sbom: $(RELEASE)/.installed  ## list the locked packages, with hashes, in CycloneDX JSON: build/sbom.cdx.json
	$(RELEASE)/bin/python scripts/supply_chain.py sbom requirements.lock --output build/sbom.cdx.json

lint: install  ## style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: install
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

install: $(VENV)/.installed

$(VENV)/.installed: requirements.lock setup.py
	$(PYTHON) -m venv $(VENV)
	# First what source distributions are built with; pip would fetch that without hashes.
	sed -nE '/^(packaging|setuptools|wheel)==/,/[^\\]$$/p' requirements.lock > $(VENV)/build.lock
	$(VENV)/bin/python -m $(PIP_INSTALL) --require-hashes -r $(VENV)/build.lock
	$(VENV)/bin/python -m $(PIP_INSTALL) --require-hashes --no-build-isolation -r requirements.lock
	$(VENV)/bin/python -m $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	$(VENV)/bin/python -m pip check
	touch $@

$(RELEASE)/.installed: requirements-release.lock
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/python -m $(PIP_INSTALL) --require-hashes --only-binary :all: -r requirements-release.lock
	touch $@

clean:
	rm -rf $(VENV) $(RELEASE) build dist demo exported trained paper-state arm64-state web/models web/vendor *.egg-info
