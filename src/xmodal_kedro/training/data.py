"""What one training learns from: paired shards and a vocabulary, checked before the first step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pandas as pd

from xmodal_kedro.audio.stream import ClipStream, Split
from xmodal_kedro.handles import Shards
from xmodal_kedro.params import TrainParams


@dataclass(frozen=True)
class TrainingData:
    """Both splits with their numbers of clips, the names of the classes, and a fingerprint of it all."""

    train: ClipStream
    train_count: int
    validation: ClipStream
    validation_count: int
    classes: list[str]
    fingerprint: str


def gather(clips: Shards, labels: Shards, label_vocabulary: pd.DataFrame, params: TrainParams) -> TrainingData:
    """Pair clips with labels and count the splits; reads labels, no sound.

    Raises:
        ValueError: for an empty vocabulary, shards without their partner, or a split without clips.
    """
    if label_vocabulary.empty:
        raise ValueError("label_vocabulary is empty: lower merge_labels.min_clips or the thresholds, and merge again")
    unpaired = sorted(set(clips) ^ set(labels))
    if unpaired:
        raise ValueError(
            f"clips and labels do not pair up, such as {unpaired[0]}: "
            "run the pipelines visual_label, audio_label and merge_labels again"
        )
    classes = label_vocabulary.sort_values("index")["name"].tolist()

    def split(name: Split) -> tuple[ClipStream, int]:
        stream = ClipStream(
            clips=clips,
            labels=labels,
            split=name,
            classes=len(classes),
            clip_s=params.clip_s,
            batch_size=params.batch_size,
            shuffle_buffer=params.shuffle_buffer,
            seed=params.seed,
        )
        return stream, stream.count()

    train, train_count = split("train")
    validation, validation_count = split("validation")
    if train_count == 0:
        raise ValueError(
            "labels hold no labelled clip to train on: lower merge_labels.validation_fraction or min_clips"
        )
    if validation_count == 0:
        raise ValueError(
            "labels hold no labelled clip to validate on: raise merge_labels.validation_fraction, or add videos"
        )
    return TrainingData(
        train, train_count, validation, validation_count, classes, fingerprint_data(clips, labels, classes)
    )


def fingerprint_data(clips: Shards, labels: Shards, classes: list[str]) -> str:
    """32 hex digits that stand for the shards' content and the vocabulary's order."""
    digest = hashlib.blake2b(digest_size=16)
    for key in sorted(labels):
        digest.update(f"{key} {clips[key].fingerprint} {labels[key].fingerprint}\n".encode())
    digest.update("\n".join(classes).encode())
    return digest.hexdigest()
