"""Small Kedro runs, each tracked in its own store: the node emits metrics and saves a network without training."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import pandas as pd
import yaml
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests.project import PROJECT
from tests.tones import TONES_HZ, VOCABULARY, tone_params, tone_shards
from xmodal_kedro import metric_callbacks
from xmodal_kedro.config import ConfigLoader
from xmodal_kedro.datasets.files import JsonDataset, WeightsDataset
from xmodal_kedro.hooks import TrackingHooks
from xmodal_kedro.models import build
from xmodal_kedro.models.card import make_card
from xmodal_kedro.params import TrainParams

STEPS = 3
FAULTS: list[Callable[[], None]] = []
"""Faults to raise half-way through the next training."""


def train(clips: Any, labels: Any, label_vocabulary: pd.DataFrame, train: TrainParams) -> tuple[dict, dict]:
    for step in range(STEPS):
        metric_callbacks.emit({"step.train_loss": 1.0 / (step + 1)}, step)
        if FAULTS:
            FAULTS.pop()()
    model = _network(train.model)
    return model.state_dict(), make_card(model, list(TONES_HZ), train, "abc", {"epoch": 0})


@functools.cache
def _network(name: str) -> Any:
    return build(name, len(TONES_HZ)).eval()


TRAIN = Pipeline(
    [
        Node(
            train,
            ["clips", "labels", "label_vocabulary", "params:train"],
            ["model_weights", "model_card"],
            name="train_model",
        )
    ]
)


def catalog_of(data: Path, params: TrainParams | None = None, **datasets: Any) -> DataCatalog:
    """Tones to train on, and a model below `data`; `datasets` replace or extend these."""
    params = params or tone_params(model="mobilenet_v2")
    clips, labels = tone_shards(shards=1)
    folder = data / "06_models" / params.model
    inputs = {"clips": clips, "labels": labels, "label_vocabulary": VOCABULARY, "params:train": params} | datasets
    return DataCatalog(
        {
            **{name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()},
            "model_weights": WeightsDataset(filepath=str(folder / "weights.safetensors"), backend="torch"),
            "model_card": JsonDataset(filepath=str(folder / "card.json")),
        }
    )


class Tracked:
    """A project folder with a tracking store.

    Args:
        folder: of the project.
        store: an empty SQLite store to copy, since MLflow takes seconds to make one.
    """

    def __init__(self, folder: Path, store: Path | None = None) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.store = folder / "mlflow.db"
        if store:
            shutil.copy(store, self.store)
        settings = yaml.safe_load((PROJECT / "conf" / "base" / "mlflow.yml").read_text())
        settings["server"]["mlflow_tracking_uri"] = f"sqlite:///{self.store}"
        artifacts = {"artifact_location": (folder / "artifacts").as_uri()}
        settings["tracking"]["experiment"]["create_experiment_kwargs"] = artifacts
        self.settings = settings
        self.hooks = TrackingHooks()  # one for all runs of a process, as in Kedro's settings

    def run(self, catalog: DataCatalog, pipeline: Pipeline = TRAIN, env: str = "sample") -> None:
        """Call the tracking hooks as `kedro run` does."""
        manager = _create_hook_manager()
        manager.register(self.hooks)
        options = dict.fromkeys(["tags", "node_names", "from_nodes", "to_nodes", "from_inputs", "load_versions"])
        arguments = {"run_params": {**options, "env": env, "pipeline_names": ["train"]}, "pipeline": pipeline}
        self.hooks.after_context_created(self._context())
        manager.hook.before_pipeline_run(**arguments, catalog=catalog)
        try:
            SequentialRunner().run(pipeline, catalog, manager)
        except Exception as error:
            manager.hook.on_pipeline_error(error=error, **arguments, catalog=catalog)
            raise
        manager.hook.after_pipeline_run(run_result={}, **arguments, catalog=catalog)

    def runs(self) -> list[Run]:
        """All runs in the store, the oldest first."""
        client = MlflowClient(f"sqlite:///{self.store}")
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(experiments, order_by=["attributes.start_time"]))

    def curve(self, run: Run, name: str) -> list[tuple[int, float]]:
        """Steps and values of a metric, as they were logged."""
        history = MlflowClient(f"sqlite:///{self.store}").get_metric_history(run.info.run_id, name)
        return [(point.step, point.value) for point in history]

    def _context(self) -> Any:
        folder = self.folder / "conf" / "base"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "mlflow.yml").write_text(yaml.safe_dump(self.settings))
        loader = ConfigLoader(str(folder.parent), base_env="base", default_run_env="base")
        return SimpleNamespace(
            config_loader=loader,
            project_path=self.folder,
            _package_name="xmodal_kedro",
            _get_config_credentials=dict,
        )


def end_all() -> None:
    """Leave MLflow without a run."""
    FAULTS.clear()
    while mlflow.active_run():
        mlflow.end_run()
