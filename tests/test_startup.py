"""A command that runs nothing waits for no library that only a run needs."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from tests.project import PROJECT

HEAVY = {
    *("mlflow", "kedro_mlflow", "pandas", "numpy", "pyarrow", "pandera", "duckdb", "scipy", "sklearn", "plotly"),
    *("torch", "torchaudio", "torchvision", "transformers", "onnxruntime", "av", "cv2"),
    *("joblib", "dask", "distributed"),
}
COMMAND_AND_MODULES = """
import sys
from kedro.framework.cli.cli import main
try:
    main()
except SystemExit as done:
    print("exit", done.code)
print("loaded", *(name for name in sys.modules if "." not in name))
"""


def loaded_by(*arguments: str) -> tuple[str, set[str]]:
    """Output of a command of Kedro, and the top-level modules that it loaded."""
    command = [sys.executable, "-c", COMMAND_AND_MODULES, *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    shown, _, loaded = done.stdout.partition("loaded ")
    assert "kedro" in loaded.split()
    return shown + done.stderr, set(loaded.split())


def test_listing_the_pipelines_loads_no_heavy_library() -> None:
    shown, loaded = loaded_by("registry", "list")
    assert "- transfer_eval" in shown
    assert not HEAVY & loaded


@pytest.mark.parametrize(("params", "named"), [("nope=1", "nope"), ("train.epochs=-1", "epochs")])
def test_a_wrong_parameter_is_refused_before_a_heavy_library_is_loaded(params: str, named: str) -> None:
    shown, loaded = loaded_by("run", "--env", "sample", "--params", params)
    assert named in shown
    assert "exit 1" in shown
    assert not HEAVY & loaded


def test_tables_leave_out_what_pandera_has_for_other_libraries_and_hide_it_from_nobody() -> None:
    check = "import sys, xmodal_kedro.schemas; print('dask.dataframe' in sys.modules); import dask.dataframe"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_the_script_counts_imports_for_the_package_that_began_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    report = [
        "import time: self [us] | cumulative | imported package",
        "import time:       100 |        100 |   pandas.core",
        "import time:       200 |        300 | mlflow",
        "import time:        50 |         50 | mlflow.data",
        "some other line",
    ]
    assert importlib.import_module("startup").import_seconds(report) == {"mlflow": pytest.approx(350e-6)}
