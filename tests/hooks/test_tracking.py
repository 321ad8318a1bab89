"""What a run records in the tracking store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from pydantic import BaseModel

from tests.hooks.runs import STEPS, TRAIN, Tracked, catalog_of
from xmodal_kedro.hooks.provenance import data_tags
from xmodal_kedro.hooks.unfinished import NOTE_NAME


class Masks(BaseModel):
    time_masks: int = 2
    widths: tuple[int, ...] = (3, 4)


class Nested(BaseModel):
    model: str = "vggish"
    spec_augment: Masks = Masks()


def artifacts(run: Run) -> set[str]:
    return {file.path for file in MlflowClient().list_artifacts(run.info.run_id)}


def models(run: Run) -> list[Any]:
    return list(mlflow.search_logged_models([run.info.experiment_id], output_format="list"))


def test_a_training_is_one_run_named_after_its_model_with_parameters_curves_and_provenance(
    tracked: Tracked, tmp_path: Path
) -> None:
    catalog = catalog_of(tmp_path)
    tracked.run(catalog)
    (run,) = tracked.runs()
    assert (run.info.run_name, run.info.status) == ("mobilenet_v2", "FINISHED")
    assert run.data.params["train.batch_size"] == "8"
    assert [step for step, _ in tracked.curve(run, "step.train_loss")] == list(range(STEPS))
    assert "system/cpu_utilization_percentage" in run.data.metrics
    inputs = {name: catalog.load(name) for name in ("clips", "labels", "label_vocabulary")}
    assert data_tags(inputs).items() <= run.data.tags.items()
    assert mlflow.active_run() is None


def test_typed_parameters_are_flat_at_any_depth(tracked: Tracked) -> None:
    pipeline = Pipeline([Node(lambda params: params.model, "params:augment", "out", name="look")])
    tracked.run(DataCatalog({"params:augment": MemoryDataset(Nested())}), pipeline)
    assert tracked.runs()[0].data.params == {
        "augment.model": "vggish",
        "augment.spec_augment.time_masks": "2",
        "augment.spec_augment.widths": "(3, 4)",
    }


def test_a_report_gets_the_run_and_the_commit_that_write_it(tracked: Tracked) -> None:
    catalog = DataCatalog({"run_provenance": MemoryDataset({}), "facts": MemoryDataset()})
    tracked.run(catalog, Pipeline([Node(lambda facts: facts, "run_provenance", "facts", name="report")]))
    (run,) = tracked.runs()
    facts = catalog.load("facts")
    assert run.info.run_id in facts["MLflow run of this report"]
    assert facts.get("Commit of the code") == run.data.tags.get("git.commit")


def test_a_run_of_many_nodes_is_opened_once_and_closed_for_good(tracked: Tracked) -> None:
    pipeline = Pipeline([Node(lambda one: one, f"part_{i}", f"part_{i + 1}", name=f"node_{i}") for i in range(3)])
    tracked.run(DataCatalog({"part_0": MemoryDataset(0)}), pipeline)
    assert mlflow.active_run() is None
    assert [run.info.status for run in tracked.runs()] == ["FINISHED"]


def test_the_card_is_an_artifact_and_the_weights_are_in_the_model_alone(tracked: Tracked, tmp_path: Path) -> None:
    tracked.run(catalog_of(tmp_path))
    (run,) = tracked.runs()
    assert artifacts(run) == {"card.json"}
    (model,) = models(run)
    assert run.data.tags["model.uri"] == f"models:/{model.model_id}"
    assert model.name == "mobilenet_v2" and model.source_run_id == run.info.run_id
    card = json.loads((tmp_path / "06_models" / "mobilenet_v2" / "card.json").read_text())
    assert run.data.tags["model.weights_digest"] == card["weights_digest"]


def test_a_run_that_goes_on_after_its_training_has_its_model_once(tracked: Tracked, tmp_path: Path) -> None:
    faults = [RuntimeError("after training")]

    def report(model_card: Any) -> str:
        if faults:
            raise faults.pop()
        return "report"

    pipeline = TRAIN + Pipeline([Node(report, "model_card", "report", name="report")])
    with pytest.raises(RuntimeError, match="after training"):
        tracked.run(catalog_of(tmp_path), pipeline)
    tracked.run(catalog_of(tmp_path), pipeline)
    (run,) = tracked.runs()
    assert run.info.status == "FINISHED" and len(models(run)) == 1


@pytest.mark.parametrize("named", ["train", "*"])
def test_a_pipeline_with_tracking_turned_off_leaves_nothing(tracked: Tracked, tmp_path: Path, named: str) -> None:
    tracked.settings["tracking"]["disable_tracking"] = {"pipelines": [named]}
    tracked.run(catalog_of(tmp_path))
    assert tracked.runs() == []
    assert not list(tmp_path.rglob(NOTE_NAME))
