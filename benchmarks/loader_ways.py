"""Ways to read batches of clips with their targets in random order: this project's and the usual ones.

Each yields, one epoch at a time, pairs of int16 [batch, samples] and float32 [batch, classes] tensors.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from simulated_clips import CLASSES, CLIP_S, Corpus, stored
from torch import Tensor

from xmodal_kedro.data.loader import Reader
from xmodal_kedro.params import TrainParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.storage import LoadShard

PARAMS = TrainParams(model="vggish_plus")
SAMPLES = round(CLIP_S * CLIP_SAMPLE_RATE_HZ)
SOUNDS = "sounds.i2"
TARGETS = "targets.npy"
"""bool [clips, classes]."""

Epoch = Iterator[tuple[Tensor, Tensor]]
Way = Callable[[int], Epoch]
"""The batches of the epoch of a number."""


def open_shards(folder: Path, threads: int, shards: int) -> Way:
    """This project's loader with so many reader threads."""
    stream = _part(folder, shards).stream(PARAMS)

    def epoch(number: int) -> Epoch:
        for batch in stream.batches(number, reader=Reader(threads=threads)):
            yield batch.audio, batch.targets

    return epoch


def open_memmap(folder: Path, shards: int) -> Way:
    """One memory-mapped file of audio, from which random clips are read."""
    sounds_NT = np.memmap(folder / SOUNDS, np.int16, "r").reshape(-1, SAMPLES)
    targets_NC = np.load(folder / TARGETS)

    def epoch(number: int) -> Epoch:
        order = np.random.default_rng(number).permutation(len(sounds_NT))
        for first in range(0, len(order), PARAMS.batch_size):
            drawn = order[first : first + PARAMS.batch_size]
            yield torch.from_numpy(sounds_NT[drawn]), torch.from_numpy(targets_NC[drawn].astype(np.float32))

    return epoch


def open_webdataset(folder: Path, shards: int) -> Way:
    """Tar files of raw samples, through WebDataset with a shuffle buffer as large as ours."""
    import webdataset as wds  # needed by the tests and this benchmark alone

    files = sorted(map(str, folder.glob("*.tar")))

    def decode(sample: dict[str, Any]) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
        targets_C = np.zeros(CLASSES, np.float32)
        targets_C[np.frombuffer(sample["cls"], "<i4")] = 1.0
        return np.frombuffer(sample["pcm"], "<i2"), targets_C

    def collate(samples: list[tuple[NDArray[np.int16], NDArray[np.float32]]]) -> tuple[Tensor, Tensor]:
        sounds, targets = zip(*samples, strict=True)
        return torch.from_numpy(np.stack(sounds)), torch.from_numpy(np.stack(targets))

    def epoch(number: int) -> Epoch:
        shuffled = wds.WebDataset(files, shardshuffle=len(files), seed=number).shuffle(PARAMS.shuffle_buffer)
        yield from shuffled.map(decode).batched(PARAMS.batch_size, collation_fn=collate)

    return epoch


MANY_SHARDS = 500
"""Twice the number of shards whose labels the loader caches."""
MANY = f"the same, over {MANY_SHARDS:,} shards"

WAYS: dict[str, Callable[[Path, int], Way]] = {
    "this project, 1 reader thread": lambda folder, shards: open_shards(folder, 1, shards),
    "this project, 2 reader threads": lambda folder, shards: open_shards(folder, 2, shards),
    MANY: lambda folder, shards: open_shards(folder, 2, MANY_SHARDS),
    "int16 memmap, random clips": open_memmap,
    "WebDataset": open_webdataset,
}
"""By name: opens what `store_for_peers` stored of the first so many shards."""
YARDSTICK = "int16 memmap, random clips"


def missing(name: str) -> str:
    """Reason why a way cannot be measured here; empty if it can."""
    return "not installed" if name == "WebDataset" and find_spec("webdataset") is None else ""


def store_for_peers(folder: Path, shards: int) -> None:
    """Store the first so many shards once more, as the other ways want them."""
    corpus = _part(folder, shards)
    targets_NC = np.concatenate([_targets(shard) for shard in corpus.labels.values()])
    np.save(folder / TARGETS, targets_NC)
    rows = iter(targets_NC)
    with (folder / SOUNDS).open("wb") as sounds:
        for key, shard in corpus.clips.items():
            columns = shard(["clip_id", "audio"]).to_pydict()
            for sound in columns["audio"]:
                sounds.write(sound)
            if not missing("WebDataset"):
                with tarfile.open(folder / f"{key}.tar", "w") as tar:
                    for clip_id, sound in zip(columns["clip_id"], columns["audio"], strict=True):
                        add = partial(_add, tar, clip_id)
                        add("pcm", sound)
                        add("cls", np.flatnonzero(next(rows)).astype("<i4").tobytes())


def _part(folder: Path, shards: int) -> Corpus:
    return stored(folder).under_keys(shards)


def _targets(labels: LoadShard) -> NDArray[np.bool_]:
    rows = labels(["targets"])["targets"].to_pylist()
    targets_NC = np.zeros((len(rows), CLASSES), np.bool_)
    for row, targets in enumerate(rows):
        targets_NC[row, targets] = True
    return targets_NC


def _add(tar: tarfile.TarFile, clip_id: str, kind: str, content: bytes) -> None:
    member = tarfile.TarInfo(f"{clip_id}.{kind}")
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
