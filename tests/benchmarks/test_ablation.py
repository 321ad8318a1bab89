"""`benchmarks/ablation.py`: which runs it makes, and what it reads back from MLflow."""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import Metric
from omegaconf import OmegaConf

from tests.project import PROJECT
from tests.test_architecture import load_config
from xmodal_kedro.params import TrainParams, TransferParams

FULL, MEAN = "vggish_plus", "mean"


@pytest.fixture(scope="module")
def ablation() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROJECT / "benchmarks")
        yield importlib.import_module("ablation")


@pytest.fixture(scope="module")
def empty_store(ablation: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Making MLflow's tables takes seconds, so all tests share one store."""
    store, before = tmp_path_factory.mktemp("store"), mlflow.get_tracking_uri()
    ablation.open_store(store)
    yield store
    mlflow.set_tracking_uri(before)


@pytest.fixture
def store(ablation: Any, empty_store: Path) -> Path:
    for run in mlflow.search_runs(experiment_names=[ablation.EXPERIMENT], output_format="list"):
        mlflow.delete_run(run.info.run_id)
    return empty_store


def log_runs(
    ablation: Any, name: str, seed: int, accuracy: float = 0.5, data: str = "abc", esc10_status: str = "FINISHED"
) -> None:
    """What both runs of a training leave in the store."""
    (row,) = (row for row in ablation.ROWS if row.name == name)
    settings = json.dumps(ablation.settings_of(row, seed, epochs=2))
    mlflow.set_experiment(ablation.EXPERIMENT)
    with mlflow.start_run(tags={"row": name, "part": ablation.TRAINED, "settings": settings}) as run:
        speeds = [Metric("epoch.clips_per_s", speed, 0, step) for step, speed in enumerate([1.0, 30.0, 20.0])]
        mlflow.MlflowClient().log_batch(run.info.run_id, metrics=speeds)
        mlflow.log_metric("esc50.linear_probe.pretrained.accuracy", accuracy)
        card = {"parameter_count": 1234, "best": {"validation_map": accuracy / 2}, "data_fingerprint": data}
        mlflow.log_dict(card, "card.json")
    mlflow.start_run(tags={"row": name, "part": ablation.ESC10, "settings": settings})
    mlflow.log_metrics(
        {"esc10.linear_probe.pretrained.accuracy": accuracy - 0.1, "esc10.linear_probe.random.accuracy": 0.25}
    )
    mlflow.end_run(esc10_status)


def rows_of(ablation: Any, *names: str) -> list[Any]:
    return ablation.choose_rows(",".join(names))


def test_every_row_sets_parameters_that_exist_and_each_differs(ablation: Any) -> None:
    shipped = load_config("sample")["parameters"]
    trainings = []
    for row in ablation.ROWS:
        settings = ablation.settings_of(row, seed=7, epochs=3)
        given = OmegaConf.to_container(OmegaConf.from_dotlist([f"{name}={value}" for name, value in settings.items()]))
        merged = {key: OmegaConf.merge(shipped[key], given[key]) for key in ("train", "transfer_eval")}
        params = TrainParams.model_validate(OmegaConf.to_container(merged["train"]))
        assert (params.seed, params.epochs) == (7, 3)
        assert TransferParams.model_validate(OmegaConf.to_container(merged["transfer_eval"])).random_seed == 7
        trainings.append(params.model_dump_json())
    assert len(set(trainings)) == len(ablation.ROWS)


def test_figures_are_means_with_deviations_and_differences_are_of_equal_seeds(ablation: Any, store: Path) -> None:
    for seed, (full, mean) in enumerate([(0.80, 0.70), (0.60, 0.54)]):
        log_runs(ablation, FULL, seed, full)
        log_runs(ablation, MEAN, seed, mean)
    text = ablation.render(rows_of(ablation, MEAN), seeds=[0, 1], epochs=2)
    assert "| `vggish_plus` | 1,234 | 20.0 ± 0.0 | 35.0 ± 7.1 | 70.0 ± 14.1 | 60.0 ± 14.1 | 25.0 ± 0.0 |" in text, text
    assert "| `pooling: mean` | -4.0 ± 1.4 | -8.0 ± 2.8 | -8.0 ± 2.8 |" in text


def test_one_seed_has_no_deviation(ablation: Any, store: Path) -> None:
    log_runs(ablation, FULL, seed=0)
    text = ablation.render(rows_of(ablation, FULL), seeds=[0], epochs=2)
    assert "| `vggish_plus` | 1,234 | 20.0 | 25.0 | 50.0 | 40.0 | 25.0 |" in text


@pytest.mark.parametrize("status", ["RUNNING", "FAILED", "KILLED"])
def test_only_runs_that_are_missing_or_did_not_end_well_are_made(
    ablation: Any, store: Path, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    log_runs(ablation, FULL, seed=0)
    log_runs(ablation, MEAN, seed=0, esc10_status=status)
    made = []
    monkeypatch.setattr(ablation, "make_run", lambda row, seed, *_: made.append((row.name, seed)))
    options = argparse.Namespace(store=store, epochs=2, data_root=Path("world"), esc10=Path("esc10"))
    ablation.make_missing(rows_of(ablation, MEAN), [0, 1], options)
    assert made == [(MEAN, 0), (FULL, 1), (MEAN, 1)]


def test_trainings_of_another_length_are_others(ablation: Any, store: Path) -> None:
    log_runs(ablation, FULL, seed=0)
    assert ablation.finished(ablation.settings_of(ablation.ROWS[0], 0, epochs=3)) is None


def test_a_table_of_missing_runs_or_of_mixed_data_is_refused(ablation: Any, store: Path) -> None:
    log_runs(ablation, FULL, seed=0)
    with pytest.raises(SystemExit, match="lacks runs of mean: run without --table-only"):
        ablation.render(rows_of(ablation, MEAN), seeds=[0], epochs=2)
    log_runs(ablation, MEAN, seed=0, data="other")
    with pytest.raises(SystemExit, match="different clips and labels: give each data root a --store"):
        ablation.render(rows_of(ablation, MEAN), seeds=[0], epochs=2)


def test_an_unknown_row_is_an_error_that_lists_those_there_are(ablation: Any) -> None:
    with pytest.raises(SystemExit, match=r"no row squeeze; there are vggish_plus, .*mobilenet_v2"):
        ablation.choose_rows("squeeze,mean")


def test_what_was_written_above_the_tables_is_kept(ablation: Any, tmp_path: Path) -> None:
    page = tmp_path / "ablation.md"
    ablation.write_table(page, "first")
    page.write_text(page.read_text().replace("is worth\n", "is worth\n\nBy hand.\n"))
    ablation.write_table(page, "second")
    assert "By hand." in page.read_text() and "second" in page.read_text() and "first" not in page.read_text()
