# Everything a fresh machine needs: Python 3.11 or newer, and make.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-slow lint benchmarks clean

demo: $(VENV)/.base  ## the main job on the embedded example: import, check, fit, line, picture
	mkdir -p demo
	$(BIN)/difficulty-model import wide data/digits/responses.csv -o demo/responses.nc
	$(BIN)/difficulty-model check demo/responses.nc
	$(BIN)/difficulty-model fit demo/responses.nc -o demo/fit.nc
	$(BIN)/difficulty-model law demo/fit.nc --from original --to new-writers --plot demo/law.png
	@echo "The picture is in demo/law.png"

test: $(VENV)/.all lint  ## lint, types and all tests but the slow statistical ones
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/.all  ## the slow statistical tests: simulation-based calibration, other samplers
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.all
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

benchmarks: $(VENV)/.all  ## speed and memory, side by side with the joint model
	$(BIN)/python benchmarks/fit.py

$(VENV)/.base: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/.all: $(VENV)/.base
	$(PIP) --editable ".[test,inference,pymc]"
	touch $@

clean:
	rm -rf $(VENV) demo .pytest_cache .ruff_cache .jax_cache
