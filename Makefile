# Everything a fresh machine needs: Python 3.11 or newer, and make.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-slow lint benchmarks imagenetv2 clean

demo: $(VENV)/.base  ## the main job on the embedded example: import, check, fit, line, picture
	mkdir -p demo
	$(BIN)/difficulty-model import wide data/digits/responses.csv -o demo/responses.nc
	$(BIN)/difficulty-model check demo/responses.nc
	$(BIN)/difficulty-model fit demo/responses.nc -o demo/fit.nc
	$(BIN)/difficulty-model law demo/fit.nc --from original --to new-writers --plot demo/law.png
	@echo "The picture is in demo/law.png"

test: $(VENV)/.all lint  ## lint, types and all tests but the slow statistical ones
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-slow: $(VENV)/.all  ## the slow statistical tests: simulation-based calibration, other samplers
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.all
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

benchmarks: $(VENV)/.all  ## speed and memory, side by side with the joint model
	$(BIN)/python benchmarks/fit.py

DATA ?= imagenetv2
imagenetv2: $(VENV)/.base  ## docs/imagenetv2.md, remade from the release in the folder DATA
	mkdir -p demo
	$(BIN)/difficulty-model import imagenetv2 $(DATA) -o demo/imagenetv2.nc
	$(BIN)/difficulty-model check demo/imagenetv2.nc --fix -o demo/imagenetv2-fixed.nc
	$(BIN)/difficulty-model fit demo/imagenetv2-fixed.nc -o demo/imagenetv2-fit.nc \
	  --test-set imagenet-validation-original --test-set imagenetv2-b-33
	$(BIN)/difficulty-model law demo/imagenetv2-fit.nc --from imagenet-validation-original --to imagenetv2-b-33 \
	  --plot docs/imagenetv2.png
	$(BIN)/difficulty-model fit demo/imagenetv2-fixed.nc -o demo/imagenetv2-three.nc --method mode
	$(BIN)/difficulty-model law demo/imagenetv2-three.nc --from imagenet-validation-original --to imagenetv2-a-44
	$(BIN)/difficulty-model law demo/imagenetv2-three.nc --from imagenetv2-a-44 --to imagenetv2-b-33

$(VENV)/.base: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/.all: $(VENV)/.base
	$(PIP) --editable ".[test,inference,timm,pymc]"
	touch $@

clean:
	rm -rf $(VENV) demo .pytest_cache .ruff_cache .jax_cache
