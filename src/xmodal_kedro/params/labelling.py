"""Parameters of `visual_label` and `audio_label`: how teachers are run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import Params


class LabelParams(Params):
    """`parameters/visual_label.yml`, `parameters/audio_label.yml`: how a teacher is run."""

    batch_size: int = Field(32, ge=1)
    """Frames or patches per inference. A model of fixed batch size overrides it."""
    prepare_threads: int | None = Field(None, ge=0)
    """Threads of a worker that decode and preprocess ahead of the teacher. With 0, preprocessing and inference
    alternate, which is best if workers keep all cores busy. Null is 0 on a CPU and 4 on CUDA, where the number of cores
    per worker is best."""
    inference_threads: int = Field(1, ge=1)
    """Threads of one inference on a CPU. Workers label shards in parallel, one per core, so more threads help only if
    there are fewer workers than cores."""
    pooling: Literal["mean", "max"] = "mean"
    """How the scores of a clip's frames or windows are combined."""
    top_k: int = Field(10, ge=1)
    """Max labels kept of a clip. Merging may take fewer."""
    min_score: float = Field(0.01, ge=0, le=1)
    """Labels below this score are not stored."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` uses CUDA if torch supports it, or for `onnx` the installed onnxruntime."""
    embeddings: bool = False
    """Whether the teacher's own embedding of each clip is kept too, for `train.embedding_weight` (audio) or
    `train.visual_embedding_weight` (frames). A `contrastive` teacher has one; the card of an `onnx` one must name it in
    `output.embedding`, and that teacher is run once more on each clip."""


class ViewParams(Params):
    """`audio_label.views`: parts of each clip, at random levels, that the audio teacher scores once, for
    `train.views_weight`."""

    count: int = Field(0, ge=0)
    """Views of each clip; 0 makes none. The teacher is run on each."""
    clip_s: float = Field(4.0, ge=0.975)
    """Length of a view, seconds: that of `train.clip_s`."""
    gain_db: float = Field(0.0, ge=0, le=60)
    """Max random change of a view's level, up or down, dB. A view is never raised beyond full scale."""
    top_k: int = Field(30, ge=1)
    """Scores kept of a view, the highest; all others are learnt as 0."""
    seed: int = Field(0, ge=0)
    """Seed of parts and levels."""


class AudioLabelParams(LabelParams):
    """`parameters/audio_label.yml`"""

    views: ViewParams = ViewParams()
    """Parts of clips that are scored by themselves."""
