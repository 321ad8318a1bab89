"""Some clips with their targets, as they leave the loader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xmodal_kedro.data.teacher_embeddings import EmbeddingTargets
from xmodal_kedro.params.training import Modality


@dataclass(frozen=True)
class Batch:
    """Some clips.

    Attributes:
        audio: int16 [batch, samples].
        targets: float32 [batch, classes]: weights of the vocabulary's classes.
        clip_ids: [batch].
        parts: stream and number of clips of each stretch of the batch, in order.
        clips: of the whole batch, over all ranks.
        embeddings: of the teachers whose embeddings are learnt, by modality.
        scores: of a teacher that has heard `audio`, float32 [batch, its classes]; None where none has.
        is_heard: whether a teacher has heard it in the loop: what is random in the sound has been applied then, and
            targets are mixed as it is.
    """

    audio: Tensor
    targets: Tensor
    clip_ids: list[str]
    parts: tuple[tuple[int, int], ...]
    clips: int
    embeddings: Mapping[Modality, EmbeddingTargets] = field(default_factory=dict)
    scores: Tensor | None = None
    is_heard: bool = False


def embedding_targets(embeddings: Sequence[NDArray[np.float16] | None], size: int, pinned: bool) -> EmbeddingTargets:
    """Those of the clips of a batch.

    Args:
        embeddings: [size] of each clip; None for a clip that has none.
        size: of an embedding.
        pinned: whether into pinned memory.
    """
    values_BE = torch.zeros((len(embeddings), size), dtype=torch.float16, pin_memory=pinned)
    shares_B1 = torch.zeros((len(embeddings), 1), pin_memory=pinned)
    values, shares = values_BE.numpy(), shares_B1.numpy()
    for row, embedding_E in enumerate(embeddings):
        if embedding_E is not None:
            values[row], shares[row] = embedding_E, 1
    return EmbeddingTargets(values_BE, shares_B1)
