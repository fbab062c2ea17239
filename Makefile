# make demo   everything on this machine, a first trace, then the addresses     (ARGS=--verify: exit 0 if it was whole)
# make test   every test and check                                             (ARGS="-k b3": some of them)
# make docs   the documentation site, into build/site                          (ARGS=serve: show it while it is written)
# make lock   write requirements.lock anew

VENV := .venv
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 python3.14,$(if $(shell command -v $(name) >/dev/null 2>&1 && $(name) -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null | grep True),$(name))))
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet
ARGS ?=

.PHONY: demo test docs lock clean

demo: $(VENV)/demo-installed
	@$(VENV)/bin/python -m stack $(ARGS)

test: $(VENV)/test-installed
	@$(VENV)/bin/python -m pytest -n 2 --dist loadfile $(ARGS)

docs: $(VENV)/docs-installed
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs $(if $(ARGS),$(ARGS),build --quiet)
	@$(if $(ARGS),,echo "build/site/index.html")

$(VENV)/%-installed: pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "installing the packages of '$*' into $(VENV), a minute or two the first time"
	@$(PIP) install --constraint requirements.lock --editable '.[$*]'
	@touch $@

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is missing; install it, or say where it is: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

lock:
	@rm -rf $(VENV)-lock
	@$(PYTHON) -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip --disable-pip-version-check --quiet install '.[test]'
	@$(VENV)-lock/bin/python -m pip freeze --exclude kombu-zipkin > requirements.lock
	@rm -rf $(VENV)-lock
	@echo "requirements.lock: $$(wc -l < requirements.lock) packages"

clean:
	rm -rf $(VENV) .stack build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
