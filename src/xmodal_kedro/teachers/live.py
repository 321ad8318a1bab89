"""An audio teacher for the training loop: scores and embeddings of whatever sound it is given."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import AudioTeacherCard, TrainParams
from xmodal_kedro.params.teachers import CONTRASTIVE
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.recipes import library_versions
from xmodal_kedro.storage import Folder
from xmodal_kedro.teachers.embeddings import as_float16, mean_and_maximum
from xmodal_kedro.teachers.labelling import NOT_IN_LABELS
from xmodal_kedro.teachers.onnx_backend import OnnxTeacher
from xmodal_kedro.teachers.opening import check_teacher, open_teacher, teacher_files
from xmodal_kedro.teachers.protocol import LIBRARIES, Device, TeacherFiles, require_scores

NOT_IN_SCORES = NOT_IN_LABELS | {"ignore"}
"""Fields of a card that scores do not depend on; labels do on the classes that never become one."""
ROWS_AT_A_TIME = 64
"""Windows that are scored together, so that a teacher's memory does not grow with `train.batch_size`."""


@dataclass(frozen=True)
class LiveTeacher:
    """A teacher that is asked in every step; see `training.live_teaching.SoundTeacher`.

    Attributes:
        card: its card.
        files: its files.
        device, threads: where it runs.
        classes: number of its scores.
        embedding_size: of its embedding of a clip; 0 where none is wanted.
    """

    card: AudioTeacherCard
    files: TeacherFiles
    device: Device
    threads: int
    classes: int
    embedding_size: int

    @property
    def fingerprint(self) -> str:
        """Of what scores and embeddings depend on. Device and threads do not count."""
        card = {name: value for name, value in self.card.identity().items() if name not in NOT_IN_SCORES}
        weights = [file.fingerprint for file in self.files.weights]
        libraries = library_versions(LIBRARIES[self.card.backend])
        return hashlib.sha256(json.dumps([card, weights, libraries], sort_keys=True).encode()).hexdigest()[:32]

    def listen(self, audio_BT: NDArray[np.int16]) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
        """Scores [batch, classes], means over the windows of each sound, and embeddings [batch, embedding_size].

        Args:
            audio_BT: [batch, samples], 16 kHz mono.

        Raises:
            UserError: a score is not a number in 0..1, or see `as_float16`; names the card's field.
        """
        teacher = open_teacher(self.card, self.files, self.device, self.threads)
        rows = [teacher.rows(audio_T) for audio_T in audio_BT]
        together = [row for of_clip in rows for row in of_clip]
        parts = [together[at : at + ROWS_AT_A_TIME] for at in range(0, len(together), ROWS_AT_A_TIME)]
        ends = np.cumsum([len(of_clip) for of_clip in rows])[:-1]
        if self.embedding_size:
            assert isinstance(teacher, OnnxTeacher)  # only ONNX cards can name an output.embedding
            embedding_RE, scores_RC = map(np.concatenate, zip(*map(teacher.embed, parts), strict=True))
            by_clip = [mean_and_maximum(of_clip) for of_clip in np.split(embedding_RE, ends)]
            embedding_BE = as_float16(np.stack(by_clip), self.card)
        else:
            scores_RC = np.concatenate([teacher.scores(part) for part in parts])
            embedding_BE = np.zeros((len(audio_BT), 0), np.float16)
        require_scores(scores_RC, self.card)
        return np.stack([of_clip.mean(0) for of_clip in np.split(scores_RC, ends)]), embedding_BE


def live_teacher(card: AudioTeacherCard, folder: Folder, train: TrainParams) -> LiveTeacher | None:
    """The teacher of `train.live_teacher`, after a check; None where it is not enabled.

    Raises:
        FileNotFoundError: see `check_teacher`.
        UserError: it is contrastive, has no embedding where one is wanted, or see `check_teacher`.
    """
    live = train.live_teacher
    if not live.enabled:
        return None
    if card.backend == CONTRASTIVE:
        raise UserError(
            f"train.live_teacher is enabled, but the audio teacher's backend is {CONTRASTIVE}, whose scores depend on "
            "the whole corpus: take another teacher, or set train.live_teacher.enabled to false"
        )
    if train.embedding_weight and not card.output.embedding:
        raise UserError(
            "train.live_teacher is enabled and train.embedding_weight is set, but the audio teacher's card names no "
            "output.embedding: name the tensor of an ONNX model that holds it, or set train.embedding_weight to 0"
        )
    check_teacher(card, folder, live.device, live.threads)
    files = teacher_files(card, folder)
    unsized = LiveTeacher(card, files, live.device, live.threads, 0, int(train.embedding_weight > 0))
    scores_BC, embedding_BE = unsized.listen(np.zeros((1, CLIP_SAMPLE_RATE_HZ), np.int16))
    return LiveTeacher(card, files, live.device, live.threads, scores_BC.shape[1], embedding_BE.shape[1])
