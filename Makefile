PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo ui audit recipes release test faults soak lint types clean

DEMO_STAGES := sample ingest clip visual_label audio_label merge_labels label_check \
	train@vggish_plus transfer_eval@vggish_plus

demo: $(VENV)/.installed  ## the whole line on the built-in sample world; then `dvc repro` knows what is there
	$(BIN)/kedro run --env sample
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc commit --quiet --force $(DEMO_STAGES)

ui: $(VENV)/.installed  ## runs, curves and models in the browser
	$(BIN)/kedro mlflow ui

audit: $(VENV)/.installed  ## the last commit in two clean clones: does it give the same bytes?
	$(BIN)/python -m xmodal_kedro.cli.audit $(ARGS)

recipes: $(VENV)/.installed  ## write recipes.lock: after a raised version, or with ACCEPT=1 where no result changes
	$(BIN)/python -m xmodal_kedro.cli.recipes $(if $(ACCEPT),--accept,--write)

release: test  ## check that this commit is the release that CHANGELOG.md says, and tag it
	$(BIN)/python -m xmodal_kedro.cli.release

# A hundred processes start in the tests: none is to compile its libraries anew, whatever the shell says of bytecode.
# One process more than cores, as many tests wait for servers, kills and time limits.
test: export PYTHONDONTWRITEBYTECODE :=
test: lint types  ## lint, types and every test
	$(BIN)/python -m compileall -q src  # once, and not by each process and in each copy of the project
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

faults: export PYTHONDONTWRITEBYTECODE :=
faults: $(VENV)/.installed  ## every stage with every fault; writes the table in docs/reliability.md; mounts small disks
	$(BIN)/python -m tests.faults
	$(BIN)/python -m pytest -m faults

soak: $(VENV)/.installed  ## 20,000 tiny sources from storage that fails in one of a hundred calls, ingest to labels
	$(BIN)/python benchmarks/soak.py $(ARGS)

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
