"""A network that the pipeline `export` wrote as ONNX, run by onnxruntime."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.teachers.onnx_external import external_locations

ONNX_NAME = "model.onnx"
CUDA = "CUDAExecutionProvider"
UNSTATED: dict[str, Any] = {"weights_digest": None, "head_digest": "", "temperature": 1.0}
"""What a card or a file means that does not state it: a network with its own classes."""


class OnnxNetwork:
    """An exported network. It gives embeddings and scores; the features over time are not in the file.

    Args:
        file: as `models.export.export_onnx` writes it.
        device: `auto` takes CUDA where the installed onnxruntime offers it.

    Attributes:
        source: its path.
        device_type: where onnxruntime takes its input from.
        card: classes, sample rate and weights digest of the file's metadata, under the names of a model card.

    Raises:
        FileNotFoundError: if the file is not there.
        UserError: if it is no ONNX file, not one of a trained network, or CUDA is wanted and not offered.
    """

    device_type = "cpu"

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
                "head_digest": stated.get("head_digest", UNSTATED["head_digest"]),
                "temperature": float(stated.get("temperature", UNSTATED["temperature"])),
                "thresholds": json.loads(stated.get("thresholds", "null")),
            }
        except Exception as error:  # onnxruntime's own exceptions share no public base class
            raise UserError(
                f"{file} is no network of the export pipeline ({type(error).__name__}: {error}): export it again"
            ) from error

    def is_of(self, card: Mapping[str, Any]) -> bool:
        """Whether the file was exported from the network or classifier of this card."""
        named = ("classes", *UNSTATED)
        rate = self.card["front_end"]["sample_rate_hz"]
        return (card.get("front_end") or {}).get("sample_rate_hz") == rate and all(
            self.card[name] == (card.get(name) or UNSTATED.get(name)) for name in named
        )

    @property
    def fingerprint(self) -> str:
        """Of what the file was made of, which it does not state in full.

        Raises:
            UserError: always.
        """
        raise UserError(f"{self.source} does not state all that it was made of: load a folder that holds the weights")

    def __call__(self, audio_BT: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embeddings [batch, embedding size] and scores [batch, classes], as `WaveformNetwork`."""
        embedding_BE, scores_BC = self._session.run(["embedding", "scores"], {"audio": audio_BT})
        return embedding_BE, scores_BC
