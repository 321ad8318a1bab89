"""A teacher: a pretrained classifier that scores named classes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.handles import FileRef, Folder
from xmodal_kedro.labelling.class_list import read_class_list
from xmodal_kedro.labelling.preprocess import blank_batch
from xmodal_kedro.params import TeacherCard

Device = Literal["auto", "cpu", "cuda"]


class Teacher(Protocol):
    """A classifier, whatever runs it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the scores."""

    def scores(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Score a batch.

        Args:
            batch: as `preprocess` makes it from the card's input, any number of rows.

        Returns:
            float32 [batch, classes], each 0..1.
        """


def teacher_files(card: TeacherCard, folder: Folder) -> tuple[FileRef, FileRef]:
    """The card's weights and class list.

    Raises:
        FileNotFoundError: naming the folder and the file that is not there.
    """
    return folder.file(card.weights), folder.file(card.labels)


def check_teacher(card: TeacherCard, folder: Folder, device: Device = "auto") -> None:
    """Open the teacher and score one blank input, so that a wrong card or file fails before the long work.

    Raises:
        FileNotFoundError: a file that the card names is not in the folder.
        ValueError: card, weights and class list do not fit each other; names the field and the remedy.
    """
    teacher = open_teacher(card, *teacher_files(card, folder), device)
    shape = teacher.scores(blank_batch(card.input)).shape
    if shape != (1, len(teacher.labels)):
        raise ValueError(
            f"{card.weights!r} gives scores of shape {list(shape)} for one input and {card.labels!r} lists "
            f"{len(teacher.labels)} classes: name the class list or the output.tensor that belongs to these weights"
        )


@lru_cache(maxsize=4)
def open_teacher(card: TeacherCard, weights: FileRef, class_list: FileRef, device: Device) -> Teacher:
    """Load a teacher; once a process for the same card and files.

    Raises:
        ValueError: card, weights and class list do not fit each other; names the field and the remedy.
    """
    labels = read_class_list(class_list)
    unknown = [name for name in card.ignore if name not in labels]
    if unknown:
        raise ValueError(
            f"the teacher's `ignore` names {unknown}, not in {class_list.name!r}: take them out of the card"
        )
    if card.backend == "onnx":
        from xmodal_kedro.labelling.onnx_backend import OnnxTeacher

        return OnnxTeacher(card, weights.read_bytes(), labels, device)
    from xmodal_kedro.labelling.sample_backend import SampleTeacher

    return SampleTeacher(card, weights.read_bytes(), labels)
