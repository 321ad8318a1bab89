PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo ui audit recipes test lint types clean

demo: $(VENV)/.installed  ## the whole line on the built-in sample world
	$(BIN)/kedro run --env sample

ui: $(VENV)/.installed  ## runs, curves and models in the browser
	$(BIN)/kedro mlflow ui

audit: $(VENV)/.installed  ## the last commit in two clean clones: does it give the same bytes?
	$(BIN)/python -m xmodal_kedro.cli.audit $(ARGS)

recipes: $(VENV)/.installed  ## write recipes.lock: after a raised version, or with ACCEPT=1 where no result changes
	$(BIN)/python -m xmodal_kedro.cli.recipes $(if $(ACCEPT),--accept,--write)

# A hundred processes start in the tests: none is to compile its libraries anew, whatever the shell says of bytecode.
test: export PYTHONDONTWRITEBYTECODE :=
test: lint types  ## lint, types and every test
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache data/sample
