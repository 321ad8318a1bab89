"""Teachers exported to ONNX, run by onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from xmodal_kedro.labelling.preprocess import blank_batch
from xmodal_kedro.labelling.teacher import Device
from xmodal_kedro.params import TeacherCard

CUDA = "CUDAExecutionProvider"
ONNX_TYPES = {np.dtype(np.uint8): "tensor(uint8)", np.dtype(np.float32): "tensor(float)"}


class OnnxTeacher:
    """An ONNX classifier that has been checked against its card.

    Args:
        card: what the file is said to be.
        weights: the ONNX file.
        labels: class names in the order of the output.
        device: `auto` takes CUDA where onnxruntime offers it.

    Raises:
        ValueError: the file is no ONNX model, or differs from the card or the class list.
    """

    def __init__(self, card: TeacherCard, weights: bytes, labels: tuple[str, ...], device: Device) -> None:
        self.labels = labels
        self._card = card
        self._session = _open_session(card, weights, device)
        self._fixed_batch = _check_input(card, self._session)
        _check_output(card, self._session, len(labels))

    def scores(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Score a batch; a model of fixed batch size is fed in pieces of that size, the last one padded.

        Raises:
            ValueError: a score is not 0..1.
        """
        step = self._fixed_batch or len(batch)
        outputs = [self._run(batch[at : at + step], step) for at in range(0, len(batch), step)]
        scores_BC = _activate(np.concatenate(outputs).astype(np.float32) * self._card.output.scale, self._card)
        if not (scores_BC.min() >= 0 and scores_BC.max() <= 1):
            raise ValueError(
                f"{self._card.weights!r} gives scores from {scores_BC.min()} to {scores_BC.max()}, not 0..1: correct "
                "output.scale or output.activation in the teacher's card"
            )
        return scores_BC

    def _run(self, piece: NDArray[Any], step: int) -> NDArray[Any]:
        padded = np.concatenate([piece, np.zeros_like(piece, shape=(step - len(piece), *piece.shape[1:]))])
        (output,) = self._session.run([self._card.output.tensor], {self._card.input.tensor: padded})
        return output[: len(piece)]


def _open_session(card: TeacherCard, weights: bytes, device: Device) -> ort.InferenceSession:
    offered = ort.get_available_providers()
    if device == "cuda" and CUDA not in offered:
        raise ValueError(
            f"device is cuda, but this onnxruntime offers {offered}: install onnxruntime-gpu, or set `device: auto` in "
            "parameters/visual_label.yml or parameters/audio_label.yml"
        )
    use_cuda = device != "cpu" and CUDA in offered
    options = ort.SessionOptions()
    # Shards are labelled side by side, one process a core: threads inside a session would only compete.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    providers = [CUDA, "CPUExecutionProvider"] if use_cuda else ["CPUExecutionProvider"]
    try:
        return ort.InferenceSession(weights, options, providers=providers)
    except Exception as error:  # onnxruntime's own exceptions share no public base class
        raise ValueError(
            f"teacher weights {card.weights!r} cannot be opened as ONNX ({error}): replace the file"
        ) from error


def _check_input(card: TeacherCard, session: ort.InferenceSession) -> int | None:
    """The model's fixed batch size, if it has one, after checking that the card describes its input."""
    inputs = {tensor.name: tensor for tensor in session.get_inputs()}
    if list(inputs) != [card.input.tensor]:
        raise ValueError(
            f"{card.weights!r} has the inputs {list(inputs)}, not [{card.input.tensor!r}]: set input.tensor in the "
            "teacher's card, and use a model of one input"
        )
    tensor = inputs[card.input.tensor]
    blank = blank_batch(card.input)
    if tensor.type != ONNX_TYPES[blank.dtype]:
        raise ValueError(
            f"{card.weights!r} takes {tensor.type} and the card says {blank.dtype}: correct input.dtype or "
            "input.kind in the teacher's card"
        )
    if not _fits(tensor.shape[1:], blank.shape[1:]):
        raise ValueError(
            f"{card.weights!r} takes {list(tensor.shape)} and the card describes {['batch', *blank.shape[1:]]}: "
            "correct input.kind, input.layout, input.crop_px or input.patch_frames in the teacher's card"
        )
    batch = tensor.shape[0]
    return batch if isinstance(batch, int) else None


def _check_output(card: TeacherCard, session: ort.InferenceSession, classes: int) -> None:
    outputs = {tensor.name: tensor for tensor in session.get_outputs()}
    if card.output.tensor not in outputs:
        raise ValueError(
            f"{card.weights!r} has no output {card.output.tensor!r}, only {list(outputs)}: set output.tensor in the "
            "teacher's card"
        )
    shape = outputs[card.output.tensor].shape
    if not _fits(shape[1:], (classes,)):
        raise ValueError(
            f"{card.weights!r} gives {list(shape)} and {card.labels!r} lists {classes} classes: name the class list or "
            "the output.tensor that belongs to these weights"
        )


def _fits(shape: list[int | str | None], wanted: tuple[int, ...]) -> bool:
    """Whether a declared shape, whose free dimensions are names or None, admits `wanted`."""
    return len(shape) == len(wanted) and all(
        not isinstance(declared, int) or declared == size for declared, size in zip(shape, wanted, strict=True)
    )


def _activate(raw_BC: NDArray[np.float32], card: TeacherCard) -> NDArray[np.float32]:
    if card.output.activation == "sigmoid":
        return np.exp(-np.logaddexp(np.float32(0), -raw_BC))
    if card.output.activation == "softmax":
        exponentials_BC = np.exp(raw_BC - raw_BC.max(axis=1, keepdims=True))
        return exponentials_BC / exponentials_BC.sum(axis=1, keepdims=True)
    return raw_BC
