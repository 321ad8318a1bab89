"""A command that runs nothing waits for no library that only a run needs."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from tests.project import PROJECT, Project

HEAVY = {
    *("mlflow", "kedro_mlflow", "pandas", "numpy", "pyarrow", "pandera", "scipy", "sklearn", "plotly"),
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


def loaded_by(*arguments: str, folder: Path = PROJECT) -> tuple[str, set[str]]:
    """Output of a command of Kedro, and the top-level modules that it loaded."""
    command = [sys.executable, "-c", COMMAND_AND_MODULES, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
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


def test_a_run_loads_torch_only_for_nodes_that_need_it_and_mlflow_only_if_it_is_tracked(
    tmp_path: Path, empty_store: Path
) -> None:
    (tmp_path / "sounds").mkdir()
    wavfile.write(tmp_path / "sounds" / "tone.wav", 16_000, (np.sin(np.arange(64_000) / 20) / 2).astype(np.float32))
    project = Project(tmp_path / "project").track_nothing()
    params = f"source={tmp_path / 'sounds'},data_root={tmp_path / 'data'}"
    shown, loaded = loaded_by("run", "--env", "onnx", "--pipelines=ingest", "--params", params, folder=project.folder)
    assert "1 sources = 1 usable" in shown
    assert not {"mlflow", "kedro_mlflow", "torch", "transformers", "onnxruntime"} & loaded
    (project.folder / "conf" / "local" / "mlflow.yml").unlink()
    shutil.copy(empty_store, project.folder / "mlflow.db")
    _, loaded = loaded_by("run", "--env", "onnx", "--pipelines=ingest", "--params", params, folder=project.folder)
    assert "mlflow" in loaded
    assert not {"torch", "transformers", "onnxruntime"} & loaded


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
