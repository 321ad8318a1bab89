"""Embeddings of a few clips, by which they are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.evaluation.representations import LogMelStatistics, Representation, TeacherEmbedding
from xmodal_kedro.params import AudioTeacherCard
from xmodal_kedro.storage import Folder, Shards
from xmodal_kedro.storage.rows import rows_of
from xmodal_kedro.teachers.opening import teacher_files

CLIPS_AT_A_TIME = 64


def representation_of(card: AudioTeacherCard, files: Folder, device: Literal["auto", "cpu", "cuda"]) -> Representation:
    """The audio teacher's own embedding, or log-mel statistics where its card names none."""
    if card.output.embedding:
        return TeacherEmbedding(card, teacher_files(card, files), device)
    return LogMelStatistics()


@dataclass(frozen=True)
class ClipEmbedder:
    """Embeds clips by their sound.

    Attributes:
        clips: shards of `Clips`.
        represent: gives the embeddings.
    """

    clips: Shards
    represent: Representation

    def __call__(self, wanted: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
        """Embeddings [size] by clip, each dimension scaled to mean 0 and standard deviation 1 over them.

        Args:
            wanted: columns `clip_id` and `shard`.
        """
        embedding_of: dict[str, NDArray[np.float32]] = {}
        for key, rows in wanted.drop_duplicates("clip_id").groupby("shard", sort=True):
            clip_ids = sorted(rows["clip_id"])
            for start in range(0, len(clip_ids), CLIPS_AT_A_TIME):
                embedding_of |= self._embed(str(key), clip_ids[start : start + CLIPS_AT_A_TIME])
        return _standardised(embedding_of)

    def _embed(self, key: str, clip_ids: list[str]) -> dict[str, NDArray[np.float32]]:
        table = rows_of(self.clips[key], clip_ids, ("clip_id", "audio"))
        sounds = [np.frombuffer(audio, np.int16) for audio in table["audio"].to_pylist()]
        return dict(zip(table["clip_id"].to_pylist(), self.represent(sounds).embeddings, strict=True))


def _standardised(embedding_of: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    if not embedding_of:
        return {}
    ordered = sorted(embedding_of)
    embedding_CE = np.stack([embedding_of[clip_id] for clip_id in ordered]).astype(np.float64)
    std_E = embedding_CE.std(0)
    scaled_CE = (embedding_CE - embedding_CE.mean(0)) / np.where(std_E > 0, std_E, 1)
    return dict(zip(ordered, scaled_CE.astype(np.float32), strict=True))
