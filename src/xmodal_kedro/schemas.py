"""The tables of the project: Arrow types for what is stored, Pandera checks for what must hold.

Every table has a Pandera model, named in the catalog under `validator:`. A sharded table has an Arrow schema too, the
one that is stored; its model is named through `EachShard`, which checks every shard in the worker that makes it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandera.pandas as pa_checks
import pyarrow as pa
from pandera.typing.pandas import Series

CLIP_SAMPLE_RATE_HZ = 16_000
"""Every clip is stored at this rate: the AudioSet reference front end's, and the teachers'."""

INT16_FULL_SCALE = 32_768
"""Sound is stored as 16-bit PCM: samples divided by this lie in [-1, 1)."""

REJECTION_REASONS: dict[str, str] = {
    "unreadable": "the file could not be opened or read from storage",
    "not_media": "no demuxer recognises the content as audio or video",
    "forbidden_format": "the container is not on the safe list: some make their reader open other files or the network",
    "no_audio": "there is no audio stream",
    "no_picture": "there is no video stream",
    "unknown_codec": "a needed stream has a codec that this FFmpeg cannot decode",
    "corrupt": "nothing could be decoded before the data broke off or turned invalid",
    "silent": "all of its sound is under clip.silence_dbfs",
    "too_short": "it is shorter than clip.min_s",
    "too_long": "it is longer than ingest.max_duration_s",
    "duplicate": "another source has the same content",
    "timed_out": "it took longer than clip.timeout_s to decode",
}
"""Why a source is not used: the closed set of `reason` codes, with their meaning."""


class Table(pa_checks.DataFrameModel):
    """Base of the checks: exactly the named columns, in any order."""

    class Config:
        strict = True


class Videos(Table):
    """A source that can be used."""

    video_id: Series[str] = pa_checks.Field(unique=True, str_matches=r"^[0-9a-f]{32}$")
    uri: Series[str] = pa_checks.Field(unique=True)
    size_bytes: Series[int] = pa_checks.Field(gt=0)
    duration_s: Series[float] = pa_checks.Field(gt=0)
    fps: Series[float] = pa_checks.Field(ge=0)
    width: Series[int] = pa_checks.Field(gt=0)
    height: Series[int] = pa_checks.Field(gt=0)
    rotation_deg: Series[int] = pa_checks.Field(isin=[0, 90, 180, 270])
    video_codec: Series[str]
    audio_codec: Series[str]
    sample_rate_hz: Series[int] = pa_checks.Field(gt=0)
    channels: Series[int] = pa_checks.Field(gt=0)


class RejectedVideos(Table):
    """A source that `ingest` cannot use, and why."""

    uri: Series[str] = pa_checks.Field(unique=True)
    reason: Series[str] = pa_checks.Field(isin=list(REJECTION_REASONS))
    detail: Series[str]


class UnclippedVideos(Table):
    """A usable source of which `clip` could use nothing, and why."""

    video_id: Series[str] = pa_checks.Field(unique=True)
    uri: Series[str]
    reason: Series[str] = pa_checks.Field(isin=list(REJECTION_REASONS))
    detail: Series[str]


class Probes(Table):
    """What probing one source found: a usable video (`reason` empty) or why not."""

    uri: Series[str]
    reason: Series[str] = pa_checks.Field(isin=["", *REJECTION_REASONS])
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


PROBES_ARROW = pa.schema(
    [
        ("uri", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("video_id", pa.string()),
        ("size_bytes", pa.int64()),
        ("duration_s", pa.float64()),
        ("fps", pa.float64()),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("rotation_deg", pa.int64()),
        ("video_codec", pa.string()),
        ("audio_codec", pa.string()),
        ("sample_rate_hz", pa.int64()),
        ("channels", pa.int64()),
    ]
)


class Clips(Table):
    """3-5 s of one video: 16 kHz mono sound and a few frames."""

    clip_id: Series[str] = pa_checks.Field(unique=True)
    video_id: Series[str]
    start_s: Series[float] = pa_checks.Field(ge=0)
    end_s: Series[float] = pa_checks.Field(gt=0)
    audio: Series[object]
    audio_rms_dbfs: Series[float] = pa_checks.Field(le=0.1)
    frames: Series[object]
    frame_times_s: Series[object]

    @pa_checks.dataframe_check(error="end_s must be after start_s")
    def spans_are_positive(cls, clips: Any) -> Any:
        return clips["end_s"] > clips["start_s"]

    @pa_checks.dataframe_check(error="audio must be 16 kHz 16-bit PCM as long as its span")
    def audio_fits_its_span(cls, clips: Any) -> Any:
        seconds = clips["audio"].map(len) / (2 * CLIP_SAMPLE_RATE_HZ)
        return (seconds - (clips["end_s"] - clips["start_s"])).abs() < 1e-3

    @pa_checks.dataframe_check(error="every frame must have its time")
    def frames_have_times(cls, clips: Any) -> Any:
        return clips["frames"].map(len) == clips["frame_times_s"].map(len)


CLIPS_ARROW = pa.schema(
    [
        ("clip_id", pa.string()),
        ("video_id", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("audio", pa.binary()),
        ("audio_rms_dbfs", pa.float64()),
        ("frames", pa.list_(pa.binary())),
        ("frame_times_s", pa.list_(pa.float64())),
    ]
)


class TeacherLabels(Table):
    """One teacher's opinion of one clip about one of its classes."""

    clip_id: Series[str]
    label: Series[str]
    score: Series[float] = pa_checks.Field(ge=0, le=1)


