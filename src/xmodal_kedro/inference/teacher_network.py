"""A classifier of one's own whose head is fitted on a teacher's embedding, run by the teacher's own runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xmodal_kedro.errors import UserError
from xmodal_kedro.models.card_file import HEAD_NAME
from xmodal_kedro.models.classifier import AGAIN, read_head, restore_head
from xmodal_kedro.params import AudioTeacherCard
from xmodal_kedro.pcm import INT16_FULL_SCALE
from xmodal_kedro.storage import FileRef, Folder
from xmodal_kedro.teachers.embeddings import mean_and_maximum
from xmodal_kedro.teachers.onnx_backend import OnnxTeacher
from xmodal_kedro.teachers.opening import open_teacher, teacher_files

TEACHER_FOLDER = "teacher"
"""In the folder of such a classifier: the files of its teacher."""


class TeacherNetwork:
    """A teacher and the head on its embedding; in place of a `WaveformNetwork`, on the CPU.

    Args:
        folder: of the classifier, with `head.safetensors` and the teacher's files in `teacher/`.
        card: of the classifier.
        device: where the teacher runs.

    Attributes:
        source: what it is, for messages.
        device_type: where it takes its input from.
        fingerprint: of the teacher and the head.

    Raises:
        FileNotFoundError: if a file is not there.
        UserError: if the files and the card do not belong together.
    """

    device_type = "cpu"

    def __init__(self, folder: Path, card: Mapping[str, Any], device: Literal["auto", "cpu", "cuda"]) -> None:
        place = folder / TEACHER_FOLDER
        paths = [path for path in sorted(place.rglob("*")) if path.is_file()]
        found = {path.relative_to(place).as_posix(): path for path in paths}
        files = Folder(
            str(place), {name: FileRef(name, str(path), path.stat().st_size, 0) for name, path in found.items()}
        )
        teacher_card = AudioTeacherCard.model_validate(card["teacher"]["card"])
        for name, stated in card["teacher"]["files"].items():
            if files.file(name).sha256 != stated:
                raise UserError(f"{place / name} is not the teacher that the head was fitted on: {AGAIN}")
        self.card = card
        self.head: nn.Linear = restore_head(card, read_head(folder / HEAD_NAME))
        teacher = open_teacher(teacher_card, teacher_files(teacher_card, files), device, torch.get_num_threads())
        assert isinstance(teacher, OnnxTeacher)  # `adapt` checks it: no other gives embeddings
        self._teacher = teacher
        self.source = f"the classifier in {folder}, which is on a teacher's embedding,"
        self.fingerprint = f"{card['head_digest']} {card['temperature']} {card['teacher']['files']}"

    def __call__(self, audio_BT: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embeddings and scores, as `WaveformNetwork`; the embedding is mean and maximum over the teacher's windows."""
        embedding_BE = np.stack([self._embed(audio_T) for audio_T in audio_BT])
        with torch.inference_mode():
            logits_BC = self.head(torch.from_numpy(embedding_BE)) / self.card["temperature"]
            scores_BC = logits_BC.softmax(1) if self.card["exclusive"] else logits_BC.sigmoid()
        return embedding_BE, scores_BC.numpy()

    def _embed(self, audio_T: np.ndarray) -> np.ndarray:
        scaled_T = np.rint(audio_T * INT16_FULL_SCALE).clip(-INT16_FULL_SCALE, INT16_FULL_SCALE - 1)
        embedding_RE, _ = self._teacher.embed(self._teacher.rows(scaled_T.astype(np.int16)))
        embedding_E: np.ndarray = mean_and_maximum(embedding_RE)
        return embedding_E
