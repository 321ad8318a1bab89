"""Labelled clips, read shard by shard for data sets of other libraries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from xmodal_kedro.errors import UserError
from xmodal_kedro.storage import LoadShard

SPLITS = ("train", "validation")


class LabelledClip(NamedTuple):
    """A clip with its targets.

    Attributes:
        uri: name of its recording among the sources.
        start_s, end_s: where it is in the recording, seconds.
        targets, weights: indices of its classes and the weight of each.
        licence: of the recording, as the manifest has it; empty if that is not known.
        audio: 16-bit mono PCM, see `pcm`.
        frame: the middle one of its frames, a JPEG; None without a frame, or if frames are not read.
    """

    clip_id: str
    uri: str
    start_s: float
    end_s: float
    targets: Sequence[int]
    weights: Sequence[float]
    licence: str
    audio: bytes
    frame: bytes | None


def rows_of_clips(labels: pa.Table, clips: pa.Table) -> pa.Array:
    """Row of each label's clip in a table of clips.

    Raises:
        UserError: naming a clip that is not there.
    """
    rows = pc.index_in(labels["clip_id"], value_set=clips["clip_id"].combine_chunks())
    if rows.null_count:
        missing = labels["clip_id"].filter(pc.is_null(rows))[0].as_py()
        raise UserError(
            f"there is no clip {missing}, though it has a label: run the pipelines clip to merge_labels again"
        )
    return rows


@dataclass(frozen=True)
class ClipSource:
    """A shard of clips with all that is written of them.

    Attributes:
        clips, labels: shards of `Clips` and `Labels` of the same clips.
        uris: name of each recording of the shard, by its `video_id`.
        licences: of those recordings of which it is known, by `uri`.
        unlabelled: whether clips without a target are read too.
    """

    clips: LoadShard
    labels: LoadShard
    uris: Mapping[str, str]
    licences: Mapping[str, str]
    unlabelled: bool

    def count(self, split: str) -> int:
        """Number of clips of a split."""
        return len(self._targets[split])

    def read(self, split: str, frame: bool) -> Iterator[LabelledClip]:
        """The clips of a split, in stored order; one row group is in memory at a time.

        Args:
            frame: whether frames are read.
        """
        wanted = self._targets[split]
        ids = pa.array(list(wanted), pa.string())
        columns = ["clip_id", "video_id", "start_s", "end_s", "audio", *(["frames"] if frame else [])]
        with self.clips.open() as parquet:
            for group in range(parquet.num_row_groups):
                mask = pc.is_in(parquet.read_row_group(group, columns=["clip_id"])["clip_id"], value_set=ids)
                if pc.any(mask).as_py():
                    rows = parquet.read_row_group(group, columns=columns).filter(mask)
                    yield from (self._clip(row, *wanted[row["clip_id"]]) for row in rows.to_pylist())

    @cached_property
    def _targets(self) -> dict[str, dict[str, tuple[list[int], list[float]]]]:
        """Targets and weights by split and clip."""
        found: dict[str, dict[str, tuple[list[int], list[float]]]] = {split: {} for split in SPLITS}
        for row in self.labels(["clip_id", "split", "targets", "weights"]).to_pylist():
            if row["targets"] or self.unlabelled:
                found[row["split"]][row["clip_id"]] = row["targets"], row["weights"]
        return found

    def _clip(self, row: Mapping[str, Any], targets: list[int], weights: list[float]) -> LabelledClip:
        uri = self.uris.get(row["video_id"], row["video_id"])
        frames = row.get("frames") or [None]
        return LabelledClip(
            *(row["clip_id"], uri, row["start_s"], row["end_s"], targets, weights),
            *(self.licences.get(uri, ""), row["audio"], frames[len(frames) // 2]),
        )
