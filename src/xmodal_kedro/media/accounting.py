"""What became of the recordings of a shard of clips, as stored in the shard's metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from xmodal_kedro.reasons import PASSING
from xmodal_kedro.storage import PROVISIONAL_KEY, Shards

Row = dict[str, str]
"""A row of `UnclippedVideos` or `CutShortVideos`."""


@dataclass
class ClippingReport:
    """What is reported of recordings beside their clips.

    Attributes:
        unclipped: `UnclippedVideos` rows: recordings that gave no clip.
        cut_short: `CutShortVideos` rows: recordings that gave clips, but were not used to their end.
        silent_spans: spans dropped because they are silent.
        unseen_spans: spans dropped because they have no frame.
    """

    unclipped: list[Row] = field(default_factory=list)
    cut_short: list[Row] = field(default_factory=list)
    silent_spans: int = 0
    unseen_spans: int = 0

    def metadata(self) -> dict[str, str]:
        """Metadata of a shard. It is provisional if a file failed for a temporary reason: see `PASSING`."""
        counts = {"silent_spans": str(self.silent_spans), "unseen_spans": str(self.unseen_spans)}
        rows = {"unclipped": json.dumps(self.unclipped), "cut_short": json.dumps(self.cut_short)}
        passing = sum(row["reason"] in PASSING for row in self.unclipped + self.cut_short)
        return {**rows, **counts, **({PROVISIONAL_KEY: f"{passing} to be tried again"} if passing else {})}

    def add(self, metadata: Mapping[str, str]) -> None:
        """Add the counts and rows of a shard's metadata."""
        self.unclipped += json.loads(metadata["unclipped"])
        self.cut_short += json.loads(metadata["cut_short"])
        self.silent_spans += int(metadata["silent_spans"])
        self.unseen_spans += int(metadata["unseen_spans"])


@dataclass
class Totals:
    """Sums over all shards of clips.

    Attributes:
        report: the reports of all shards.
        clipped: `video_id` of every recording that gave clips, once for each shard that holds some.
        clips: number of clips.
        duration_s: total duration of the clips, seconds.
        still_clips: number of clips under a still picture.
    """

    report: ClippingReport = field(default_factory=ClippingReport)
    clipped: list[str] = field(default_factory=list)
    clips: int = 0
    duration_s: float = 0.0
    still_clips: int = 0


def add_up(clips: Shards) -> Totals:
    """Sum up the reports and the clips of all shards, one shard at a time."""
    totals = Totals()
    for key in sorted(clips):
        totals.report.add(clips[key].metadata)
        spans = clips[key](["video_id", "start_s", "end_s", "still_picture"]).to_pandas()
        totals.clipped += spans["video_id"].unique().tolist()
        totals.clips += len(spans)
        totals.still_clips += int(spans["still_picture"].sum())
        totals.duration_s += float((spans["end_s"] - spans["start_s"]).sum())
    return totals
