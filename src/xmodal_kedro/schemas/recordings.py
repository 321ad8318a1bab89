"""Tables of `ingest` and `clip`: sources and clips."""

from __future__ import annotations

from typing import Any

import pandera.pandas as pa_checks
import pyarrow as pa
from pandera.typing.pandas import Series

from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.reasons import REASONS

from .base import Table, column, lengths


class Videos(Table):
    """A usable source. An audio-only one has an empty `video_codec`, and its `width` and `height` are 0."""

    video_id: Series[str] = pa_checks.Field(unique=True, str_matches=r"^[0-9a-f]{32}$")
    uri: Series[str] = pa_checks.Field(unique=True)
    size_bytes: Series[int] = pa_checks.Field(gt=0)
    duration_s: Series[float] = pa_checks.Field(gt=0)
    fps: Series[float] = pa_checks.Field(ge=0)
    width: Series[int] = pa_checks.Field(ge=0)
    height: Series[int] = pa_checks.Field(ge=0)
    rotation_deg: Series[int] = pa_checks.Field(isin=[0, 90, 180, 270])
    video_codec: Series[str]
    audio_codec: Series[str]
    sample_rate_hz: Series[int] = pa_checks.Field(gt=0)
    channels: Series[int] = pa_checks.Field(gt=0)
    video_track: Series[int] = pa_checks.Field(ge=-1)
    """Index of the video stream; -1 for none."""
    audio_track: Series[str]
    """Indices of the audio streams, such as `1`, or `1+2` for mono tracks of one recording."""
    channel_use: Series[str]
    """How the channels become one, such as `0.5*c0 + 0.5*c1`, and in brackets what is not obvious."""
    level_change_db: Series[float]
    """Level of the mono mix minus that of the loudest channel, decibels."""
    bad_samples: Series[int] = pa_checks.Field(ge=0)
    """Samples that are no numbers or absurdly large. They are interpolated."""
    clock_jumps: Series[int] = pa_checks.Field(ge=0)
    """Points where the file's clock was set, and audio and frames go on together."""


class RejectedVideos(Table):
    """A source that `ingest` cannot use, and why."""

    uri: Series[str] = pa_checks.Field(unique=True)
    reason: Series[str] = pa_checks.Field(isin=list(REASONS))
    detail: Series[str]


class UnclippedVideos(Table):
    """A usable source without clips, and why."""

    video_id: Series[str] = pa_checks.Field(unique=True)
    uri: Series[str]
    reason: Series[str] = pa_checks.Field(isin=list(REASONS))
    detail: Series[str]


class CutShortVideos(Table):
    """A video with clips that was not decoded to its end, and why."""

    video_id: Series[str] = pa_checks.Field(unique=True)
    uri: Series[str]
    reason: Series[str] = pa_checks.Field(isin=list(REASONS))
    detail: Series[str]


class Probes(Table):
    """The result of probing one source: a usable video (`reason` is empty), or why it is rejected."""

    uri: Series[str]
    reason: Series[str] = pa_checks.Field(isin=["", *REASONS])
    detail: Series[str]
    video_id: Series[str]
    size_bytes: Series[int]
    duration_s: Series[float]
    fps: Series[float]
    width: Series[int]
    height: Series[int]
    rotation_deg: Series[int]
    video_codec: Series[str]
    audio_codec: Series[str]
    sample_rate_hz: Series[int]
    channels: Series[int]
    video_track: Series[int]
    audio_track: Series[str]
    channel_use: Series[str]
    level_change_db: Series[float]
    bad_samples: Series[int]
    clock_jumps: Series[int]


PROBES_ARROW = Probes.arrow_schema()


class Clips(Table):
    """3-5 s of one video: 16 kHz mono audio and a few frames."""

    clip_id: Series[str] = pa_checks.Field(unique=True)
    video_id: Series[str]
    start_s: Series[float] = pa_checks.Field(ge=0)
    end_s: Series[float] = pa_checks.Field(gt=0)
    audio: Series[object] = column(pa.binary())
    audio_rms_dbfs: Series[float] = pa_checks.Field(le=0.1)
    frames: Series[object] = column(pa.list_(pa.binary()))
    frame_times_s: Series[object] = column(pa.list_(pa.float64()))
    still_picture: Series[bool]
    """Whether one image is on screen for long before and after: what is seen says nothing of the sound."""

    @pa_checks.dataframe_check(error="end_s must be after start_s")
    def spans_are_positive(cls, clips: Any) -> Any:
        return clips["end_s"] > clips["start_s"]

    @pa_checks.dataframe_check(error="audio must be 16 kHz 16-bit PCM as long as its span")
    def audio_fits_its_span(cls, clips: Any) -> Any:
        seconds = lengths(clips["audio"]) / (2 * CLIP_SAMPLE_RATE_HZ)
        return (seconds - (clips["end_s"] - clips["start_s"])).abs() < 1e-3

    @pa_checks.dataframe_check(error="every frame must have its time")
    def frames_have_times(cls, clips: Any) -> Any:
        return lengths(clips["frames"]) == lengths(clips["frame_times_s"])


CLIPS_ARROW = Clips.arrow_schema()


class Signatures(Table):
    """Fingerprint of a clip's audio and hashes of its frames, robust to re-encoding; see `dedup.audio_fingerprint`."""

    clip_id: Series[str] = pa_checks.Field(unique=True)
    video_id: Series[str]
    first_word: Series[int] = pa_checks.Field(ge=0)
    words: Series[object] = column(pa.list_(pa.uint32()))
    weak_bits: Series[object] = column(pa.list_(pa.uint16()))
    picture_times_s: Series[object] = column(pa.list_(pa.float64()))
    picture_hashes: Series[object] = column(pa.list_(pa.uint64()))

    @pa_checks.dataframe_check(error="every word must have its weak bits")
    def words_have_weak_bits(cls, signatures: Any) -> Any:
        return lengths(signatures["words"]) == lengths(signatures["weak_bits"])

    @pa_checks.dataframe_check(error="every picture must have its time")
    def pictures_have_times(cls, signatures: Any) -> Any:
        return lengths(signatures["picture_hashes"]) == lengths(signatures["picture_times_s"])


SIGNATURES_ARROW = Signatures.arrow_schema()


class NearDuplicates(Table):
    """A video with the same content as another, such as a re-encoding of it."""

    video_id: Series[str] = pa_checks.Field(unique=True)
    group_id: Series[str]
    """The smallest `video_id` of its group."""
    uri: Series[str]
    matched_s: Series[float] = pa_checks.Field(gt=0)
    """Seconds of audio that match the best matching video of the group."""
    picture_distance: Series[float] = pa_checks.Field(ge=0, le=64, nullable=True)
    """Mean Hamming distance of its frame hashes (64 bits) from that video's; null without frames to compare."""

    @pa_checks.dataframe_check(error="every group must have two members, and be named after the smallest")
    def groups_have_their_name(cls, rows: Any) -> Any:
        groups = rows.groupby("group_id")["video_id"]
        return (groups.transform("size") > 1) & (groups.transform("min") == rows["group_id"])
