"""Opens and checks a teacher, given its card and folder."""

from __future__ import annotations

import logging
from functools import lru_cache

import cv2
import numpy as np

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import TeacherCard, VisualTeacherCard
from xmodal_kedro.params.choices import TEACHER_BACKENDS, chosen
from xmodal_kedro.params.teachers import BRING_THEIR_INPUT, CONTRASTIVE
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.storage import Folder
from xmodal_kedro.teachers.class_list import ClassName, read_class_list
from xmodal_kedro.teachers.model_folder import model_files, named_classes
from xmodal_kedro.teachers.onnx_external import external_files
from xmodal_kedro.teachers.preprocess import Clip
from xmodal_kedro.teachers.protocol import Device, Teacher, TeacherFiles, require_scores

logger = logging.getLogger(__name__)

IN_A_FOLDER = BRING_THEIR_INPUT
"""Backends whose models are folders."""
ONNX = "onnx"
SEVERAL_FILES = {*IN_A_FOLDER, ONNX}
"""Backends that take their files in place of the content of one."""
BLANK_SIDE_PX = 64
MIN_SIGMOID_OF_PROBABILITIES = 0.5
"""Sigmoid of 0: the lowest score if a sigmoid is applied to values that are probabilities already."""


def teacher_files(card: TeacherCard, folder: Folder) -> TeacherFiles:
    """The files that the card names, and those that an ONNX model refers to; a model on the hub is downloaded.

    Raises:
        FileNotFoundError: naming the missing file, the places that were searched, and the remedy.
        UserError: an ONNX model is broken, or refers to a file outside the folder.
    """
    if card.backend in IN_A_FOLDER:
        weights = model_files(card, folder)
    else:
        model = folder.file(card.weights)
        weights = (model, *external_files(model, folder)) if card.backend == ONNX else (model,)
    return TeacherFiles(weights, None if card.labels is None else folder.file(card.labels))


def teacher_classes(card: TeacherCard, folder: Folder) -> tuple[ClassName, ...]:
    """The classes that a teacher can assign as labels, in the order of its scores. Its weights are not loaded.

    Raises:
        FileNotFoundError: see `teacher_files`.
        UserError: naming the wrong file or field of the card.
    """
    return tuple(named for named in scored_classes(card, teacher_files(card, folder)) if named.label not in card.ignore)


def check_teacher(card: TeacherCard, folder: Folder, device: Device = "auto", inference_threads: int = 1) -> None:
    """Open the teacher, score and embed one blank clip, so that a wrong card or file fails before long computations.

    Raises:
        FileNotFoundError: see `teacher_files`.
        UserError: card, weights and class list do not fit each other; names the field and the remedy.
    """
    # Bypasses the cache: the main process should not keep a teacher, perhaps on a GPU, that its workers open again.
    teacher = open_teacher.__wrapped__(card, teacher_files(card, folder), device, inference_threads)
    try:
        rows = teacher.rows(_blank_clip(card))
        scores = teacher.scores(rows)
    except Exception as error:  # each backend has errors of its own
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
    if card.output.embedding:
        from xmodal_kedro.teachers.onnx_backend import OnnxTeacher

        assert isinstance(teacher, OnnxTeacher)  # only ONNX cards can name an output.embedding
        teacher.embed(rows)
    if card.output.activation == "sigmoid" and scores.min() >= MIN_SIGMOID_OF_PROBABILITIES:
        logger.warning(
            "%r gives every class at least %.2f for a blank clip: if it gives probabilities by itself, set "
            "output.activation: none in the teacher's card",
            card.weights,
            scores.min(),
        )


@lru_cache(maxsize=4)
def open_teacher(card: TeacherCard, files: TeacherFiles, device: Device, inference_threads: int = 1) -> Teacher:
    """Load a teacher, once per process for the same card and files.

    Args:
        inference_threads: threads of one inference on a CPU.

    Raises:
        UserError: card, weights and class list do not fit each other; names the field and the remedy.
    """
    labels = tuple(named.label for named in scored_classes(card, files))
    weights = files.weights if card.backend in SEVERAL_FILES else files.weights[0].read_bytes()
    teacher: Teacher = chosen(TEACHER_BACKENDS, card.backend)(card, weights, labels, device, inference_threads)
    return teacher


def scored_classes(card: TeacherCard, files: TeacherFiles) -> tuple[ClassName, ...]:
    """All classes of a teacher, in the order of its scores, including ignored ones.

    Raises:
        UserError: naming the wrong file or field of the card.
    """
    if card.backend == CONTRASTIVE:
        classes = tuple(ClassName(of.name, "") for of in card.classes)
    else:
        classes = read_class_list(files.class_list) if files.class_list else named_classes(files.weights, card)
    unknown = sorted(set(card.ignore) - {named.label for named in classes})
    if unknown:
        listed = card.labels or "config.json"
        raise UserError(f"the teacher's `ignore` names {unknown}, not in {listed!r}: take them out of the card")
    return classes


def _blank_clip(card: TeacherCard) -> Clip:
    """A black image, or a second of silence."""
    if isinstance(card, VisualTeacherCard):
        return [cv2.imencode(".jpg", np.zeros((BLANK_SIDE_PX, BLANK_SIDE_PX, 3), np.uint8))[1].tobytes()]
    return np.zeros(CLIP_SAMPLE_RATE_HZ, np.int16)
