# `make demo`: set everything up and run the main job. `make test`: set everything up and test.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint docs gallery clean
demo: .venv/ready
	$(BIN)/python launch.py --config=experiments/gan_vc.py --workdir=runs/demo

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: .venv/ready-to-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/ready-for-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

gallery: .venv/ready-to-test
	$(BIN)/python docs/tools/gallery.py

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/ready-to-test: .venv/ready
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

.venv/ready-for-docs: .venv/ready
	$(BIN)/pip install --quiet --editable '.[docs]'
	touch $@

clean:
	rm -rf .venv .venv-second runs build site
