"""Teachers exported to ONNX, run by onnxruntime."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import ScoresOutput, TeacherCard, TeacherInput
from xmodal_kedro.storage import FileRef
from xmodal_kedro.teachers.onnx_external import located_files, with_output
from xmodal_kedro.teachers.preprocess import Clip, blank_batch, clip_rows, input_of
from xmodal_kedro.teachers.protocol import Device

CUDA = "CUDAExecutionProvider"
NUMPY_TYPES: dict[str, Any] = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32, "tensor(float16)": np.float16}


class OnnxTeacher:
    """An ONNX classifier that has been checked against its card.

    Args:
        card: describes the file.
        weights: the ONNX file, then the files that it refers to.
        labels: class names in the order of the output.
        device: `auto` takes CUDA where onnxruntime offers it.
        inference_threads: threads of one inference on a CPU.

    Raises:
        UserError: the file is not an ONNX model, or differs from the card or the class list.
    """

    def __init__(
        self,
        card: TeacherCard,
        weights: tuple[FileRef, ...],
        labels: tuple[str, ...],
        device: Device,
        inference_threads: int,
    ) -> None:
        self.labels = labels
        self._card, self._weights, self._device, self._threads = card, weights, device, inference_threads
        self._input = input_of(card)
        self._output = card.output
        self._session = _open_session(card, weights, device, inference_threads)
        self._embedding_session: ort.InferenceSession | None = None
        self._opening = threading.Lock()
        self.on_cuda = CUDA in self._session.get_providers()
        self._fixed_batch, self._dtype = _check_input(card, self._session)
        _check_output(card, self._session, len(labels))

    def rows(self, clip: Clip) -> list[NDArray[Any]]:
        """Frames, patches or windows, as described by the card's input."""
        return clip_rows(clip, self._input)

    def scores(self, rows: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """float32 [len(rows), classes]; a model of fixed batch size gets batches of that size, the last one padded."""
        (raw_BC,) = self._run(self._session, rows, [self._output.tensor])
        return self._scores(raw_BC)

    def embed(self, rows: Sequence[NDArray[Any]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embeddings [len(rows), size] and scores [len(rows), classes], both float32.

        Only for a teacher whose card names `output.embedding`.

        Raises:
            UserError: the model has no such tensor, or its shape is another.
        """
        raw_BX, raw_BC = self._run(self._embedder, rows, [self._output.embedding, self._output.tensor])
        if raw_BX.ndim < 2 or max(raw_BX.shape[1:]) != raw_BX[0].size:  # as [batch, 1, 1, size] may hold it
            raise UserError(
                f"{self._card.weights!r} gives {self._output.embedding!r} of shape {['batch', *raw_BX.shape[1:]]}, not "
                "[batch, size]: set output.embedding in the teacher's card to another tensor, or leave it out"
            )
        return raw_BX.reshape(len(raw_BX), -1).astype(np.float32), self._scores(raw_BC)

    @property
    def _embedder(self) -> ort.InferenceSession:
        """The session that gives embeddings too. The other one is opened without, so that scores stay the same bits
        whether embeddings are wanted or not."""
        with self._opening:
            if self._embedding_session is None:
                is_output = self._output.embedding in {tensor.name for tensor in self._session.get_outputs()}
                self._embedding_session = self._session if is_output else self._open_embedder()
            return self._embedding_session

    def _open_embedder(self) -> ort.InferenceSession:
        return _open_session(self._card, self._weights, self._device, self._threads, self._output.embedding)

    def _scores(self, raw_BC: NDArray[Any]) -> NDArray[np.float32]:
        return _activate(raw_BC.astype(np.float32) * np.float32(self._output.scale), self._output)

    def _run(
        self, session: ort.InferenceSession, rows: Sequence[NDArray[Any]], outputs: list[str]
    ) -> list[NDArray[Any]]:
        step = self._fixed_batch or len(rows)
        pieces = [
            self._run_piece(session, rows[start : start + step], step, outputs) for start in range(0, len(rows), step)
        ]
        return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]

    def _run_piece(
        self, session: ort.InferenceSession, piece: Sequence[NDArray[Any]], step: int, outputs: list[str]
    ) -> list[NDArray[Any]]:
        batch = np.zeros((step, *piece[0].shape), self._dtype)
        np.stack(piece, out=batch[: len(piece)], casting="same_kind")
        return [output[: len(piece)] for output in session.run(outputs, {self._input.tensor: batch})]


def _open_session(
    card: TeacherCard, files: tuple[FileRef, ...], device: Device, threads: int, inner: str = ""
) -> ort.InferenceSession:
    """A session of the model; with the tensor `inner` of the model as one more output, if one is named."""
    offered = ort.get_available_providers()
    if device == "cuda" and CUDA not in offered:
        raise UserError(
            f"device is cuda, but this onnxruntime offers {offered}: install onnxruntime-gpu, or set `device: auto` in "
            "parameters/visual_label.yml, parameters/audio_label.yml or train.live_teacher"
        )
    use_cuda = device != "cpu" and CUDA in offered
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    providers = [CUDA, "CPUExecutionProvider"] if use_cuda else ["CPUExecutionProvider"]
    model = with_output(files[0].read_bytes(), inner) if inner else files[0].read_bytes()
    located = located_files(files[0], {file.name: file for file in files})
    # Given in memory, as onnxruntime would look for them in the current folder.
    contents = [file.read_bytes() for file in located.values()]
    if located:
        options.add_external_initializers_from_files_in_memory([*located], contents, [len(each) for each in contents])
    try:
        return ort.InferenceSession(model, options, providers=providers)
    except Exception as error:  # onnxruntime's own exceptions share no public base class
        if inner:
            raise UserError(
                f"{card.weights!r} has no tensor {inner!r}: set output.embedding in the teacher's card to one that it "
                "computes, or leave it out"
            ) from error
        raise UserError(
            f"teacher weights {card.weights!r} cannot be opened as ONNX ({error}): replace the file"
        ) from error


def _check_input(card: TeacherCard, session: ort.InferenceSession) -> tuple[int | None, Any]:
    """The model's fixed batch size, if it has one, and the type of its input. Float16 takes what float32 takes."""
    spec = input_of(card)
    inputs = {tensor.name: tensor for tensor in session.get_inputs()}
    if list(inputs) != [spec.tensor]:
        raise UserError(
            f"{card.weights!r} has the inputs {list(inputs)}, not [{spec.tensor!r}]: set input.tensor in the "
            "teacher's card, and use a model of one input"
        )
    tensor, blank = inputs[spec.tensor], blank_batch(spec)
    dtype = NUMPY_TYPES.get(tensor.type)
    if dtype is None or np.issubdtype(dtype, np.floating) != np.issubdtype(blank.dtype, np.floating):
        raise UserError(
            f"{card.weights!r} takes {tensor.type} and the card says {blank.dtype}: correct input.dtype or "
            "input.kind in the teacher's card"
        )
    if not _fits(tensor.shape[1:], blank.shape[1:]):
        raise UserError(
            f"{card.weights!r} takes {list(tensor.shape)} and the card describes {['batch', *blank.shape[1:]]}: "
            f"correct {_shape_fields(spec)} in the teacher's card"
        )
    batch = tensor.shape[0]
    return batch if isinstance(batch, int) else None, dtype


def _shape_fields(spec: TeacherInput) -> str:
    fields = {
        "image": "input.kind, input.layout or input.crop_px",
        "log_mel": "input.kind, input.layout or input.patch_frames",
        "waveform": "input.kind, input.window_s or input.sample_rate_hz",
    }
    return fields[spec.kind]


def _check_output(card: TeacherCard, session: ort.InferenceSession, classes: int) -> None:
    outputs = {tensor.name: tensor for tensor in session.get_outputs()}
    if card.output.tensor not in outputs:
        raise UserError(
            f"{card.weights!r} has no output {card.output.tensor!r}, only {list(outputs)}: set output.tensor in the "
            "teacher's card"
        )
    shape = outputs[card.output.tensor].shape
    if not _fits(shape[1:], (classes,)):
        raise UserError(
            f"{card.weights!r} gives {list(shape)} and {card.labels!r} lists {classes} classes: name the class list or "
            "the output.tensor that belongs to these weights"
        )


def _fits(shape: list[int | str | None], wanted: tuple[int, ...]) -> bool:
    """Whether a declared shape, whose free dimensions are names or None, matches `wanted`."""
    return len(shape) == len(wanted) and all(
        not isinstance(declared, int) or declared == size for declared, size in zip(shape, wanted, strict=True)
    )


def _activate(raw_BC: NDArray[np.float32], output: ScoresOutput) -> NDArray[np.float32]:
    if output.activation == "sigmoid":
        return np.exp(-np.logaddexp(np.float32(0), -raw_BC))
    if output.activation == "softmax":
        exponentials_BC = np.exp(raw_BC - raw_BC.max(axis=1, keepdims=True))
        return exponentials_BC / exponentials_BC.sum(axis=1, keepdims=True)
    return raw_BC
