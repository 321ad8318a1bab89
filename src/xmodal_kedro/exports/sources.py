"""What is exported: labelled spans of recordings, from embedded windows or from the targets of clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from xmodal_kedro.exports.clips import rows_of_clips
from xmodal_kedro.exports.events import Span, exploded
from xmodal_kedro.storage import LoadShard


class SpanSource(Protocol):
    """Labelled spans of the recordings of one shard. Arguments of jobs: a fingerprint stands for its content."""

    def spans(self) -> list[Span]:
        """All of them; a recording's are in one shard."""


@dataclass(frozen=True)
class WindowTags:
    """Tags of embedded windows.

    Attributes:
        windows: a shard of `RecordingEmbeddings`.
    """

    windows: LoadShard

    def spans(self) -> list[Span]:
        """A span for each tag of each window."""
        table, tags = exploded(self.windows(["uri", "start_s", "end_s", "tags"]), "tags")
        return list(_spans(table, tags.field("name"), tags.field("score")))


@dataclass(frozen=True)
class ClipTargets:
    """Training targets of clips.

    Attributes:
        clips: a shard of `Clips`.
        labels: the same clips' `Labels`.
        names: name of each class, by its index.
        uris: name of each recording of the shard, by its `video_id`.
    """

    clips: LoadShard
    labels: LoadShard
    names: tuple[str, ...]
    uris: Mapping[str, str]

    def spans(self) -> list[Span]:
        """A span for each target of each clip; its score is the target's weight.

        Raises:
            UserError: if a label's clip is not among the clips.
        """
        clips = self.clips(["clip_id", "start_s", "end_s"])
        labels = self.labels(["clip_id", "video_id", "targets", "weights"])
        times = clips.take(rows_of_clips(labels, clips))
        uris = pa.array([self.uris.get(video_id, video_id) for video_id in labels["video_id"].to_pylist()], pa.string())
        columns = {"uri": uris, "start_s": times["start_s"], "end_s": times["end_s"]}
        table, targets = exploded(pa.table({**columns, "targets": labels["targets"]}), "targets")
        names = pa.array(self.names, pa.string()).take(targets)
        return list(_spans(table, names, pc.list_flatten(labels["weights"].combine_chunks())))


def _spans(table: pa.Table, names: pa.Array, scores: pa.Array) -> Iterator[Span]:
    columns = (table["uri"], names, table["start_s"], table["end_s"], scores)
    return map(Span._make, zip(*(column.to_pylist() for column in columns), strict=True))
