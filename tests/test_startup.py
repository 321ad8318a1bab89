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
LIST_AND_TELL = """
import sys
from kedro.framework.cli.cli import main
sys.argv = ["kedro", "registry", "list"]
try:
    main()
except SystemExit as done:
    assert not done.code
print("loaded", *(name for name in sys.modules if "." not in name))
"""


def test_listing_the_pipelines_loads_no_heavy_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIST_AND_TELL], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    listed, _, loaded = done.stdout.partition("loaded ")
    assert "- transfer_eval" in listed
    assert "kedro" in loaded.split()
    assert not HEAVY & set(loaded.split())


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
