from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from tests.benchmarks.sounds import write_benchmark
from tests.benchmarks.test_report import report_inputs
from tests.fakes import folder_of
from xmodal_kedro.handles import Folder
from xmodal_kedro.models import build
from xmodal_kedro.models.card import describe
from xmodal_kedro.params import TrainParams, TransferParams
from xmodal_kedro.pipelines.transfer_eval import create_pipeline
from xmodal_kedro.pipelines.transfer_eval.nodes import embed_benchmark, probe_folds
from xmodal_kedro.schemas import BenchmarkEmbeddings, TransferPredictions, TransferResults


class Kept(MemoryDataset):
    """Still there after the run."""

    def _release(self) -> None:
        pass


def run(folder: Folder, params: TransferParams) -> dict:
    """The whole pipeline with an untrained network in place of a trained one; what it gives, by name."""
    torch.manual_seed(1)
    model = build("vggish_plus", 2)
    best = {"epoch": 1, "validation_map": 0.25}
    card = describe(model, ["dog", "rain"], TrainParams(model="vggish_plus"), "0" * 32, best)
    reported = {name: value for name, value in vars(report_inputs()).items() if not name.startswith("transfer_")}
    inputs = reported | {
        "benchmark_files": folder,
        "model_weights": model.state_dict(),
        "model_card": card,
        "params:transfer_eval": params,
    }
    del inputs["confusion_matrix"]
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()})
    made = create_pipeline().all_outputs()
    for name in made:
        catalog[name] = Kept(copy_mode="assign")
    SequentialRunner().run(create_pipeline(), catalog)
    return {name: catalog.load(name) for name in made}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = write_benchmark(tmp_path_factory.mktemp("benchmark") / "tones")
    return run(folder, TransferParams(regularisation=(0.01, 0.1), batch_size=4, device="cpu"))


def test_the_parameters_are_typed_for_kedro_without_loading_heavy_libraries() -> None:
    assert get_type_hints(embed_benchmark)["transfer_eval"] is TransferParams
    assert get_type_hints(probe_folds)["transfer_eval"] is TransferParams
    heavy = "{'torch', 'sklearn', 'plotly'}"
    code = f"import sys, xmodal_kedro.pipelines.transfer_eval; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_tables_are_valid_and_survive_parquet(outputs: dict, tmp_path: Path) -> None:
    schemas = {
        "benchmark_embeddings": BenchmarkEmbeddings,
        "transfer_results": TransferResults,
        "transfer_predictions": TransferPredictions,
    }
    for name, schema in schemas.items():
        outputs[name].to_parquet(tmp_path / name)
        assert len(schema.validate(pd.read_parquet(tmp_path / name))) == len(outputs[name])


def test_every_fold_has_a_result_for_both_initialisations(outputs: dict) -> None:
    results = outputs["transfer_results"]
    assert sorted(zip(results["initialisation"], results["fold"], strict=True)) == [
        (initialisation, fold) for initialisation in ("pretrained", "random") for fold in range(1, 6)
    ]
    mean = results.groupby("initialisation")["value"].mean()
    assert outputs["transfer_metrics"]["esc50.pretrained.accuracy"] == pytest.approx(mean["pretrained"])


def test_the_report_speaks_of_this_run(outputs: dict) -> None:
    accuracy = outputs["transfer_metrics"]["esc50.pretrained.accuracy"]
    assert re.search(rf"<dt>Pretrained</dt><dd>{100 * accuracy:.1f} %", outputs["transfer_report"])
    assert "15 clips of 3 classes" in outputs["transfer_report"]


def test_real_sounds_are_told_apart_well_above_chance_even_by_random_weights(real_data: Path, tmp_path: Path) -> None:
    """Two clips of each class and fold of ESC-10: 100 clips, chance is 10 %."""
    whole = folder_of(real_data / "esc10")
    few = pd.read_csv(whole.file("meta/esc50.csv").path).groupby(["category", "fold"]).head(2)
    (tmp_path / "meta").mkdir()
    few.to_csv(tmp_path / "meta" / "esc50.csv", index=False)
    files = {name: whole[name] for name in "audio/" + few["filename"]}
    folder = Folder(str(tmp_path), dict(folder_of(tmp_path)) | files)
    metrics = run(folder, TransferParams(benchmark="esc10", regularisation=(0.01,), device="cpu"))["transfer_metrics"]
    assert metrics["esc10.random.accuracy"] > 0.35
