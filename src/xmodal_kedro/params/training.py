"""Parameters of `train`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from .base import Params
from .choices import BACKBONES

Modality = Literal["audio", "visual"]

if TYPE_CHECKING:
    BackboneName = str
else:
    BackboneName = Literal[tuple(BACKBONES)]


class SpecAugmentParams(Params):
    """Masks over training spectrograms, after Park et al., "SpecAugment" (2019); 0 masks turn it off."""

    time_masks: int = Field(0, ge=0)
    """Masks over time in each clip."""
    time_frames: int = Field(32, ge=0)
    """Max width of a mask over time, frames of 10 ms."""
    band_masks: int = Field(0, ge=0)
    """Masks over frequency in each clip."""
    bands: int = Field(8, ge=0)
    """Max width of a mask over frequency, of the 64 mel bands."""


class VGGishPlusParams(Params):
    """`train.vggish_plus`: how that network differs from VGGish. docs/ablation.md has the effect of each difference.

    With `batch_norm: false`, `pooling: flat`, `context: patch` and `width: 64` it is VGGish.
    """

    batch_norm: bool = True
    """Whether each convolution is followed by batch norm."""
    pooling: Literal["flat", "mean", "mean_max"] = "mean_max"
    """How feature maps become an embedding. `flat` is that of VGGish: layers of 4096 units over a patch. The others
    pool over time: `mean`, and `mean_max`, which concatenates mean and max."""
    keep_bands: bool = True
    """Whether each of the last four bands is pooled separately, instead of their mean. `flat` always keeps them."""
    context: Literal["patch", "clip"] = "clip"
    """What is pooled over: the whole `clip`, or a `patch` of 0.96 s, whose embeddings are then averaged."""
    width: int = Field(32, ge=1)
    """Channels of the first convolution. Later ones have up to eight times as many. VGGish has 64."""

    @model_validator(mode="after")
    def _flat_needs_patches(self) -> VGGishPlusParams:
        if self.pooling == "flat" and self.context == "clip":
            raise ValueError(
                "train.vggish_plus.pooling (flat) has weights for each frame of a patch, but context is clip: "
                "set context: patch, or another pooling, in parameters/train.yml"
            )
        return self


class LiveTeacherParams(Params):
    """`train.live_teacher`: the audio teacher hears in every step what the network hears: the same part of a clip, at
    the same level, with the same noise, mixed with the same other clip.

    Beyer et al., "Knowledge distillation: A good teacher is patient and consistent" (2022); for audio, Dinkel et al.,
    "CED: Consistent ensemble distillation for audio tagging" (2024).
    """

    NOT_IN_IDENTITY: ClassVar[frozenset[str]] = frozenset({"device", "threads"})

    enabled: bool = False
    """Whether the teacher hears each step. Its scores are then learnt beside the labels, and the embedding that
    `train.embedding_weight` has learnt is that of what is heard, instead of the one stored for the whole clip. A step
    takes longer by what the teacher takes, unless a core or GPU is free for it."""
    scores_weight: float = Field(1.0, ge=0)
    """Weight of the binary cross-entropy with the teacher's scores of all its classes, beside the labels' weight of
    1."""
    temperature: float = Field(1.0, ge=0.01)
    """Logits of teacher and network are divided by it before they are compared; above 1, classes of low scores count
    more."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Of the teacher. `auto` uses CUDA if the teacher's library supports it."""
    threads: int = Field(1, ge=1)
    """Threads of the teacher on a CPU, beside those of the network."""

    def identity(self) -> dict[str, Any]:
        """See `Params.identity`; no field counts without a teacher in the loop."""
        return super().identity() if self.enabled else {"enabled": False}


