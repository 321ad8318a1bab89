"""Parameters of `ingest`, `clip` and `embed`: what is done with recordings."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from .base import Params, TimeLimit


class IngestParams(TimeLimit):
    """`parameters/ingest.yml`"""

    NOT_IN_IDENTITY: ClassVar[frozenset[str]] = frozenset({"shard_sources", "shard_gb"})

    audio_only: bool = False
    """Whether recordings without pictures are used too. They are labelled by ear alone."""
    max_duration_s: float = Field(14_400, gt=0)
    """Longer sources are rejected, seconds."""
    max_size_gb: float = Field(64, gt=0)
    """Larger sources are rejected, gigabytes. A worker fetches one remote file at a time to local disk."""
    max_pixels: int = Field(33_177_600, gt=0, le=33_177_600)
    """Sources with larger pictures are rejected, width times height; the default is 8K, the most that is decoded."""
    max_streams: int = Field(32, ge=1)
    """Sources with more streams are rejected."""
    shard_sources: int = Field(256, ge=1)
    """Most sources of a shard of probes..."""
    shard_gb: float = Field(4.0, gt=0)
    """...and most gigabytes of them: what is read again where one of them changed. One large file may exceed it."""


class ClipParams(TimeLimit):
    """`parameters/clip.yml`"""

    NOT_IN_IDENTITY: ClassVar[frozenset[str]] = frozenset({"shard_mb"})

    min_s: float = Field(3.0, gt=0)
    """Shortest clip, seconds."""
    target_s: float = Field(4.0, gt=0)
    """Preferred length of a clip, seconds. It differs where that saves decoding or covers more sound."""
    max_s: float = Field(5.0, gt=0)
    """Longest clip, seconds."""
    coverage: Literal["shots", "everything"] = "shots"
    """`shots` leaves out what is not covered without crossing a cut between shots; `everything` crosses cuts there."""
    best_per_video: int | None = Field(None, ge=1)
    """Keep at most this many clips of a video, those with most sound; null keeps all."""
    silence_dbfs: float = Field(-60.0, le=0)
    """A span whose RMS level is below this is dropped, decibels relative to full scale."""
    frames_per_clip: int = Field(2, ge=1, le=4)
    """Most pictures kept of a clip."""
    frame_short_side_px: int = Field(256, ge=32)
    """Pictures are scaled down so that the short side has this many pixels; smaller ones are kept as they are."""
    jpeg_quality: int = Field(90, ge=1, le=100)
    """Quality of the stored pictures."""
    shard_mb: float = Field(64.0, gt=0)
    """Most megabytes of a shard, estimated from the videos' durations. One long video may exceed it."""

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
    """`parameters/near_duplicates.yml`: when two videos hold one recording, and what may be spent to find out."""

    min_match_s: float = Field(2.0, ge=0.5)
    """Two videos hold one recording where sound agrees for at least so long, seconds..."""
    min_share: float = Field(0.1, ge=0, le=1)
    """...and over at least this share of the shorter one: a jingle in two long videos does not join them."""
    max_bit_errors: float = Field(0.35, gt=0, lt=0.5)
    """Sound agrees where at most this share of its fingerprint's bits differs. Unrelated sound has 0.5."""
    max_bit_errors_if_seen_alike: float = Field(0.38, gt=0, lt=0.5)
    """The same where pictures agree too."""
    max_picture_distance: float = Field(12.0, ge=0, le=64)
    """Pictures agree where their hashes differ by at most so many bits of 64, on average. Unrelated ones have 32."""
    keep_one_in: int = Field(4, ge=1)
    """Videos are looked up by one in so many keys. More finds fewer badly damaged copies of short recordings, with less
    temporary storage: at 4, some 30 kB a minute of sound, and 15 times that from ten million clips on."""
    neighbours: int = Field(4, ge=1)
    """A video is compared with at most so many of the others that have one key in common with it. More takes longer,
    and finds more where keys are common."""
    memory_mb: int = Field(1024, ge=64)
    """Memory for the search, megabytes; the rest goes to temporary files."""

    @model_validator(mode="after")
    def _pictures_help(self) -> NearDuplicateParams:
        if self.max_bit_errors_if_seen_alike < self.max_bit_errors:
            raise ValueError(
                f"near_duplicates.max_bit_errors_if_seen_alike ({self.max_bit_errors_if_seen_alike}) is less than "
                f"max_bit_errors ({self.max_bit_errors}): set at least that in parameters/near_duplicates.yml"
            )
        return self


class EmbedParams(TimeLimit):
    """`parameters/embed.yml`: how a trained network listens to recordings."""

    window_s: float = Field(4.0, ge=0.975)
    """Length of sound that is embedded at a time, seconds. Best what `train.clip_s` was."""
    hop_s: float = Field(4.0, gt=0)
    """From one window to the next, seconds. One more window ends with the recording where they do not come out even."""
    tags: int = Field(5, ge=0)
    """Most classes told of a window, the most probable first..."""
    min_score: float = Field(0.1, ge=0, le=1)
    """...of those with at least this probability."""
    batch_size: int = Field(32, ge=1)
    """Windows embedded together."""
    shard_files: int = Field(256, ge=1)
    """Most recordings of a shard, which is what is made again after a kill..."""
    shard_mb: float = Field(256.0, gt=0)
    """...and most megabytes of them. One large recording may exceed it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` takes CUDA where there is one."""

    @model_validator(mode="after")
    def _nothing_is_left_out(self) -> EmbedParams:
        if self.hop_s > self.window_s:
            raise ValueError(
                f"embed.hop_s ({self.hop_s}) exceeds embed.window_s ({self.window_s}), so that some sound would not be "
                "heard: set hop_s <= window_s in parameters/embed.yml"
            )
        return self
