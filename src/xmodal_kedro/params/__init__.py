"""Typed parameters: what a user may set, checked before anything runs.

Each class is one `params:` input of a pipeline. The text under a field is the reference a user reads.
"""

from .adapting import AdaptParams
from .base import Params, TimeLimit
from .exports import ExportDatasetParams, ExportEventsParams, ExportLabelsParams, ExportMapParams
from .judging import BenchmarkName, CompareParams, FineTuneParams, Protocol, TransferParams
from .labelling import AudioLabelParams, LabelParams, ViewParams
from .merging import AgreementParams, MergeParams, ModalityParams
from .recordings import ClipParams, EmbedParams, IngestParams, NearDuplicateParams
from .reviewing import ReviewParams
from .sample import SampleParams
from .teachers import (
    AudioInput,
    AudioTeacherCard,
    ImageInput,
    LargerModel,
    LogMelInput,
    ScoresOutput,
    TeacherCard,
    TeacherInput,
    VisualTeacherCard,
    WaveformInput,
)
from .training import LiveTeacherParams, SpecAugmentParams, TrainParams, VGGishPlusParams

__all__ = [
    "AdaptParams",
    "AgreementParams",
    "AudioInput",
    "AudioLabelParams",
    "AudioTeacherCard",
    "BenchmarkName",
    "ClipParams",
    "CompareParams",
    "EmbedParams",
    "ExportDatasetParams",
    "ExportEventsParams",
    "ExportLabelsParams",
    "ExportMapParams",
    "FineTuneParams",
    "ImageInput",
    "IngestParams",
    "LabelParams",
    "LargerModel",
    "LiveTeacherParams",
    "LogMelInput",
    "MergeParams",
    "ModalityParams",
    "NearDuplicateParams",
    "Params",
    "Protocol",
    "ReviewParams",
    "SampleParams",
    "ScoresOutput",
    "SpecAugmentParams",
    "TeacherCard",
    "TeacherInput",
    "TimeLimit",
    "TrainParams",
    "TransferParams",
    "VGGishPlusParams",
    "ViewParams",
    "VisualTeacherCard",
    "WaveformInput",
]
