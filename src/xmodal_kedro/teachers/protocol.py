"""A teacher: a pretrained classifier that scores named classes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import TeacherCard
from xmodal_kedro.storage import FileRef
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
