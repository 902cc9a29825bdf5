# `make demo`: set everything up and run the main job. `make test`: set everything up and test.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint clean
demo: .venv/ready
	$(BIN)/python launch.py --config=experiments/gan_vc.py --workdir=runs/demo

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: .venv/ready-to-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/ready: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -r requirements.txt
	touch $@

.venv/ready-to-test: .venv/ready requirements-test.txt
	$(BIN)/pip install --quiet -r requirements-test.txt
	touch $@

clean:
	rm -rf .venv runs build
