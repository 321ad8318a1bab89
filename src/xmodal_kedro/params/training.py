"""Parameters of `train`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from .base import Params
from .choices import BACKBONES

if TYPE_CHECKING:
    BackboneName = str
else:
    BackboneName = Literal[tuple(BACKBONES)]


class SpecAugmentParams(Params):
    """Masks over training spectrograms, after Park et al., "SpecAugment" (2019); no masks turn it off."""

    time_masks: int = Field(0, ge=0)
    """Masks over time in each clip..."""
    time_frames: int = Field(32, ge=0)
    """...of at most so many frames, 10 ms each."""
    band_masks: int = Field(0, ge=0)
    """Masks over frequency in each clip..."""
    bands: int = Field(8, ge=0)
    """...of at most so many of the 64 mel bands."""


class VGGishPlusParams(Params):
    """`train.vggish_plus`: how that network improves on VGGish. docs/ablation.md tells what each improvement is worth.

    With `batch_norm: false`, `pooling: flat`, `context: patch` and `width: 64` it is VGGish.
    """

    batch_norm: bool = True
    """Whether each convolution is followed by batch norm."""
    pooling: Literal["flat", "mean", "mean_max"] = "mean_max"
    """How maps become an embedding: `flat` is VGGish's own, layers of 4096 units over a patch; the others are over
    time: `mean`, and `mean_max`, which joins mean and maximum."""
    keep_bands: bool = True
    """Whether each of the four bands that are left is pooled by itself, not their mean. `flat` always keeps them."""
    context: Literal["patch", "clip"] = "clip"
    """What is pooled over: the whole `clip`, or a `patch` of 0.96 s, whose embeddings are then averaged."""
    width: int = Field(32, ge=1)
    """Channels of the first convolution; later ones have up to eight times as many. VGGish has 64."""

    @model_validator(mode="after")
    def _flat_needs_patches(self) -> VGGishPlusParams:
        if self.pooling == "flat" and self.context == "clip":
            raise ValueError(
                "train.vggish_plus.pooling (flat) has weights for each frame of a patch, but context is clip: "
                "set context: patch, or another pooling, in parameters/train.yml"
            )
        return self


class TrainParams(Params):
    """`parameters/train.yml`"""

    NOT_IN_IDENTITY: ClassVar[frozenset[str]] = frozenset(
        {
            *("checkpoint_steps", "checkpoints_kept", "report_steps", "reader_threads"),
            *("device", "devices", "nodes", "rendezvous", "restarts"),
        }
    )

    model: BackboneName
    """Network to train."""
    vggish_plus: VGGishPlusParams = VGGishPlusParams()
    """Options of the network `vggish_plus`; others take no notice."""
    epochs: int = Field(30, ge=1)
    """Times that every training clip is seen, at most."""
    patience: int | None = Field(None, ge=1)
    """Training ends after so many epochs without a better validation mAP; null trains all `epochs`. The weights are
    those of the best epoch in any case."""
    batch_size: int = Field(64, ge=2)
    """Most clips of one step, over all devices."""
    accumulate: int = Field(1, ge=1)
    """Parts that a step's clips go through the network in, one after the other: the step is the same but for batch
    norm, which sees a part, and takes that much less memory."""
    clip_s: float = Field(4.0, ge=0.975)
    """Length of sound fed to the network, seconds: a random part of longer clips, shorter ones are repeated. At least
    the 0.975 s under one patch of 96 frames."""
    learning_rate: float = Field(1e-3, gt=0)
    """Highest learning rate of AdamW. `vggish`, which has no batch norm, learns faster at 1e-4."""
    weight_decay: float = Field(1e-4, ge=0)
    """Decoupled weight decay of matrices and kernels; norms and biases do not decay."""
    warmup_fraction: float = Field(0.1, ge=0, lt=1)
    """Share of all steps over which the learning rate rises; then it falls along a cosine to zero."""
    gradient_clip: float | None = Field(1.0, gt=0)
    """Longest gradient, as the norm over all weights; a longer one is shortened to it. Null sets no limit."""
    ema_decay: float = Field(0.999, ge=0, lt=1)
    """Decay by step of the exponential moving average of weights, which is what is validated and kept; 0 keeps the
    weights themselves. It rises to this over the first steps, so that short trainings gain too."""
    embedding_weight: float = Field(0.0, ge=0)
    """Weight of a second target beside the labels: the audio teacher's own embedding, as `audio_label.embeddings`
    keeps it. A clip then tells the network of all that its teacher heard, not of the classes alone, which counts where
    clips are few. 0 learns from labels alone."""
    log_offset: float = Field(0.01, gt=0)
    """Added to mel magnitudes before the logarithm."""
    mixup_alpha: float = Field(0.0, ge=0)
    """Beta-distribution parameter of mixup; 0 turns it off."""
    spec_augment: SpecAugmentParams = SpecAugmentParams()
    """Masks over training spectrograms."""
    shuffle_buffer: int = Field(2048, ge=1)
    """Clips held in memory to shuffle them, over all devices."""
    streams: int = Field(8, ge=1)
    """Streams that an epoch is read as, every batch taking an equal part of each: a multiple of the number of devices.
    Another number is another order of clips."""
    reader_threads: int = Field(2, ge=1)
    """Threads of each device that read shards."""
    validation_clips: int = Field(20_000, ge=1)
    """Validation takes about so many clips at most, always the same ones."""
    checkpoint_steps: int = Field(500, ge=1)
    """Steps after which the state of training is stored: at most so many are done again after a crash."""
    checkpoints_kept: int = Field(2, ge=1)
    """Stored states that are kept, the latest ones."""
    report_steps: int = Field(20, ge=1)
    """Steps after which loss, learning rate and clips/s are told. A step is not waited for to do so."""
    precision: Literal["auto", "float32"] = "auto"
    """`auto` computes in bfloat16 where the device does that faster, and in float32 elsewhere: weights, losses and the
    front end are float32 in any case."""
    compile: Literal["auto"] | bool = "auto"
    """Whether torch compiles the network, which takes a minute or so before the first steps. `auto` does on CUDA where
    epochs times clips come to two million: there that minute is won back."""
    deterministic: bool = False
    """Whether CUDA takes only algorithms that give the same bits each time, some of them slower. A CPU always does."""
    seed: int = Field(0, ge=0)
    """Of the first weights, the order and cuts of clips, mixup and masks."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` takes CUDA where there is one."""
    devices: int = Field(1, ge=1)
    """Processes that train together on this machine: with CUDA one a GPU, on a CPU sharing its cores."""
    nodes: int = Field(1, ge=1)
    """Machines that train together. On each of them, the same command is given..."""
    rendezvous: str = ""
    """...with this HOST:PORT, of one of them, where they find each other."""
    restarts: int = Field(3, ge=0)
    """How often training starts again from its last checkpoint when one of its processes dies."""

    @model_validator(mode="after")
    def _streams_are_shared(self) -> TrainParams:
        ranks = self.devices * self.nodes
        if self.streams % ranks:
            raise ValueError(
                f"train.streams ({self.streams}) is no multiple of train.devices x train.nodes ({ranks}): set one in "
                "parameters/train.yml"
            )
        if self.batch_size < 2 * ranks * self.accumulate:
            raise ValueError(
                f"train.batch_size ({self.batch_size}) leaves less than 2 clips to each of {ranks} devices x "
                f"{self.accumulate} parts: set at least {2 * ranks * self.accumulate} in parameters/train.yml"
            )
        if self.nodes > 1 and not self.rendezvous:
            raise ValueError(
                f"train.nodes is {self.nodes}, but train.rendezvous is empty: set it to HOST:PORT of one of the "
                "machines"
            )
        return self