class TrainParams(Params):
    """`parameters/train.yml`"""

    NOT_IN_IDENTITY: ClassVar[frozenset[str]] = frozenset(
        {
            *("checkpoint_steps", "checkpoints_kept", "report_steps", "reader_threads"),
            *("device", "devices", "nodes", "rendezvous", "restarts"),
        }
    )
    ADDED: ClassVar[dict[str, Any]] = {
        "visual_embedding_weight": 0.0,
        "views_weight": 0.0,
        "gain_db": 0.0,
        "noise_db": None,
        "speed_octaves": 0.0,
        "live_teacher": LiveTeacherParams(),
    }

    model: BackboneName
    """Network to train."""
    vggish_plus: VGGishPlusParams = VGGishPlusParams()
    """Options of the network `vggish_plus`; others ignore them."""
    epochs: int = Field(30, ge=1)
    """Max passes over the training clips."""
    patience: int | None = Field(None, ge=1)
    """Training ends after so many epochs without a better validation mAP; null trains all `epochs`. The weights of the
    best epoch are kept in both cases."""
    batch_size: int = Field(64, ge=2)
    """Max clips of one step, over all devices."""
    accumulate: int = Field(1, ge=1)
    """Parts of a step's batch that go through the network one after the other (gradient accumulation). More parts take
    less memory. The step is the same, except that batch norm is computed over a part."""
    clip_s: float = Field(4.0, ge=0.975)
    """Length of the audio fed to the network, seconds. Longer clips are cropped at random, shorter ones are repeated.
    One patch of 96 frames takes 0.975 s, the min."""
    learning_rate: float = Field(1e-3, gt=0)
    """Max learning rate of AdamW. `vggish`, which has no batch norm, learns faster at 1e-4."""
    weight_decay: float = Field(1e-4, ge=0)
    """Decoupled weight decay of matrices and kernels; norms and biases do not decay."""
    warmup_fraction: float = Field(0.1, ge=0, lt=1)
    """Fraction of all steps over which the learning rate rises. Then it falls along a cosine to zero."""
    gradient_clip: float | None = Field(1.0, gt=0)
    """Max norm of the gradient over all weights; a larger gradient is scaled down to it. Null sets no limit."""
    ema_decay: float = Field(0.999, ge=0, lt=1)
    """Decay per step of the exponential moving average of the weights, which is validated and kept. 0 keeps the weights
    themselves. The decay rises to this value over the first steps, so that short trainings profit too."""
    embedding_weight: float = Field(0.0, ge=0)
    """Weight of a second target beside the labels: the audio teacher's own embedding, as stored by
    `audio_label.embeddings`. An embedding holds more than the classes, which helps if clips are few. 0 learns from
    labels alone."""
    visual_embedding_weight: float = Field(0.0, ge=0)
    """Weight of a further target: the visual teacher's own embedding of a clip's frames, as stored by
    `visual_label.embeddings`. Clips without frames have no part in it; the mean over a batch counts them as 0, so the
    weight is that of a corpus in which every clip has frames."""
    views_weight: float = Field(0.0, ge=0)
    """Weight of the binary cross-entropy with the audio teacher's scores of views that `audio_label.views` has stored,
    beside the labels' weight of 1. Of each clip one view is drawn, and the network hears exactly that; with
    `embedding_weight`, its embedding is learnt in place of that of the whole clip. 0 uses no views."""
    log_offset: float = Field(0.01, gt=0)
    """Added to mel magnitudes before the logarithm."""
    mixup_alpha: float = Field(0.0, ge=0)
    """Beta-distribution parameter of mixup; 0 turns it off."""
    spec_augment: SpecAugmentParams = SpecAugmentParams()
    """Masks over training spectrograms."""
    gain_db: float = Field(0.0, ge=0, le=60)
    """Max random change of a training clip's level, up or down, dB. A clip is never raised beyond full scale."""
    noise_db: float | None = Field(None, le=20)
    """Max level of the white noise that is added to training clips, dB relative to the clip's own; each clip gets noise
    of a level up to 30 dB below. Null adds none."""
    speed_octaves: float = Field(0.0, ge=0, le=2)
    """Max random change of a training clip's speed, up or down, octaves: pitch and tempo change together. A clip that
    is played faster is repeated. Labels stay those of the clip, which is true of few sounds an octave away, so this is
    meant for `live_teacher`, which hears the change."""
    live_teacher: LiveTeacherParams = LiveTeacherParams()
    """The audio teacher hears each step."""
    shuffle_buffer: int = Field(2048, ge=1)
    """Clips held in memory to shuffle them, over all devices."""
    streams: int = Field(8, ge=1)
    """Streams that an epoch is read as: a multiple of the number of devices. A batch takes an equal part of each
    stream. Another number gives another order of clips."""
    reader_threads: int = Field(2, ge=1)
    """Threads of each device that read shards."""
    validation_clips: int = Field(20_000, ge=1)
    """Max clips of a validation, approximately; always the same ones."""
    checkpoint_steps: int = Field(500, ge=1)
    """Steps between checkpoints: at most so many steps are repeated after a crash."""
    checkpoints_kept: int = Field(2, ge=1)
    """Number of checkpoints kept, the latest ones."""
    report_steps: int = Field(20, ge=1)
    """Steps between reports of loss, learning rate and clips/s. Reports do not wait for the device."""
    precision: Literal["auto", "float32"] = "auto"
    """`auto` computes in bfloat16 if that is faster on the device, otherwise in float32. Weights, losses and the front
    end are always float32."""
    compile: Literal["auto"] | bool = "auto"
    """Whether torch compiles the network, which takes about a minute before the first steps. `auto` compiles on CUDA if
    epochs times clips are at least two million, where that minute is recovered."""
    deterministic: bool = False
    """Whether CUDA uses deterministic algorithms only, some of which are slower. A CPU always does."""
    seed: int = Field(0, ge=0)
    """Seed of the initial weights, the order and crops of clips, mixup and masks."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` uses CUDA if it is available."""
    devices: int = Field(1, ge=1)
    """Processes that train together on this machine: with CUDA one per GPU; on a CPU they share its cores."""
    nodes: int = Field(1, ge=1)
    """Machines that train together. The same command is run on each of them."""
    rendezvous: str = ""
    """HOST:PORT of one of the machines, where they find each other; required if `nodes` is more than 1."""
    restarts: int = Field(3, ge=0)
    """Max restarts of training from its last checkpoint after one of its processes dies."""

    @property
    def stored_embeddings(self) -> dict[Modality, str]:
        """Modalities whose stored embeddings are learnt, with the field that says so."""
        weights: dict[Modality, str] = {}
        if self.embedding_weight > 0 and not self.live_teacher.enabled and not self.views_weight:
            weights["audio"] = "embedding_weight"
        if self.visual_embedding_weight > 0:
            weights["visual"] = "visual_embedding_weight"
        return weights

    @model_validator(mode="after")
    def _streams_are_divisible(self) -> TrainParams:
        ranks = self.devices * self.nodes
        if self.streams % ranks:
            raise ValueError(
                f"train.streams ({self.streams}) is no multiple of train.devices x train.nodes ({ranks}): "
                "set one in parameters/train.yml"
            )
        if self.batch_size < 2 * ranks * self.accumulate:
            raise ValueError(
                f"train.batch_size ({self.batch_size}) leaves less than 2 clips to each of {ranks} devices x "
                f"{self.accumulate} parts: set at least {2 * ranks * self.accumulate} in parameters/train.yml"
            )
        live = self.live_teacher
        if live.enabled and not live.scores_weight and not self.embedding_weight:
            raise ValueError(
                "train.live_teacher is enabled, but nothing is learnt from it: set train.live_teacher.scores_weight or "
                "train.embedding_weight"
            )
        changed = self.gain_db > 0 or self.noise_db is not None or self.speed_octaves > 0
        if self.views_weight and (live.enabled or changed):
            sounds = "train.gain_db, train.noise_db or train.speed_octaves"
            other = "train.live_teacher.enabled" if live.enabled else sounds
            raise ValueError(
                f"train.views_weight is set, and {other} too, with which the network would not hear what the teacher "
                "has heard: set one of them to its default; audio_label.views.gain_db changes levels of views"
            )
        if self.nodes > 1 and not self.rendezvous:
            raise ValueError(
                f"train.nodes is {self.nodes}, but train.rendezvous is empty: set it to HOST:PORT of one of the "
                "machines"
            )
        return self
