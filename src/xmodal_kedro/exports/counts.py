"""Counts of a corpus that is written as a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xmodal_kedro.exports.clips import SPLITS, ClipSource, rows_of_clips


@dataclass
class SplitCounts:
    """What a split holds.

    Attributes:
        clips: number of clips.
        seconds: their duration together.
        recordings: number of recordings that they are from.
        classes: clips of each class, by its index.
    """

    clips: int = 0
    seconds: float = 0.0
    recordings: int = 0
    classes: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True)
class CorpusCounts:
    """What a data set holds.

    Attributes:
        names: of the classes, by index.
        frame: whether clips have a frame.
        splits: counts by split, of those with clips.
        licences: recordings by licence; those of which it is not known are under an empty name.
    """

    names: tuple[str, ...]
    frame: bool
    splits: dict[str, SplitCounts]
    licences: Counter[str]

    @classmethod
    def of(cls, sources: Mapping[str, ClipSource], names: Sequence[str], frame: bool) -> CorpusCounts:
        """Count clips shard by shard; of clips, only times are read."""
        splits = {split: SplitCounts() for split in SPLITS}
        licences: Counter[str] = Counter()
        for source in sources.values():
            licences += _add(source, splits)
        return cls(tuple(names), frame, {name: split for name, split in splits.items() if split.clips}, licences)


def _add(source: ClipSource, splits: dict[str, SplitCounts]) -> Counter[str]:
    """Add the clips of a shard to the counts of their splits; recordings by licence."""
    labels = source.labels(["clip_id", "video_id", "split", "targets"])
    times = source.clips(["clip_id", "start_s", "end_s"])
    seconds = pc.subtract(times["end_s"], times["start_s"]).take(rows_of_clips(labels, times)).to_numpy()
    is_labelled = pc.greater(pc.list_value_length(labels["targets"]), 0).to_numpy()
    licences: Counter[str] = Counter()
    for name, split in splits.items():
        chosen = pc.equal(labels["split"], name).to_numpy() & (is_labelled | source.unlabelled)
        part = labels.filter(pa.array(chosen))
        recordings = pc.unique(part["video_id"]).to_pylist()
        split.clips += len(part)
        split.seconds += float(np.sum(seconds[chosen]))
        split.recordings += len(recordings)
        split.classes.update(pc.list_flatten(part["targets"]).to_pylist())
        licences.update(source.licences.get(source.uris.get(video_id, ""), "") for video_id in recordings)
    return licences
