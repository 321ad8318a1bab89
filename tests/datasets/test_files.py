import os
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest
import torch
from kedro.io import DatasetError

from xmodal_kedro.datasets.checkpoints import CheckpointDataset
from xmodal_kedro.datasets.files import (
    HtmlDataset,
    JsonDataset,
    MovedTableDataset,
    OptionalJsonDataset,
    OptionalWeightsDataset,
    PlotDataset,
    TableDataset,
    WeightsDataset,
)


def test_each_kind_of_file_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["rain", "dog"], "count": [1, 2]})
    TableDataset(filepath=str(tmp_path / "t.parquet")).save(table)
    pd.testing.assert_frame_equal(TableDataset(filepath=str(tmp_path / "t.parquet")).load(), table)
    for dataset, value in (
        (JsonDataset(filepath=str(tmp_path / "v.json")), {"model": "vggish", "classes": ["rain"]}),
        (HtmlDataset(filepath=str(tmp_path / "r.html")), "<p>é</p>"),
    ):
        dataset.save(value)
        assert dataset.load() == value
    figure = go.Figure(go.Bar(x=["a"], y=[1]))
    plot = PlotDataset(filepath=str(tmp_path / "p.json"))
    plot.save(figure)
    assert plot.load() == figure
    weights = WeightsDataset(filepath=str(tmp_path / "w.safetensors"), backend="torch")
    weights.save({"layer.weight": torch.arange(6.0).reshape(2, 3)})
    assert torch.equal(weights.load()["layer.weight"], torch.arange(6.0).reshape(2, 3))
    assert not list(tmp_path.glob(".partial*"))


def test_a_table_that_moved_is_gone_from_its_former_place_after_the_next_save(tmp_path: Path) -> None:
    former, now = tmp_path / "shards" / "t.parquet", tmp_path / "t.parquet"
    former.parent.mkdir()
    former.write_bytes(b"of an earlier version")
    moved = MovedTableDataset(filepath=str(now), formerly=str(former))
    assert not moved.exists()
    for _ in range(2):
        moved.save(pd.DataFrame({"name": ["rain"]}))
        assert now.exists() and not former.exists()


def test_weights_are_kept_in_any_storage() -> None:
    weights = WeightsDataset(filepath="memory://models/w.safetensors", backend="torch")
    for value in (1.0, 2.0):
        weights.save({"layer.weight": torch.full((2, 3), value)})
    assert torch.equal(weights.load()["layer.weight"], torch.full((2, 3), 2.0))


def test_a_save_that_fails_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    dataset = JsonDataset(filepath=str(tmp_path / "v.json"))
    dataset.save({"epoch": 1})
    with pytest.raises(DatasetError, match="not JSON serializable"):
        dataset.save({"epoch": 2, "later": object()})
    assert dataset.load() == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["v.json"]


def test_what_a_killed_save_left_is_swept_by_the_next(tmp_path: Path) -> None:
    (tmp_path / ".partial-v.json-0123").write_text('{"epo')
    JsonDataset(filepath=str(tmp_path / "v.json")).save({"epoch": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["v.json"]


def test_a_place_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match=r"cannot write .*file/v.json.*data_root"):
        JsonDataset(filepath=str(tmp_path / "file" / "v.json")).save({})


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"v.json is missing: run the pipeline that makes it first"):
        JsonDataset(filepath=str(tmp_path / "v.json")).load()


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o002])
def test_weights_and_checkpoints_have_the_mode_of_all_other_files(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        tensors = {"w": torch.zeros(2)}
        WeightsDataset(filepath=str(tmp_path / "weights.safetensors"), backend="torch").save(tensors)
        CheckpointDataset(path=str(tmp_path / "state")).load().save(1, tensors, {}, kept=1)
        (tmp_path / "other").touch()
    finally:
        os.umask(before)
    modes = {path.stat().st_mode for path in tmp_path.rglob("*") if path.is_file()}
    assert len(modes) == 1 and len(list(tmp_path.rglob("*.safetensors"))) == 2


def test_tensors_that_need_not_be_there_are_no_file(tmp_path: Path) -> None:
    dataset = OptionalWeightsDataset(filepath=str(tmp_path / "head.safetensors"), backend="torch")
    assert dataset.exists() and dataset.load() == {}
    dataset.save({"w": torch.ones(2)})
    assert dataset.load()["w"].tolist() == [1, 1]
    dataset.save({})
    assert not (tmp_path / "head.safetensors").exists() and dataset.preview()["data"] == []


def test_a_mapping_that_need_not_be_there_is_empty(tmp_path: Path) -> None:
    dataset = OptionalJsonDataset(filepath=str(tmp_path / "x.json"))
    assert dataset.exists() and dataset.load() == {}
    dataset.save({"a": 1})
    assert dataset.load() == {"a": 1}
