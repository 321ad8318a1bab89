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
    "contrastive": ("torch", "transformers"),
    "torchvision": ("torch", "torchvision"),
    "sample": ("torch",),
}
"""Distributions that compute a backend's scores."""


class Teacher(Protocol):
    """A classifier of any backend."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the scores."""

    @property
    def on_cuda(self) -> bool:
        """Whether it scores on a GPU, so that the CPU is free to prepare inputs."""

    def rows(self, clip: Clip) -> list[NDArray[Any]]:
        """Model-ready inputs of one clip. It is thread-safe.

        Args:
            clip: its JPEGs, or its audio as int16 [samples], 16 kHz mono.

        Returns:
            One array for each frame, patch or window; none for a clip without frames.

        Raises:
            UserError: naming the position of a frame that cannot be decoded.
        """

    def scores(self, rows: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Score at least one input; they may be from different clips. The scores of a row do not depend on other rows.

        Returns:
            float32 [len(rows), classes], each in 0..1; see `require_scores`.
        """


@dataclass(frozen=True)
class TeacherFiles:
    """The files of a teacher.

    Attributes:
        weights: of the network; for a model that is a folder, several files with names relative to it.
        class_list: None if the model itself names its classes.
    """

    weights: tuple[FileRef, ...]
    class_list: FileRef | None


def require_scores(scores_BC: NDArray[np.float32], card: TeacherCard) -> None:
    """Check scores.

    Raises:
        UserError: a score is not a number in 0..1; names the card's field.
    """
    if np.isnan(scores_BC).any():
        raise UserError(
            f"{card.weights!r} gives scores that are not numbers (NaN): correct the teacher's input in its card (its "
            "type, mean, std or log_offset), or replace the weights"
        )
    if not (scores_BC.min(initial=0) >= 0 and scores_BC.max(initial=0) <= 1):
        raise UserError(
            f"{card.weights!r} gives scores from {scores_BC.min()} to {scores_BC.max()}, not 0..1: correct "
            "output.scale or output.activation in the teacher's card"
        )
