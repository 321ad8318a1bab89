"""The teacher in the loop: it hears each step's sounds as the network does."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from contextlib import closing
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from xmodal_kedro.data.batch import Batch
from xmodal_kedro.data.prefetch import prefetched
from xmodal_kedro.data.teacher_embeddings import EmbeddingTargets
from xmodal_kedro.features.augment import Augmentation, mixup
from xmodal_kedro.params import TrainParams
from xmodal_kedro.pcm import INT16_FULL_SCALE
from xmodal_kedro.training.augmented import augmented, drawn_for, mixed, waveforms

BATCHES_AHEAD = 2
"""Of what the teacher has heard: enough that neither waits for the other where both take as long."""


class SoundTeacher(Protocol):
    """A teacher of sounds. It can be pickled, as each process of a training opens its own."""

    @property
    def classes(self) -> int:
        """Number of its scores."""

    @property
    def embedding_size(self) -> int:
        """Of its embedding of a clip; 0 where it gives none."""

    @property
    def fingerprint(self) -> str:
        """Of all that its scores depend on."""

    def listen(self, audio_BT: NDArray[np.int16]) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
        """Scores [batch, classes] in 0..1 and embeddings [batch, embedding_size] of sounds at 16 kHz."""


def heard(batches: Generator[Batch], teacher: SoundTeacher, params: TrainParams, first_step: int) -> Generator[Batch]:
    """The batches with what is random in their sound applied, and what a teacher says of that; made ahead in a thread.

    Args:
        batches: of one epoch, from the loader.
        teacher: who hears them.
        params: `train`.
        first_step: number of the first batch's step in the training.
    """
    return prefetched(_heard(batches, teacher, params, first_step), BATCHES_AHEAD)


def _heard(batches: Generator[Batch], teacher: SoundTeacher, params: TrainParams, first_step: int) -> Generator[Batch]:
    augmentation = Augmentation.of(params)
    with closing(batches):
        for step, batch in enumerate(batches, start=first_step):
            audio_BT, targets_BC, embeddings = batch.audio, batch.targets, dict(batch.embeddings)
            if augmentation.is_random:
                draws = drawn_for(batch, augmentation, (params.seed, step))
                changed_BT = augmented(waveforms(audio_BT), augmentation, draws) * INT16_FULL_SCALE
                audio_BT = changed_BT.round().clamp(-INT16_FULL_SCALE, INT16_FULL_SCALE - 1).to(torch.int16)
                if augmentation.mixup_alpha > 0:
                    targets_BC = mixup(targets_BC, draws)
                    embeddings = {name: mixed(_in_float32(targets), draws) for name, targets in embeddings.items()}
            scores_BS, embedding_BE = map(torch.from_numpy, teacher.listen(audio_BT.numpy()))
            embeddings["audio"] = EmbeddingTargets(embedding_BE, torch.ones(len(audio_BT), 1))
            yield dataclasses.replace(
                batch, audio=audio_BT, targets=targets_BC, embeddings=embeddings, scores=scores_BS, is_heard=True
            )


def _in_float32(targets: EmbeddingTargets) -> EmbeddingTargets:
    return targets._replace(values_BE=targets.values_BE.float())
