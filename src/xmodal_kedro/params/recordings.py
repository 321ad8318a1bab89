"""Parameters of the pipelines that read recordings: `ingest`, `clip`, near-duplicates and `embed`."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from .base import Params, TimeLimit

FORMER_NAME = "audio_only"
"""What `ingest.without_video` was called up to version 0.2."""


class IngestParams(TimeLimit):
    """`parameters/ingest.yml`"""

    NOT_IN_IDENTITY: ClassVar[frozenset[str]] = frozenset({"shard_sources", "shard_gb"})
    ADDED: ClassVar[dict[str, Any]] = {"video_track": None, "audio_track": None}

    without_video: Literal["use", "reject"] = "use"
    """`use`: recordings of sound alone are clipped beside those with video, and sound for which a video has no frame is
    kept; the audio teacher alone labels such clips. `reject`: every clip has a frame. `audio_only`, the former name,
    counts if it is set: true is `use`, false is `reject`."""
    audio_track: str | None = None
    """Audio streams to use, by their index in the file, such as `1` or `1+2`, which are added. Null chooses: of the
    picture's programme the one flagged as default if it has sound, else the first that has; mono tracks together."""
    video_track: int | None = Field(None, ge=0)
    """Number of the stream whose pictures are used, among all streams of a file, from 0. Null takes the one flagged
    default, else the first; covers and thumbnails do not count."""
    max_duration_s: float = Field(14_400, gt=0)
    """Longer sources are rejected, seconds."""
    max_size_gb: float = Field(64, gt=0)
    """Larger sources are rejected, gigabytes. A worker fetches one remote file at a time to local disk."""
    max_pixels: int = Field(33_177_600, gt=0, le=33_177_600)
    """Sources with larger frames are rejected, width times height. The default is 8K, the max that is decoded."""
    max_streams: int = Field(32, ge=1)
    """Sources with more streams are rejected."""
    shard_sources: int = Field(256, ge=1)
    """Max sources of a shard of probes."""
    shard_gb: float = Field(4.0, gt=0)
    """Max gigabytes of sources of a shard of probes: all of them are read again if one changes. One large file may
    exceed it."""

    @model_validator(mode="before")
    @classmethod
    def _take_former_name(cls, fields: object) -> object:
        if not isinstance(fields, dict) or FORMER_NAME not in fields:
            return fields
        audio_only = fields[FORMER_NAME]
        if not isinstance(audio_only, bool):
            raise ValueError(
                f"ingest.audio_only is {audio_only!r}: set ingest.without_video to use or reject in its place"
            )
        others = {name: value for name, value in fields.items() if name != FORMER_NAME}
        return {**others, "without_video": "use" if audio_only else "reject"}

    @field_validator("audio_track", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and not re.fullmatch(r"\d+(\+\d+)*", value):
            raise ValueError(
                f"ingest.audio_track ({value!r}) is no index of a stream: set it to a form such as 1 or 1+2"
            )
        return value

    def identity(self) -> dict[str, Any]:
        """As in `Params`, with `without_video` as stored results have it: under its former name."""
        identity = super().identity()
        audio_only = identity.pop("without_video") == "use"
        return {**identity, FORMER_NAME: audio_only}


class ClipParams(TimeLimit):
    """`parameters/clip.yml`"""

    NOT_IN_IDENTITY: ClassVar[frozenset[str]] = frozenset({"shard_mb"})

    min_s: float = Field(3.0, gt=0)
    """Shortest clip, seconds."""
    target_s: float = Field(4.0, gt=0)
    """Preferred length of a clip, seconds. Clips differ from it where that saves decoding or covers more audio."""
    max_s: float = Field(5.0, gt=0)
    """Longest clip, seconds."""
    coverage: Literal["shots", "everything"] = "shots"
    """`shots` leaves out what only clips across a cut between shots would cover; `everything` crosses cuts there."""
    best_per_video: int | None = Field(None, ge=1)
    """Max clips of a video; the loudest are kept. Null keeps all."""
    silence_dbfs: float = Field(-60.0, le=0)
    """A span whose RMS level is below this is dropped, decibels relative to full scale."""
    frames_per_clip: int = Field(2, ge=1, le=4)
    """Max frames kept of a clip."""
    frame_short_side_px: int = Field(256, ge=32)
    """Frames are scaled down so that the short side has this many pixels. Smaller ones keep their size."""
    jpeg_quality: int = Field(90, ge=1, le=100)
    """JPEG quality of the stored frames."""
    shard_mb: float = Field(64.0, gt=0)
    """Max megabytes of a shard, estimated from the videos' durations. One long video may exceed it."""

    @model_validator(mode="after")
    def _lengths_in_order(self) -> ClipParams:
        if self.min_s > self.max_s:
            raise ValueError(
                f"clip.min_s ({self.min_s}) exceeds clip.max_s ({self.max_s}): "
                "set min_s <= max_s in parameters/clip.yml"
            )
        if not self.min_s <= self.target_s <= self.max_s:
            raise ValueError(
                f"clip.target_s ({self.target_s}) is not between clip.min_s ({self.min_s}) and clip.max_s "
                f"({self.max_s}): set min_s <= target_s <= max_s in parameters/clip.yml"
            )
        return self


class NearDuplicateParams(Params):
    """`parameters/near_duplicates.yml`: when two videos hold one recording, and the budget of the search."""

    NOT_IN_IDENTITY: ClassVar[frozenset[str]] = frozenset({"rounds", "memory_mb"})
    ADDED: ClassVar[dict[str, Any]] = {"rounds": 3}

    min_match_s: float = Field(2.0, ge=0.5)
    """Min duration over which the audio of two videos must match to hold one recording, seconds."""
    min_share: float = Field(0.1, ge=0, le=1)
    """Min fraction of the shorter video over which the audio must match too: a jingle in two long videos does not join
    them."""
    max_bit_errors: float = Field(0.35, gt=0, lt=0.5)
    """Audio matches if at most this fraction of its fingerprint's bits differs. Unrelated audio has 0.5."""
    max_bit_errors_if_seen_alike: float = Field(0.38, gt=0, lt=0.5)
    """The same limit if the frames match too."""
    max_picture_distance: float = Field(12.0, ge=0, le=64)
    """Frames match if their hashes differ by at most so many bits of 64, on average. Unrelated ones have 32."""
    keep_one_in: int = Field(3, ge=1, le=256)
    """One in so many fingerprint keys is indexed. A larger number misses more of the badly damaged copies of short
    recordings, and takes less time and temporary storage: at 3, and with three rounds, 2 to 3 kB a clip."""
    neighbours: int = Field(4, ge=1)
    """Max number of videos with one common key, and matching checks, that a video is compared with. More takes longer,
    and finds more where keys are frequent."""
    rounds: int = Field(3, ge=1, le=256)
    """The keys are indexed in so many rounds, each of which reads all signatures. Twice as many take half the temporary
    storage, and more time. The same copies are found."""
    memory_mb: int = Field(256, ge=64)
    """Memory for a part of the index that is sorted, megabytes. Videos that all have one key, such as a title card,
    take some 140 bytes each beyond that."""

    @model_validator(mode="after")
    def _pictures_help(self) -> NearDuplicateParams:
        if self.max_bit_errors_if_seen_alike < self.max_bit_errors:
            raise ValueError(
                f"near_duplicates.max_bit_errors_if_seen_alike ({self.max_bit_errors_if_seen_alike}) is less than "
                f"max_bit_errors ({self.max_bit_errors}): set at least that in parameters/near_duplicates.yml"
            )
        return self


class EmbedParams(TimeLimit):
    """`parameters/embed.yml`: how a trained network embeds and tags recordings."""

    window_s: float = Field(4.0, ge=0.975)
    """Length of a window, seconds. The best value is that of `train.clip_s`."""
    hop_s: float = Field(4.0, ge=0.001)
    """Hop from one window to the next, seconds. If windows do not fill the recording, one more ends at its end."""
    tags: int = Field(5, ge=0)
    """Max classes reported for a window, the most probable first."""
    min_score: float = Field(0.1, ge=0, le=1)
    """Min probability of a reported class."""
    sure: bool = False
    """Whether only classes at or above their own thresholds are reported, which keep a precision: the card of a
    classifier of your own has them."""
    batch_size: int = Field(32, ge=1)
    """Windows embedded together."""
    shard_files: int = Field(256, ge=1)
    """Max recordings of a shard. A killed run repeats its unfinished shards."""
    shard_mb: float = Field(256.0, gt=0)
    """Max megabytes of the recordings of a shard. One large recording may exceed it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` uses CUDA if it is available."""

    @model_validator(mode="after")
    def _nothing_is_left_out(self) -> EmbedParams:
        if self.hop_s > self.window_s:
            raise ValueError(
                f"embed.hop_s ({self.hop_s}) exceeds embed.window_s ({self.window_s}), which would skip audio: "
                "set hop_s <= window_s in parameters/embed.yml"
            )
        return self
