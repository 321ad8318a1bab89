"""Tables of teachers: labels, embeddings and classes."""

from __future__ import annotations

import pandera.pandas as pa_checks
import pyarrow as pa
from pandera.typing.pandas import Series

from .base import Table, column


class TeacherLabels(Table):
    """The score of one of a teacher's classes for one clip."""

    clip_id: Series[str]
    label: Series[str]
    score: Series[pa_checks.Float32] = pa_checks.Field(ge=0, le=1)


TEACHER_LABELS_ARROW = TeacherLabels.arrow_schema()


class TeacherEmbeddings(Table):
    """A teacher's own embedding of a clip: the mean over its frames, or mean, then maximum, over its windows of sound.

    A clip without frames has none of a visual teacher."""

    clip_id: Series[str] = pa_checks.Field(unique=True)
    embedding: Series[object] = column(pa.binary())
    """float16, little-endian."""


TEACHER_EMBEDDINGS_ARROW = TeacherEmbeddings.arrow_schema()
EMBEDDING_SIZE_KEY = "embedding_size"
"""Metadata key of a shard of `TeacherEmbeddings`: the size of an embedding; 0 in a shard without clips."""


class TeacherViews(Table):
    """What the audio teacher says of one view of a clip; the views of a clip follow each other, in order."""

    clip_id: Series[str]
    view: Series[int] = pa_checks.Field(ge=0)
    classes: Series[object] = column(pa.list_(pa.int32()))
    """Positions of the teacher's classes with the highest scores, best first."""
    scores: Series[object] = column(pa.list_(pa.float32()))
    """Their scores."""
    embedding: Series[object] = column(pa.binary())
    """float16, little-endian: mean, then maximum, over its windows; empty if it is not kept."""


TEACHER_VIEWS_ARROW = TeacherViews.arrow_schema()
VIEWS_KEY = "views"
"""Metadata key of a shard of `TeacherViews`: how views were made, as JSON with the fields of `data.ViewPlan`."""


class ClipEmbeddings(Table):
    """A contrastive teacher's embeddings of a clip: one for each frame, or one of its audio, of unit length."""

    clip_id: Series[str] = pa_checks.Field(unique=True)
    embedding: Series[object] = column(pa.binary())
    """float16, little-endian [rows, size]. The size is in the shard's metadata, as for `TeacherEmbeddings`."""


CLIP_EMBEDDINGS_ARROW = ClipEmbeddings.arrow_schema()


class ClassPrompts(Table):
    """An embedded class of a contrastive teacher, or one of its background prompts, which have no label."""

    label: Series[str] = pa_checks.Field(nullable=True)
    embedding: Series[object] = column(pa.list_(pa.float32()))
    """Of unit length; of a class, the mean of its prompts'."""
    scale: Series[float] = pa_checks.Field(gt=0)
    """What the model multiplies cosine similarities by."""
    center: Series[float] = pa_checks.Field(nullable=True)
    """Median of the class's log odds against the background over the clips of the corpus."""
    std: Series[float] = pa_checks.Field(nullable=True, gt=0)
    """Standard deviation of these log odds, estimated from those below the median."""


CLASS_PROMPTS_ARROW = ClassPrompts.arrow_schema()
UNLABELLED_REASONS = ("no_picture", "below_min_score")
"""Reasons for a clip without labels of a teacher: it has no frames, or all scores are below the minimum."""


class TeacherClasses(Table):
    """A class of a teacher, and a sound that it stands for: one row for each sound, or one row without a sound."""

    label: Series[str]
    """Name of the class in the teacher's labels."""
    sound: Series[str]
    """Name of the sound; empty if there is none or it is unknown. A class of an audio teacher is its own sound."""
    audioset_id: Series[str]
    """Id of the sound in the AudioSet ontology; empty if unknown."""
    silent: Series[bool]
    """Whether it is known to make no sound."""


class SoundOntology(Table):
    """A class of the AudioSet ontology."""

    audioset_id: Series[str] = pa_checks.Field(unique=True)
    name: Series[str]
    parents: Series[str]
    """`audioset_id` of its parents, joined by commas."""
    abstract: Series[bool]
    """Whether it only groups other classes and never labels a sound."""
