"""Tables of training, embeddings and tags."""

from __future__ import annotations

import pandera.pandas as pa_checks
import pyarrow as pa
from pandera.typing.pandas import Series

from xmodal_kedro.reasons import REASONS

from .base import Table, column


class TrainingHistory(Table):
    """One epoch of training."""

    epoch: Series[int] = pa_checks.Field(ge=0, unique=True)
    train_loss: Series[float]
    validation_loss: Series[float]
    validation_map: Series[float] = pa_checks.Field(ge=0, le=1)
    learning_rate: Series[float] = pa_checks.Field(ge=0)


class BenchmarkSounds(Table):
    """Decoded audio of one file of a benchmark."""

    file: Series[str] = pa_checks.Field(unique=True)
    audio: Series[bytes] = column(pa.binary())
    """int16 PCM, 16 kHz mono."""
    rms_dbfs: Series[float] = pa_checks.Field(le=0.1)


BENCHMARK_SOUNDS_ARROW = BenchmarkSounds.arrow_schema()


class BenchmarkEmbeddings(Table):
    """Embedding of one file of a benchmark by one representation, as a list of float32."""

    file: Series[str] = pa_checks.Field(unique=True)
    embedding: Series[object] = column(pa.list_(pa.float32()))
    scores: Series[object] = column(pa.list_(pa.float32()))
    """Scores of the classes of the network or teacher; empty if the representation has no classes."""


BENCHMARK_EMBEDDINGS_ARROW = BenchmarkEmbeddings.arrow_schema()


class RecordingEmbeddings(Table):
    """Embedding and tags of a window of a recording by a trained network."""

    uri: Series[str]
    """Name of the recording among the sources."""
    start_s: Series[float] = pa_checks.Field(ge=0)
    end_s: Series[float] = pa_checks.Field(gt=0)
    embedding: Series[object] = column(pa.list_(pa.float32()))
    tags: Series[object] = column(pa.list_(pa.struct([("name", pa.string()), ("score", pa.float32())])))
    """Classes with their probabilities, the most probable first."""


RECORDING_EMBEDDINGS_ARROW = RecordingEmbeddings.arrow_schema()


FILE_ARROW = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""A sound or an image in a table, as `datasets` and Embedding Atlas have them."""


class MapWindows(Table):
    """An embedded window to look at and to listen to."""

    uri: Series[str]
    start_s: Series[float] = pa_checks.Field(ge=0)
    end_s: Series[float] = pa_checks.Field(gt=0)
    label: Series[str]
    """Its most probable tag; `untagged` without tags."""
    score: Series[float] = pa_checks.Field(ge=0, le=1)
    """Probability of that tag; 0 without."""
    tags: Series[str]
    """All its tags with their probabilities."""
    embedding: Series[object] = column(pa.list_(pa.float32()))
    audio: Series[object] = column(FILE_ARROW, nullable=True)
    """Its sound as FLAC; null if it is not asked for or the recording cannot be read any more."""
    image: Series[object] = column(FILE_ARROW, nullable=True)
    """A frame of the recording as JPEG, or the spectrogram as PNG."""


MAP_WINDOWS_ARROW = MapWindows.arrow_schema()


EMBEDDED_IN_PART, NOT_EMBEDDED, NO_RECORDING = OUTCOMES = ("embedded_in_part", "not_embedded", "no_recording")
"""What became of a source that is not embedded to its end. A text or an image is no recording."""


class UnheardRecordings(Table):
    """A source that is not embedded to its end, and why."""

    uri: Series[str] = pa_checks.Field(unique=True)
    outcome: Series[str] = pa_checks.Field(isin=list(OUTCOMES))
    reason: Series[str] = pa_checks.Field(isin=list(REASONS))
    detail: Series[str]