TEACHER_LABELS_ARROW = pa.schema([("clip_id", pa.string()), ("label", pa.string()), ("score", pa.float64())])


class Labels(Table):
    """The training target of one clip."""

    clip_id: Series[str] = pa_checks.Field(unique=True)
    video_id: Series[str]
    split: Series[str] = pa_checks.Field(isin=["train", "validation"])
    targets: Series[object]
    weights: Series[object]

    @pa_checks.dataframe_check(error="every target must have its weight")
    def targets_have_weights(cls, labels: Any) -> Any:
        return labels["targets"].map(len) == labels["weights"].map(len)


LABELS_ARROW = pa.schema(
    [
        ("clip_id", pa.string()),
        ("video_id", pa.string()),
        ("split", pa.string()),
        ("targets", pa.list_(pa.int32())),
        ("weights", pa.list_(pa.float32())),
    ]
)


class LabelVocabulary(Table):
    """One class of the training target."""

    index: Series[int] = pa_checks.Field(ge=0, unique=True)
    name: Series[str] = pa_checks.Field(unique=True)
    modality: Series[str] = pa_checks.Field(isin=["visual", "audio", "both"])
    clip_count: Series[int] = pa_checks.Field(gt=0)


class TrainingHistory(Table):
    """One epoch of training."""

    epoch: Series[int] = pa_checks.Field(ge=0, unique=True)
    train_loss: Series[float]
    validation_loss: Series[float]
    validation_map: Series[float] = pa_checks.Field(ge=0, le=1)
    learning_rate: Series[float] = pa_checks.Field(ge=0)


class BenchmarkEmbeddings(Table):
    """What the trained network and its random twin make of one benchmark clip: lists of float32."""

    file: Series[str] = pa_checks.Field(unique=True)
    fold: Series[int] = pa_checks.Field(ge=1)
    category: Series[str]
    pretrained: Series[object]
    random: Series[object]

    @pa_checks.dataframe_check(error="both networks must give embeddings of one size")
    def sizes_agree(cls, embeddings: Any) -> Any:
        return embeddings["pretrained"].map(len) == embeddings["random"].map(len)


class TransferResults(Table):
    """One fold of one benchmark."""

    benchmark: Series[str]
    model: Series[str]
    initialisation: Series[str] = pa_checks.Field(isin=["pretrained", "random"])
    protocol: Series[str] = pa_checks.Field(isin=["linear_probe"])
    fold: Series[int] = pa_checks.Field(ge=1)
    metric: Series[str]
    value: Series[float] = pa_checks.Field(ge=0, le=1)


class TransferPredictions(Table):
    """What one linear probe said of one test clip of a benchmark."""

    benchmark: Series[str]
    initialisation: Series[str] = pa_checks.Field(isin=["pretrained", "random"])
    fold: Series[int] = pa_checks.Field(ge=1)
    file: Series[str]
    truth: Series[str]
    predicted: Series[str]


class SampleTruth(Table):
    """What really happens in one scene of the sample world; never shown to training."""

    uri: Series[str]
    start_s: Series[float] = pa_checks.Field(ge=0)
    end_s: Series[float] = pa_checks.Field(gt=0)
    heard: Series[str]
    seen: Series[str]


@dataclass(frozen=True)
class CheckedShardJob:
    """A shard's job followed by the check of its table, run in the same worker."""

    job: Callable[[], pa.Table]
    schema: str

    def __call__(self) -> pa.Table:
        table = self.job()
        _model(self.schema).validate(table.to_pandas(), lazy=True)
        return table


class EachShard:
    """Validator for a sharded dataset's jobs: each shard is checked against a Pandera model when it is made.

    Args:
        schema: name of a `Table` in this module.
    """

    def __init__(self, schema: str) -> None:
        self.schema = schema
        _model(schema)

    def validate(self, jobs: Mapping[str, Callable[[], pa.Table]]) -> dict[str, CheckedShardJob]:
        """Wrap each job with its check."""
        return {key: CheckedShardJob(job, self.schema) for key, job in jobs.items()}


def _model(name: str) -> type[Table]:
    model: type[Table] = getattr(importlib.import_module(__name__), name)
    return model
