"""Tables of what teachers say, and of what their classes mean."""

from __future__ import annotations

import pandera.pandas as pa_checks
import pyarrow as pa
from pandera.typing.pandas import Series

from .base import Table, column


class TeacherLabels(Table):
    """One teacher's opinion of one clip about one of its classes."""

    clip_id: Series[str]
    label: Series[str]
    score: Series[pa_checks.Float32] = pa_checks.Field(ge=0, le=1)


TEACHER_LABELS_ARROW = TeacherLabels.arrow_schema()


class TeacherEmbeddings(Table):
    """A teacher's own embedding of a clip: mean, then maximum, over its windows."""

    clip_id: Series[str] = pa_checks.Field(unique=True)
    embedding: Series[object] = column(pa.binary())
    """float16, little-endian."""


TEACHER_EMBEDDINGS_ARROW = TeacherEmbeddings.arrow_schema()
EMBEDDING_SIZE_KEY = "embedding_size"
"""Metadata of a shard of `TeacherEmbeddings`: numbers of an embedding; 0 of a shard without clips."""
UNLABELLED_REASONS = ("no_picture", "below_min_score")
"""Why a clip has no label of a teacher: nothing to look at, or no score worth storing."""


class TeacherClasses(Table):
    """A class of a teacher, and a sound that it stands for; one row for each of its sounds, one where it has none."""

    label: Series[str]
    """As the teacher's labels have it."""
    sound: Series[str]
    """Name of the sound; empty where it makes none or that is not known. A class of an audio teacher is its own."""
    audioset_id: Series[str]
    """Of the sound in the AudioSet ontology; empty where not known."""
    silent: Series[bool]
    """Whether it is known to make no sound."""


class SoundOntology(Table):
    """A class of the AudioSet ontology."""

    audioset_id: Series[str] = pa_checks.Field(unique=True)
    name: Series[str]
    parents: Series[str]
    """`audioset_id` of its parents, joined by commas."""
    abstract: Series[bool]
    """Whether it only groups others and is no label of any sound."""
