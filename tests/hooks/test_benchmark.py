"""Benchmarks that are fetched before a run, and requests that cannot be met."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.evaluation.benchmarks import fetching
from xmodal_kedro.hooks import BenchmarkHooks
from xmodal_kedro.params import TransferParams


def nothing(_files: object) -> None: ...


PIPELINE = Pipeline([Node(nothing, inputs="benchmark_files", outputs=None, name="read")])


def fetched(place: Path | str, monkeypatch: pytest.MonkeyPatch, benchmark: str = "esc50", **given: str) -> list[str]:
    """The folders that a run fetches into."""
    folders: list[str] = []
    monkeypatch.setattr(fetching, "fetch_esc50", folders.append)
    catalog = DataCatalog({"benchmark_files": FolderDataset(path=str(place))})
    catalog["params:transfer_eval"] = TransferParams(benchmark=benchmark)
    options: dict[str, Any] = {"runtime_params": given}
    BenchmarkHooks().before_pipeline_run(options, PIPELINE, catalog)
    return folders


def test_a_benchmark_is_fetched_where_it_is_asked_for_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetched(tmp_path, monkeypatch, esc50="auto") == [str(tmp_path)]
    assert fetched(tmp_path, monkeypatch, benchmark="esc10", esc10="auto") == [str(tmp_path)]
    assert fetched(tmp_path, monkeypatch, esc50=str(tmp_path)) == []
    assert fetched(tmp_path, monkeypatch) == []


@pytest.mark.parametrize(
    ("place", "benchmark", "given", "said"),
    [
        ("here", "urbansound8k", "urbansound8k", "urbansound8k=FOLDER"),
        ("here", "esc50", "esc10", "transfer_eval.benchmark=esc10"),
        ("memory://there", "esc50", "esc50", "not on this machine"),
    ],
)
def test_what_cannot_be_fetched_is_one_line_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, place: str, benchmark: str, given: str, said: str
) -> None:
    with pytest.raises(click.ClickException, match=said):
        fetched(place, monkeypatch, benchmark, **{given: "auto"})
