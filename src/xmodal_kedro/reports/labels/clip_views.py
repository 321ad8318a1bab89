"""The clips that a contact sheet shows, read from the shards that hold them."""

from __future__ import annotations

import heapq
import zlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from xmodal_kedro.labels.accounting import DRAWS
from xmodal_kedro.labels.summary import Picked
from xmodal_kedro.params import MergeParams
from xmodal_kedro.storage import LoadShard, Shards
from xmodal_kedro.storage.rows import rows_of

LABELS_SHOWN = 5
"""Of each teacher, best first."""


@dataclass(frozen=True)
class ClipLabel:
    """A teacher's label of a clip.

    Attributes:
        label: as the teacher has it.
        score: 0..1.
        counts: whether it is over the modality's threshold and among its best.
    """

    label: str
    score: float
    counts: bool


@dataclass(frozen=True)
class ClipView:
    """A clip with its labels and targets.

    Attributes:
        uri: name of its recording among the sources.
        frames: JPEGs.
        audio: 16-bit mono PCM, see `pcm`.
        visual_labels, audio_labels: the teachers' best labels, best first.
        targets: names and weights of the merged target.
        picked_by: the value that it was picked by, see `summary.LabelSummary`.
    """

    clip_id: str
    video_id: str
    uri: str
    start_s: float
    end_s: float
    split: str
    frames: Sequence[bytes]
    audio: bytes
    visual_labels: Sequence[ClipLabel]
    audio_labels: Sequence[ClipLabel]
    targets: Sequence[tuple[str, float]]
    picked_by: float


@dataclass(frozen=True)
class LabelledClips:
    """The sharded datasets of clips and their labels, and what is needed to read them.

    Attributes:
        videos: `Videos`, which has the names of the recordings.
    """

    clips: Shards
    visual_labels: Shards
    audio_labels: Shards
    labels: Shards
    vocabulary: pd.DataFrame
    videos: pd.DataFrame
    params: MergeParams

    def views(self, picked: Picked) -> list[ClipView]:
        """The picked clips, in their order; of each shard, just their rows are held."""
        wanted: defaultdict[str, list[str]] = defaultdict(list)
        for _, clip_id, key in picked:
            wanted[key].append(clip_id)
        found: dict[str, dict[str, Any]] = {}
        for key, clip_ids in wanted.items():
            found |= self._read(key, clip_ids)
        uris = self._uris({clip["video_id"] for clip in found.values()})
        return [
            ClipView(**found[clip_id], uri=uris[found[clip_id]["video_id"]], picked_by=value)
            for value, clip_id, _ in picked
        ]

    def sample(self, count: int, target: str | None = None) -> Picked:
        """An even draw of clips, of those with a class as target if it is named; the same one each time.

        Raises:
            ValueError: if there is no such class.
        """
        if target is not None and target not in set(self.vocabulary["name"]):
            raise ValueError(f"no class {target!r}: choose one of {', '.join(sorted(self.vocabulary['name']))}")
        index = dict(zip(self.vocabulary["name"], self.vocabulary["index"], strict=True)).get(target)
        drawn: Picked = []
        for key, shard in self.labels.items():
            rows = shard(["clip_id", "targets"]).to_pylist()
            clip_ids = [row["clip_id"] for row in rows if target is None or index in row["targets"]]
            lots = ((zlib.crc32(clip_id.encode()) / DRAWS, clip_id, key) for clip_id in clip_ids)
            drawn = heapq.nsmallest(count, [*drawn, *lots])
        return drawn

    def _uris(self, video_ids: Collection[str]) -> dict[str, str]:
        """Names of recordings; the id of one that is no longer among the sources."""
        rows = self.videos[self.videos["video_id"].isin(list(video_ids))]
        return {video_id: video_id for video_id in video_ids} | dict(zip(rows["video_id"], rows["uri"], strict=True))

    def _read(self, key: str, clip_ids: Collection[str]) -> dict[str, dict[str, Any]]:
        name_of = dict(zip(self.vocabulary["index"], self.vocabulary["name"], strict=True))
        columns = ("clip_id", "video_id", "start_s", "end_s", "frames", "audio")
        clips = {row["clip_id"]: row for row in rows_of(self.clips[key], clip_ids, columns).to_pylist()}
        stated = {
            "visual_labels": self._labels(self.visual_labels.get(key), clip_ids, "visual"),
            "audio_labels": self._labels(self.audio_labels.get(key), clip_ids, "audio"),
        }
        for row in rows_of(self.labels[key], clip_ids, ("clip_id", "split", "targets", "weights")).to_pylist():
            targets = [(name_of[index], weight) for index, weight in zip(row["targets"], row["weights"], strict=True)]
            clips[row["clip_id"]] |= {"split": row["split"], "targets": targets}
        return {
            clip_id: row | {name: by_clip.get(clip_id, []) for name, by_clip in stated.items()}
            for clip_id, row in clips.items()
        }

    def _labels(
        self, labels: LoadShard | None, clip_ids: Collection[str], modality: str
    ) -> Mapping[str, list[ClipLabel]]:
        """Labels by clip; none of a teacher that the rule does not use, and that has not labelled the shard."""
        if labels is None:
            return {}
        limits = self.params.of(modality)
        found: defaultdict[str, list[ClipLabel]] = defaultdict(list)
        rows = rows_of(labels, clip_ids, ("clip_id", "label", "score")).to_pylist()
        for row in sorted(rows, key=lambda row: (-row["score"], row["label"])):
            shown = found[row["clip_id"]]
            counts = row["score"] >= limits.threshold and len(shown) < limits.top_k
            shown.append(ClipLabel(row["label"], row["score"], counts))
        return {clip_id: shown[:LABELS_SHOWN] for clip_id, shown in found.items()}
