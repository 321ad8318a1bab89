"""A small corpus of clips with sounds, frames and labels of two teachers, and answers about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa

from tests.fakes import MemoryShard, folder_of, shard_of
from tests.labels.merging import audio_classes, merge_params, ontology, visual_classes
from tests.teachers.fixtures import labels_shard
from xmodal_kedro.labels.match import match_classes
from xmodal_kedro.params import ReviewParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.review.strata import Strata, pool_of, sample_jobs
from xmodal_kedro.schemas import CLIPS_ARROW
from xmodal_kedro.storage import Folder

CLASSES = match_classes(visual_classes(), audio_classes(), ontology(), merge_params(visual_names="sounds"))
"""`CandidateClasses` and `LabelClasses`."""
VOCABULARY = pd.DataFrame({"name": ["Dog", "Drum", "Rain"], "clip_count": [30, 20, 10]})

Labels = Mapping[str, Mapping[str, float]]
"""By clip, the scores of a teacher's labels."""


CLIPS = pa.schema([CLIPS_ARROW.field(name) for name in ("clip_id", "video_id", "start_s", "end_s", "audio", "frames")])


def clip_row(clip_id: str, seconds: float = 1.0) -> dict[str, object]:
    """A clip whose tone, and whose frame's colour, follow from its id."""
    seed = int.from_bytes(hashlib.sha256(clip_id.encode()).digest()[:4])
    times_s = np.arange(round(seconds * CLIP_SAMPLE_RATE_HZ)) / CLIP_SAMPLE_RATE_HZ
    audio = (8000 * np.sin(2 * np.pi * (200 + seed % 3000) * times_s)).astype(np.int16)
    frame = np.full((48, 64, 3), [seed % 256, seed // 256 % 256, 128], np.uint8)
    return {
        "clip_id": clip_id,
        "video_id": f"{clip_id}-video",
        "start_s": 0.0,
        "end_s": seconds,
        "audio": audio.tobytes(),
        "frames": [cv2.imencode(".jpg", frame)[1].tobytes()],
    }


@dataclass
class Corpus:
    """Shards of clips, and of labels by modality."""

    clips: dict[str, MemoryShard]
    labels: dict[str, dict[str, MemoryShard]]


def corpus_of(clip_ids: Sequence[str], labels: Mapping[str, Labels], shards: int = 2) -> Corpus:
    """A corpus divided into so many shards."""
    made = Corpus({}, {modality: {} for modality in labels})
    for number in range(shards):
        held, key = clip_ids[number::shards], f"shard-{number:06b}"
        made.clips[key] = MemoryShard(pa.Table.from_pylist(list(map(clip_row, held)), schema=CLIPS))
        for modality, stated in labels.items():
            of_shard = [(clip, label, score) for clip in held for label, score in stated.get(clip, {}).items()]
            made.labels[modality][key] = labels_shard(of_shard, clips=len(held))
    return made


def pool(corpus: Corpus, params: ReviewParams) -> pd.DataFrame:
    """`ReviewPool` of a corpus."""
    strata = Strata.of(*CLASSES, VOCABULARY, params)
    jobs = sample_jobs(corpus.clips, corpus.labels, strata)
    return pool_of({key: shard_of(job) for key, job in jobs.items()}, params.score_bins)


def random_labels(clip_ids: Sequence[str], seed: int = 0) -> dict[str, dict[str, dict[str, float]]]:
    """Labels of both teachers with scores at random."""
    generator = np.random.default_rng(seed)
    names = {"visual": ["dog", "drum", "statue"], "audio": ["Dog", "Drum", "Rain"]}
    return {
        modality: {
            clip: {
                name: float(np.float32(score))
                for name, score in zip(labels, generator.random(len(labels)), strict=True)
                if generator.random() < 0.7
            }
            for clip in clip_ids
        }
        for modality, labels in names.items()
    }


def answers_in(folder: Path, files: Mapping[str, str]) -> Folder:
    """A folder of files of answers; each text is written below the header."""
    folder.mkdir(exist_ok=True)
    for name, rows in files.items():
        (folder / name).write_text(f"clip_id,class,answer,reviewer,seconds\n{rows}", newline="")
    return folder_of(folder)


def pairs(table: pd.DataFrame) -> set[tuple[str, str]]:
    """The clips and classes of a table."""
    return set(zip(table["clip_id"], table["name"], strict=True))
