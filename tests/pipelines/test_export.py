"""The pipeline `export`, through the catalog's own datasets."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from tests.network_files import Trained
from xmodal_kedro.datasets.files import BytesDataset, MarkdownDataset
from xmodal_kedro.pipelines.export import create_pipeline


def test_weights_become_files_that_others_read(tmp_path: Path) -> None:
    trained = Trained(tmp_path)
    catalog = DataCatalog(
        {
            "model_weights": MemoryDataset(trained.weights, copy_mode="assign"),
            "model_card": MemoryDataset(trained.card),
            "model_onnx": BytesDataset(filepath=str(tmp_path / "made" / "model.onnx")),
            "model_readme": MarkdownDataset(filepath=str(tmp_path / "made" / "README.md")),
        }
    )
    SequentialRunner().run(create_pipeline(), catalog)
    assert ort.InferenceSession(str(tmp_path / "made" / "model.onnx")).get_inputs()[0].name == "audio"
    assert catalog.load("model_onnx") == (tmp_path / "made" / "model.onnx").read_bytes()
    assert (tmp_path / "made" / "README.md").read_text().startswith("# vggish_plus\n")
