"""Which files of a trained network are used, and by which runtime."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from xmodal_kedro.errors import UserError
from xmodal_kedro.inference.onnx_network import ONNX_NAME, OnnxNetwork
from xmodal_kedro.masking import masked, masked_value, remember
from xmodal_kedro.models.card_file import CARD_NAME, HEAD_NAME, TEACHER, WEIGHTS_NAME, read_card, stored_digest

if TYPE_CHECKING:
    from xmodal_kedro.inference.teacher_network import TeacherNetwork
    from xmodal_kedro.inference.torch_network import TorchNetwork

logger = logging.getLogger(__name__)

MLFLOW_URI = re.compile(r"(models|runs|mlflow-artifacts):/", re.ASCII)
"""How an MLflow URI begins."""
CUDA_DRIVERS = ("/dev/nvidiactl", "/dev/dxg")
"""What the driver of a GPU makes under Linux and under Windows' Linux."""

Device = Literal["auto", "cpu", "cuda"]


class Opened(NamedTuple):
    """A network in use.

    Attributes:
        network: what computes embeddings and scores.
        card: its card.
        by_torch: gives the same network by torch, with its features over time; None where its weights are not there.
    """

    network: TorchNetwork | OnnxNetwork | TeacherNetwork
    card: Mapping[str, Any]
    by_torch: Callable[[], TorchNetwork] | None


def open_network(source: str | Path, device: Device) -> Opened:
    """Open a network, as `AudioModel.load` takes it.

    Weights are run by torch, on CUDA where there is one. On a CPU an exported `model.onnx` beside them is run by
    onnxruntime instead, which starts in a fraction of the time and gives the same up to rounding.
    """
    path = _downloaded(str(source)) if MLFLOW_URI.match(str(source)) else Path(source)
    if path.suffix == ".onnx":
        return _of_onnx(path, device)
    folder = path if path.is_dir() else path.parent
    weights = path / WEIGHTS_NAME if path.is_dir() else path
    has_weights = weights.is_file()
    if (folder / CARD_NAME).is_file():
        card = read_card(folder / CARD_NAME)
        if card.get("representation") == TEACHER:
            from xmodal_kedro.inference.teacher_network import TeacherNetwork  # brings torch, onnxruntime and OpenCV

            # A model.onnx beside it is of an earlier classifier on the network.
            return Opened(TeacherNetwork(folder, card, device), card, None)
        if has_weights and _is_cpu(device) and (onnx := _beside(weights, card)) is not None:
            return Opened(onnx, card, cache(partial(_by_torch, path, "cpu")))
    if (path / ONNX_NAME).is_file() and not has_weights:
        return _of_onnx(path / ONNX_NAME, device)
    network = _by_torch(path, device)
    return Opened(network, network.card, lambda: network)


def _by_torch(path: Path, device: Device) -> TorchNetwork:
    # Torch takes seconds, which an ONNX file need not.
    from xmodal_kedro.inference.torch_network import TorchNetwork
    from xmodal_kedro.models.device import choose_device

    return TorchNetwork.read(path, choose_device(device, "device"))


def _of_onnx(file: Path, device: Device) -> Opened:
    onnx = OnnxNetwork(file, device)
    return Opened(onnx, onnx.card, None)


def _beside(weights: Path, card: Mapping[str, Any]) -> OnnxNetwork | None:
    """The exported network of these weights and their card; None if there is none, or onnxruntime is not there."""
    file = weights.with_name(ONNX_NAME)
    if not file.is_file():
        return None
    try:
        onnx = OnnxNetwork(file, "cpu")
    except (ImportError, UserError) as error:
        logger.info("the weights are used, not %s: %s", file, error)
        return None
    if not onnx.is_of(card):
        logger.info("the weights are used, as %s was exported from others: run the export pipeline again", file)
        return None
    return onnx if _belong_together(weights, card) else None


def _belong_together(weights: Path, card: Mapping[str, Any]) -> bool:
    """Whether weights and head are those of their card; what is wrong is said where they are read."""
    try:
        head = stored_digest(weights.with_name(HEAD_NAME)) if card.get("head_digest") else ""
        return (stored_digest(weights), head) == (card["weights_digest"], card.get("head_digest") or "")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _is_cpu(device: Device) -> bool:
    """Whether a network runs on the CPU, found out without loading torch."""
    return device == "cpu" or (device == "auto" and not any(Path(driver).exists() for driver in CUDA_DRIVERS))


def _downloaded(uri: str) -> Path:
    """The folder with weights and card of a model that MLflow keeps.

    Raises:
        UserError: naming the model and the store, if MLflow has no such model or cannot give it.
    """
    import mlflow

    try:
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri)) / "artifacts"
    except (mlflow.exceptions.MlflowException, OSError) as error:
        remember(uri)
        remember(mlflow.get_tracking_uri())
        store, reason = masked_value(mlflow.get_tracking_uri()), masked(" ".join(str(error).split()))
        raise UserError(
            f"{masked_value(uri)} is no model that the MLflow store {store} can give ({reason}): name one of its "
            "models, or name the store that has it, with mlflow.set_tracking_uri or MLFLOW_TRACKING_URI"
        ) from error
