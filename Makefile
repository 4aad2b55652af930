# `make run` starts a bridge, `make test` runs everything that can be run here. Both make .venv first.
# Needs: git, make, Python 3.11 or later with venv (Debian: apt-get install git make python3-venv).
#   make run PORT=8081          another port
#   make test PYTHON=python3.12 another Python (remove .venv first: `make clean`)
#   make test ARGS="-n 0 tests/unit -k settings"   in one process, which is quicker for a few tests

PYTHON ?= python3
VENV   ?= .venv
HOST   ?= 127.0.0.1
PORT   ?= 8080
ARGS   ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help run test lint format bench interop crash security fuzz soak docs dist lock lowest sbom release-check clean

help:
	@echo "make run     start a bridge with the shipped ERP contracts, its data in ./data (SQLite)"
	@echo "make test    the whole test suite"
	@echo "make lint    ruff, formatting, types"
	@echo "make format  let ruff put the code in shape"
	@echo "make bench   measure, and compare with plain Spyne and a hand-written server"
	@echo "make interop clients of other languages against every operation; writes docs/interop.md"
	@echo "make crash   kill everything for a while, and see whether all that was accepted arrives; docs/crash-kit.md"
	@echo "make security  attack a bridge over TLS with all that is known; writes docs/attacks.md"
	@echo "make fuzz    messages, settings and contracts bent at random; ARGS=\"--runs 1000000 --write\""
	@echo "make soak    a million hostile messages, and the memory of the server meanwhile"
	@echo "make docs    write the generated pages anew (settings, order states)"
	@echo "make dist    wheel and sdist in ./dist"
	@echo "make lock    settle the versions of a release anew, with hashes: deploy/*.lock; ARGS=--upgrade takes the newest"
	@echo "make lowest  tests with the oldest version of everything that setup.cfg allows; ARGS names other tests"
	@echo "make sbom    what a release is made of, in CycloneDX: ./dist/sbom.json"
	@echo "make release-check   a release installed from its lock files alone, and tried"
	@echo "make clean   remove .venv and caches; ./data stays"

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or later, or say PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: say PYTHON=python3.11 or later"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "no venv here: on Debian, apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

# The stamps: installed anew when the metadata changes, and only then.
$(VENV)/.installed: $(VENV)/bin/python setup.cfg pyproject.toml
	@echo "installing soapbridge into $(VENV) (once)"
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python setup.cfg pyproject.toml
	@echo "installing soapbridge with its test tools into $(VENV) (once)"
	@$(PIP) install --editable '.[postgres,mysql,dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-release: $(VENV)/bin/python setup.cfg pyproject.toml
	@echo "installing the tools of a release into $(VENV) (once)"
	@$(PIP) install --editable '.[release]'
	@touch $@ $(VENV)/.installed

run: $(VENV)/.installed
	@$(BIN)/soapbridge up --host $(HOST) --port $(PORT)

test: $(VENV)/.installed-dev
# A file stays in one process with what it shares; in the order found, the long ones (tests/acceptance) first.
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks $(ARGS)

interop: $(VENV)/.installed-dev
	$(BIN)/python -m tests.interop

crash: $(VENV)/.installed-dev
	$(BIN)/python -m tests.crash $(ARGS)

security: $(VENV)/.installed-dev
	$(BIN)/python -m tests.security --page docs/attacks.md $(ARGS)

fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m tests.fuzz $(ARGS)

soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.fuzz.soak $(ARGS)

docs: $(VENV)/.installed
	$(BIN)/soapbridge settings --markdown > docs/settings.md
	$(BIN)/soapbridge settings --toml > bridge.toml
	$(BIN)/python -m bridge.erp.state_page purchasing > docs/order-states.md
	$(BIN)/python -m bridge.erp.state_page sales > docs/sales-states.md

dist: $(VENV)/.installed-dev
	$(PIP) wheel --no-deps --wheel-dir dist .
	$(BIN)/python -c "from setuptools import build_meta; build_meta.build_sdist('dist')"

# docs/supply-chain.md says why. Names and hashes only: where packages come from is the affair of who installs them.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url $(ARGS)

lock: $(VENV)/.installed-release
	$(COMPILE) --extra postgres --extra mysql --output-file deploy/requirements.lock setup.cfg
	echo setuptools | $(COMPILE) --output-file deploy/build.lock -

# What setup.cfg promises: its lower bounds do.
lowest: $(VENV)/.installed-release
	@mkdir -p build
	$(BIN)/uv pip compile --quiet --resolution lowest-direct --no-header --no-annotate --no-emit-index-url --python $(PYTHON) --all-extras --output-file build/lowest.txt setup.cfg
	rm -rf build/lowest
	$(PYTHON) -m venv build/lowest
	build/lowest/bin/python -m pip --disable-pip-version-check --quiet install --editable . --requirement build/lowest.txt
	build/lowest/bin/python -m pytest -n 2 --dist loadfile $(or $(ARGS),tests/unit)

# A new environment with what a release installs and nothing else.
RELEASE := build/release
HASHED  := $(RELEASE)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --only-binary :all:

$(RELEASE)/.installed: dist deploy/requirements.lock deploy/build.lock
	rm -rf $(RELEASE)
	$(PYTHON) -m venv $(RELEASE)
	$(HASHED) --requirement deploy/build.lock
	$(HASHED) --no-binary spyne --no-build-isolation --requirement deploy/requirements.lock
	$(RELEASE)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-index --find-links dist soapbridge
	$(RELEASE)/bin/python -m pip --disable-pip-version-check check
	@touch $@

sbom: $(RELEASE)/.installed $(VENV)/.installed-release
	$(BIN)/cyclonedx-py environment --output-reproducible --output-file dist/sbom.json $(RELEASE)/bin/python
	@echo "dist/sbom.json"

release-check: $(RELEASE)/.installed sbom
	cd $(RELEASE) && SOAPBRIDGE_DATA_FOLDER=data bin/soapbridge check
	cd $(RELEASE) && bin/soapbridge demo
	cd dist && sha256sum soapbridge-* sbom.json > SHA256SUMS && cat SHA256SUMS

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
