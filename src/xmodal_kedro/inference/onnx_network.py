"""A network that the pipeline `export` wrote as ONNX, run by onnxruntime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from xmodal_kedro.errors import UserError
from xmodal_kedro.teachers.onnx_external import external_locations

ONNX_NAME = "model.onnx"
CUDA = "CUDAExecutionProvider"


class OnnxNetwork:
    """An exported network. It gives embeddings and scores; the features over time are not in the file.

    Args:
        file: as `models.export.export_onnx` writes it.
        device: `auto` takes CUDA where the installed onnxruntime offers it.

    Attributes:
        source: its path.
        card: classes, sample rate and weights digest of the file's metadata, under the names of a model card.

    Raises:
        FileNotFoundError: if the file is not there.
        UserError: if it is no ONNX file, not one of a trained network, or CUDA is wanted and not offered.
    """

    def __init__(self, file: Path, device: Literal["auto", "cpu", "cuda"]) -> None:
        import onnxruntime

        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing: run the export pipeline")
        offered = onnxruntime.get_available_providers()
        if device == "cuda" and CUDA not in offered:
            raise UserError(f"device is cuda, but this onnxruntime offers {offered}: install onnxruntime-gpu")
        on_cuda = device != "cpu" and CUDA in offered
        self.source = str(file)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        providers = [CUDA, "CPUExecutionProvider"] if on_cuda else ["CPUExecutionProvider"]
        try:
            if external := external_locations(str(file)):
                raise ValueError(f"it refers to data in {external[0]!r}, outside it")
            self._session = onnxruntime.InferenceSession(file, options, providers=providers)
            stated = self._session.get_modelmeta().custom_metadata_map
            self.card: dict[str, Any] = {
                "classes": json.loads(stated["classes"]),
                "front_end": {"sample_rate_hz": int(stated["sample_rate_hz"])},
                "weights_digest": stated["weights_digest"],
                "thresholds": json.loads(stated.get("thresholds", "null")),
            }
        except Exception as error:  # onnxruntime's own exceptions share no public base class
            raise UserError(
                f"{file} is no network of the export pipeline ({type(error).__name__}: {error}): export it again"
            ) from error

    def __call__(self, audio_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings and scores, as `WaveformNetwork`."""
        embedding_BE, scores_BC = self._session.run(["embedding", "scores"], {"audio": audio_BT.numpy()})
        return torch.from_numpy(embedding_BE), torch.from_numpy(scores_BC)
