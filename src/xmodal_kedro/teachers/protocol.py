"""A teacher: a pretrained classifier that scores named classes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import TeacherCard, VisualTeacherCard
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.storage import FileRef, Folder
from xmodal_kedro.teachers.class_list import ClassName, read_class_list
from xmodal_kedro.teachers.model_folder import model_files, named_classes
from xmodal_kedro.teachers.preprocess import Clip

logger = logging.getLogger(__name__)

Device = Literal["auto", "cpu", "cuda"]
LIBRARIES = {
    "onnx": ("onnxruntime",),
    "transformers": ("torch", "transformers"),
    "torchvision": ("torch", "torchvision"),
    "sample": ("torch",),
}
"""Distributions that compute a backend's scores."""
BLANK_SIDE_PX = 64
AT_LEAST_FROM_PROBABILITIES = 0.5
"""What a sigmoid makes of 0: no less comes of what is a probability already."""


class Teacher(Protocol):
    """A classifier, whatever runs it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the scores."""

    @property
    def on_cuda(self) -> bool:
        """Whether a GPU scores, so that the CPU is free to prepare."""

    def rows(self, clip: Clip) -> list[NDArray[Any]]:
        """Model-ready inputs of one clip. Several threads may ask at once.

        Args:
            clip: its JPEGs, or its sound as int16 [samples], 16 kHz mono.

        Returns:
            One array of each picture, patch or window; none of a clip without pictures.

        Raises:
            ValueError: naming the position of a picture that cannot be decoded.
        """

    def scores(self, rows: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Score inputs, at least one, of any clips. What a row scores does not depend on the others.

        Returns:
            float32 [len(rows), classes], each 0..1; see `require_scores`.
        """


@dataclass(frozen=True)
class TeacherFiles:
    """The files of a teacher.

    Attributes:
        weights: of the network; several where a model comes as a folder, by their names in it.
        class_list: None where the model itself names its classes.
    """

    weights: tuple[FileRef, ...]
    class_list: FileRef | None


def teacher_files(card: TeacherCard, folder: Folder) -> TeacherFiles:
    """The files that the card names; those of a model on the hub are fetched.

    Raises:
        FileNotFoundError: naming what is not there, where it was looked for, and the remedy.
    """
    weights = model_files(card, folder) if card.backend == "transformers" else (folder.file(card.weights),)
    return TeacherFiles(weights, None if card.labels is None else folder.file(card.labels))


def teacher_classes(card: TeacherCard, folder: Folder) -> tuple[ClassName, ...]:
    """The classes that a teacher may give as labels, in the order of its scores. Its weights are not loaded.

    Raises:
        FileNotFoundError: see `teacher_files`.
        ValueError: naming the file or the card's field that is wrong.
    """
    return tuple(named for named in scored_classes(card, teacher_files(card, folder)) if named.label not in card.ignore)


def check_teacher(card: TeacherCard, folder: Folder, device: Device = "auto", inference_threads: int = 1) -> None:
    """Open the teacher and score one blank clip, so that a wrong card or file fails before the long work.

    Raises:
        FileNotFoundError: see `teacher_files`.
        ValueError: card, weights and class list do not fit each other; names the field and the remedy.
    """
    # Not the one that is kept: a driver need not hold a teacher, let alone on a GPU, that its workers open again.
    teacher = open_teacher.__wrapped__(card, teacher_files(card, folder), device, inference_threads)
    try:
        rows = teacher.rows(_blank_clip(card))
        scores = teacher.scores(rows)
    except Exception as error:  # what runs a teacher has errors of its own
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{card.weights!r} cannot score a blank clip ({type(error).__name__}: {reason}): correct the teacher's "
            "input in its card, or preprocessor_config.json where the model brings its own processor"
        ) from error
    if scores.shape != (len(rows), len(teacher.labels)):
        raise UserError(
            f"{card.weights!r} gives scores of shape {list(scores.shape)} for a batch of {len(rows)} and "
            f"{card.labels or 'config.json'!r} lists {len(teacher.labels)} classes: name the class list or the "
            "output.tensor that belongs to these weights"
        )
    require_scores(scores, card)
    if card.output.activation == "sigmoid" and scores.min() >= AT_LEAST_FROM_PROBABILITIES:
        logger.warning(
            "%r gives every class at least %.2f for a blank clip: if it gives probabilities by itself, set "
            "output.activation: none in the teacher's card",
            card.weights,
            scores.min(),
        )


def require_scores(scores_BC: NDArray[np.float32], card: TeacherCard) -> None:
    """Check what a teacher says.

    Raises:
        ValueError: a score is not a number in 0..1; names the card's field.
    """
    if np.isnan(scores_BC).any():
        raise UserError(
            f"{card.weights!r} gives scores that are no numbers (NaN): correct the teacher's input in its card (its "
            "type, mean, std or log_offset), or replace the weights"
        )
    if not (scores_BC.min(initial=0) >= 0 and scores_BC.max(initial=0) <= 1):
        raise UserError(
            f"{card.weights!r} gives scores from {scores_BC.min()} to {scores_BC.max()}, not 0..1: correct "
            "output.scale or output.activation in the teacher's card"
        )


@lru_cache(maxsize=4)
def open_teacher(card: TeacherCard, files: TeacherFiles, device: Device, inference_threads: int = 1) -> Teacher:
    """Load a teacher; once a process for the same card and files.

    Args:
        inference_threads: of one inference on a CPU.

    Raises:
        ValueError: card, weights and class list do not fit each other; names the field and the remedy.
    """
    labels = tuple(named.label for named in scored_classes(card, files))
    if card.backend == "transformers":
        from xmodal_kedro.teachers.transformers_backend import TransformersTeacher

        return TransformersTeacher(card, files.weights, labels, device, inference_threads)
    weights = files.weights[0].read_bytes()
    if card.backend == "onnx":
        from xmodal_kedro.teachers.onnx_backend import OnnxTeacher

        return OnnxTeacher(card, weights, labels, device, inference_threads)
    if card.backend == "torchvision":
        from xmodal_kedro.teachers.torchvision_backend import TorchvisionTeacher

        return TorchvisionTeacher(card, weights, labels, device, inference_threads)
    from xmodal_kedro.teachers.sample_backend import SampleTeacher

    return SampleTeacher(card, weights, labels)


def scored_classes(card: TeacherCard, files: TeacherFiles) -> tuple[ClassName, ...]:
    """All classes of a teacher, in the order of its scores, those included that are never given as a label.

    Raises:
        ValueError: naming the file or the card's field that is wrong.
    """
    classes = read_class_list(files.class_list) if files.class_list else named_classes(files.weights, card)
    unknown = sorted(set(card.ignore) - {named.label for named in classes})
    if unknown:
        listed = card.labels or "config.json"
        raise UserError(f"the teacher's `ignore` names {unknown}, not in {listed!r}: take them out of the card")
    return classes


def _blank_clip(card: TeacherCard) -> Clip:
    """A black picture, or a second of silence."""
    if isinstance(card, VisualTeacherCard):
        return [cv2.imencode(".jpg", np.zeros((BLANK_SIDE_PX, BLANK_SIDE_PX, 3), np.uint8))[1].tobytes()]
    return np.zeros(CLIP_SAMPLE_RATE_HZ, np.int16)
