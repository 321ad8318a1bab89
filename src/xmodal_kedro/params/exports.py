"""Parameters of the pipelines that write results for other tools."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from .base import Params, TimeLimit


def _names(value: object) -> object:
    """`raven+audacity`, as a command line can say it, is a list too."""
    return value.split("+") if isinstance(value, str) else value


AnnotationFormats = Annotated[
    tuple[Literal["events", "audacity", "raven", "birdnet"], ...], Field(min_length=1), BeforeValidator(_names)
]


class ExportEventsParams(Params):
    """`parameters/export_events.yml`: events of embedded recordings."""

    formats: AnnotationFormats = ("events", "audacity", "raven", "birdnet")
    """Files that are written; those of other formats are removed. On a command line `raven+events`."""
    threshold: float = Field(0.3, gt=0, le=1)
    """An event has a window whose tag has at least this score."""
    low_threshold: float = Field(0.2, gt=0, le=1)
    """An event goes on as long as its tag's score is at least this. Windows have no tags below `embed.min_score`."""
    max_gap_s: float = Field(0.0, ge=0)
    """Windows of one tag with at most so many seconds between them are one event."""

    @model_validator(mode="after")
    def _in_order(self) -> ExportEventsParams:
        if self.low_threshold > self.threshold:
            raise ValueError(
                f"export_events.low_threshold ({self.low_threshold}) exceeds export_events.threshold "
                f"({self.threshold}): set low_threshold <= threshold in parameters/export_events.yml"
            )
        return self


class ExportLabelsParams(Params):
    """`parameters/export_labels.yml`: events of the labels that a network learns from."""

    formats: AnnotationFormats = ("events", "audacity", "raven", "birdnet")
    """Files that are written; those of other formats are removed. On a command line `raven+events`."""
    max_gap_s: float = Field(0.0, ge=0)
    """Clips of one label with at most so many seconds between them are one event."""


class ExportDatasetParams(Params):
    """`parameters/export_dataset.yml`: the labelled clips as data sets of other libraries."""

    formats: Annotated[
        tuple[Literal["huggingface", "webdataset"], ...], Field(min_length=1), BeforeValidator(_names)
    ] = ("huggingface", "webdataset")
    """Data sets that are written. On a command line `huggingface+webdataset`."""
    clips: Literal["labelled", "all"] = "labelled"
    """Whether clips without a label are left out."""
    frame: bool = False
    """Whether each clip has the middle one of its frames beside the sound."""
    audio: Literal["flac", "wav"] = "flac"
    """Both hold the same samples. FLAC takes half to two thirds of the room, and some 4 ms a clip."""


class ExportMapParams(TimeLimit):
    """`parameters/export_map.yml`: embedded windows to look at and listen to, in Embedding Atlas."""

    max_rows: int = Field(10_000, ge=1)
    """Max windows, drawn evenly from all. Each takes up to 100 kB with 4 s of sound and a picture."""
    sound: bool = True
    """Whether the windows' sound is included."""
    thumbnails: bool = True
    """Whether a picture is included: a frame near the window, or else its spectrogram."""
    thumbnail_px: int = Field(160, ge=16, le=512)
    """Longer side of a picture, pixels."""
    seed: int = 0
    """Of the draw."""
