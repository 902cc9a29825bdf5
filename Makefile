# `make demo`: set everything up and run the main job. `make test`: set everything up and test.
PYTHON ?= python3
# Methods of the demo at a time: with one, a third of two cores has nothing to do.
JOBS ?= 2
# Where an image for containers sets it, every process would compile all packages again: seconds each.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
# A second Python to test on: the newest that is installed, on the PATH or by pyenv, beside $(PYTHON).
FIRST = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
SECOND ?= $(firstword $(foreach v,$(filter-out $(FIRST),3.13 3.12 3.11), \
	$(shell python$(v) -c 'import sys; print(sys.executable)' 2>/dev/null) \
	$(wildcard $(HOME)/.pyenv/versions/$(v).*/bin/python)))
# What depends on the Python and is quick; then one run goes through everything that JAX does.
QUICK := tests/test_config.py tests/test_cli.py tests/test_download.py tests/test_public_names.py \
	tests/pipeline/test_workdir.py tests/data/test_recording.py tests/training/test_sampler.py

.PHONY: demo test pytest test-second ready-for-second lint docs gallery clean
demo: .venv/ready
	$(BIN)/python launch.py --config=experiments/demo.py --workdir=runs/demo --jobs=$(JOBS)

test: lint pytest

pytest: .venv/ready-to-test
	$(BIN)/python -m pytest -n 2 --dist worksteal

# On a second Python with the newest JAX for it; nothing where there is none.
test-second:
ifeq ($(SECOND),)
	@echo "no second Python (3.11 to 3.13) is installed: nothing is tested on it"
else
	$(MAKE) .venv-second/ready
	CI=false .venv-second/bin/python -m pytest -n 2 --dist worksteal $(QUICK)
	XLA_FLAGS=--xla_backend_optimization_level=0 .venv-second/bin/fmri-jax run gan_vc:tiny \
		--workdir=$$(mktemp -d)/run --noprogress --config.evaluation.perceptual=False
endif

lint: .venv/ready-to-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/ready-for-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

gallery: .venv/ready-to-test
	$(BIN)/python docs/tools/gallery.py

# With the weights of EfficientNet-Lite0, which two of the methods are told images by. What a run
# imports it compiles itself: a quarter of what pip would compile.
.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --editable ".[efficientnet]"
	touch $@

# The tests need the rest, too: one call of pip for everything.
.venv/ready-to-test: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --editable '.[test]'
	touch .venv/ready .venv/ready-for-docs $@

.venv-second/ready: requirements.txt pyproject.toml
	$(SECOND) -m venv .venv-second
	.venv-second/bin/pip install --quiet --no-compile --editable . pytest pytest-timeout pytest-xdist
	touch $@

.venv/ready-for-docs: .venv/ready
	$(BIN)/pip install --quiet --editable '.[docs]'
	touch $@

ready-for-second: $(if $(SECOND),.venv-second/ready)

clean:
	rm -rf .venv .venv-second runs build site
