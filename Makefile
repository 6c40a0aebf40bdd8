# Daily work. `make test` and `make demo` set themselves up on a bare Python with pip.
BIN := .venv/bin

.PHONY: demo test test-all lint docs leaderboard
demo: .venv/run
	$(BIN)/rbench run --model resnet50 --freeze-spatial

test: .venv/test
	$(BIN)/pytest -n auto --dist worksteal

test-all: .venv/test
	$(BIN)/pytest -n auto --dist worksteal -m "not on_demand"

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

docs: .venv/docs
	$(BIN)/python docs/generate.py
	$(BIN)/mkdocs build --strict

leaderboard: .venv/run
	$(BIN)/rbench leaderboard leaderboards/records --output leaderboards

.venv/pip:
	python3 -m venv .venv
	$(BIN)/pip install -q uv
	touch $@

.venv/run: .venv/pip pyproject.toml
	$(BIN)/uv pip install -q --python .venv --compile-bytecode -e .
	touch $@

.venv/test .venv/dev .venv/docs: .venv/%: .venv/pip pyproject.toml
	$(BIN)/uv pip install -q --python .venv --compile-bytecode -e '.[$*]'
	touch $@
