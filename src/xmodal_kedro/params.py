"""Typed parameters: what a user may set, checked before anything runs.

Each class is one `params:` input of a pipeline. The text under a field is the reference a user reads.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class Params(BaseModel):
    """Base: immutable, unknown fields are errors, field texts are kept as descriptions."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Check `obj` and make the parameters of it.

        Raises:
            ValueError: one line a wrong field: its name, what it is set to, and what it should be.
        """
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise ValueError("; ".join(map(_describe, error.errors()))) from None


def _describe(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{field} is {error['input']!r}: {message}" if field else message


class TimeLimit(Params):
    """How long a decoder may work on one file: a hang ends, and costs that file alone."""

    timeout_s: float = Field(20.0, gt=0)
    """Longest time for one file, seconds, and..."""
    slowest_mb_per_s: float = Field(1.0, gt=0)
    """...one more second for each so many megabytes of it."""

    def limit_s(self, size_bytes: int) -> float:
        """Seconds that a file of this size may take."""
        return self.timeout_s + size_bytes / 1e6 / self.slowest_mb_per_s


class IngestParams(TimeLimit):
    """`parameters/ingest.yml`"""

    audio_only: bool = False
    """Whether recordings without pictures are used too. They are labelled by ear alone."""
    max_duration_s: float = Field(14_400, gt=0)
    """Longer sources are rejected, seconds."""
    max_size_gb: float = Field(64, gt=0)
    """Larger sources are rejected, gigabytes. A worker fetches one remote file at a time to local disk."""
    max_pixels: int = Field(33_177_600, gt=0, le=33_177_600)
    """Sources with larger pictures are rejected, width times height; the default is 8K, the most that is decoded."""
    max_streams: int = Field(32, ge=1)
    """Sources with more streams are rejected."""
    shard_sources: int = Field(256, ge=1)
    """Most sources of a shard of probes..."""
    shard_gb: float = Field(4.0, gt=0)
    """...and most gigabytes of them: what is read again where one of them changed. One large file may exceed it."""


class ClipParams(TimeLimit):
    """`parameters/clip.yml`"""

    min_s: float = Field(3.0, gt=0)
    """Shortest clip, seconds."""
    target_s: float = Field(4.0, gt=0)
    """Preferred length of a clip, seconds. It differs where that saves decoding or covers more sound."""
    max_s: float = Field(5.0, gt=0)
    """Longest clip, seconds."""
    coverage: Literal["shots", "everything"] = "shots"
    """`shots` leaves out what is not covered without crossing a cut between shots; `everything` crosses cuts there."""
    best_per_video: int | None = Field(None, ge=1)
    """Keep at most this many clips of a video, those with most sound; null keeps all."""
    silence_dbfs: float = Field(-60.0, le=0)
    """A span whose RMS level is below this is dropped, decibels relative to full scale."""
    frames_per_clip: int = Field(2, ge=1, le=4)
    """Most pictures kept of a clip."""
    frame_short_side_px: int = Field(256, ge=32)
    """Pictures are scaled down so that the short side has this many pixels; smaller ones are kept as they are."""
    jpeg_quality: int = Field(90, ge=1, le=100)
    """Quality of the stored pictures."""
    shard_mb: float = Field(64.0, gt=0)
    """Most megabytes of a shard, estimated from the videos' durations. One long video may exceed it."""

    @model_validator(mode="after")
    def _lengths_in_order(self) -> ClipParams:
        if self.min_s > self.max_s:
            raise ValueError(
                f"clip.min_s ({self.min_s}) exceeds clip.max_s ({self.max_s}): "
                "set min_s <= max_s in parameters/clip.yml"
            )
        if not self.min_s <= self.target_s <= self.max_s:
            raise ValueError(
                f"clip.target_s ({self.target_s}) is not between clip.min_s ({self.min_s}) and clip.max_s "
                f"({self.max_s}): set min_s <= target_s <= max_s in parameters/clip.yml"
            )
        return self


class NearDuplicateParams(Params):
    """`parameters/near_duplicates.yml`: when two videos hold one recording, and what may be spent to find out."""

    min_match_s: float = Field(2.0, ge=0.5)
    """Two videos hold one recording where sound agrees for at least so long, seconds..."""
    min_share: float = Field(0.1, ge=0, le=1)
    """...and over at least this share of the shorter one: a jingle in two long videos does not join them."""
    max_bit_errors: float = Field(0.35, gt=0, lt=0.5)
    """Sound agrees where at most this share of its fingerprint's bits differs. Unrelated sound has 0.5."""
    max_bit_errors_if_seen_alike: float = Field(0.38, gt=0, lt=0.5)
    """The same where pictures agree too."""
    max_picture_distance: float = Field(12.0, ge=0, le=64)
    """Pictures agree where their hashes differ by at most so many bits of 64, on average. Unrelated ones have 32."""
    keep_one_in: int = Field(4, ge=1)
    """Videos are looked up by one in so many keys. More finds fewer badly damaged copies of short recordings, with less
    temporary storage: at 4, some 30 kB a minute of sound, and 15 times that from ten million clips on."""
    neighbours: int = Field(4, ge=1)
    """A video is compared with at most so many of the others that have one key in common with it. More takes longer,
    and finds more where keys are common."""
    memory_mb: int = Field(1024, ge=64)
    """Memory for the search, megabytes; the rest goes to temporary files."""

    @model_validator(mode="after")
    def _pictures_help(self) -> NearDuplicateParams:
        if self.max_bit_errors_if_seen_alike < self.max_bit_errors:
            raise ValueError(
                f"near_duplicates.max_bit_errors_if_seen_alike ({self.max_bit_errors_if_seen_alike}) is less than "
                f"max_bit_errors ({self.max_bit_errors}): set at least that in parameters/near_duplicates.yml"
            )
        return self


class ImageInput(Params):
    """Input of an image classifier: the short side is scaled to `resize_px`, the centre `crop_px` square is taken."""

    kind: Literal["image"]
    tensor: str = "input"
    """Name of the input tensor."""
    layout: Literal["NHWC", "NCHW"] = "NCHW"
    dtype: Literal["uint8", "float32"] = "float32"
    """`uint8` feeds 0..255 as it is; `float32` feeds (rgb / 255 - mean) / std."""
    resize_px: int = Field(256, ge=1)
    crop_px: int = Field(224, ge=1)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    @model_validator(mode="after")
    def _crop_fits(self) -> ImageInput:
        if self.crop_px > self.resize_px:
            raise ValueError(
                f"the teacher's input.crop_px ({self.crop_px}) exceeds input.resize_px ({self.resize_px}): "
                "set crop_px <= resize_px in its card"
            )
        if min(self.std) <= 0:
            raise ValueError(f"the teacher's input.std {self.std} is not positive: correct it in its card")
        return self


class LogMelInput(Params):
    """Input of an audio classifier over log-mel patches; see `audio.log_mel`."""

    kind: Literal["log_mel"]
    tensor: str = "patches"
    """Name of the input tensor."""
    layout: Literal["N1FM", "NFM"] = "N1FM"
    """[patches, 1, frames, mels], or without the channel."""
    log_offset: float = Field(0.01, gt=0)
    """Added to mel magnitudes before the logarithm: 0.01 for VGGish, 0.001 for YAMNet."""
    patch_frames: int = Field(96, ge=1)
    hop_frames: int = Field(48, ge=1)


class WaveformInput(Params):
    """Input of an audio classifier over sound itself, [windows, samples] in [-1, 1]."""

    kind: Literal["waveform"]
    tensor: str = "waveform"
    """Name of the input tensor."""
    sample_rate_hz: int | None = Field(None, ge=1000)
    """Rate at which the model wants its sound; null is that of the clips, 16 kHz."""
    window_s: float = Field(0.96, gt=0)
    """Length of a window, seconds, and..."""
    hop_s: float = Field(0.48, gt=0)
    """...from one to the next."""


AudioInput = Annotated[LogMelInput | WaveformInput, Field(discriminator="kind")]
TeacherInput = Annotated[ImageInput | LogMelInput | WaveformInput, Field(discriminator="kind")]


class ScoresOutput(Params):
    """Output of a classifier."""

    tensor: str = "scores"
    """Name of the output tensor, [batch, classes], of an ONNX model."""
    scale: float = Field(1.0, gt=0)
    """Multiplied with the raw output: 1/256 for a softmax quantised to uint8."""
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    """Applied after scaling: `none` where the network already gives probabilities."""
    embedding: str = ""
    """Name of the tensor [batch, size] of an ONNX model that holds its embedding, to compare ours with; empty where it
    gives none."""


class TeacherCard(Params):
    """A pretrained classifier: its files (in the teacher's folder) and how to feed it."""

    backend: Literal["onnx", "transformers", "torchvision", "sample"]
    """`onnx`: any exported classifier. `transformers`: any image- or audio-classification model in that library's
    layout, from a folder or the Hugging Face hub. `torchvision`: one of its networks with weights of your own."""
    weights: str
    """File name of the weights. For `transformers`, the folder that holds `config.json`, `preprocessor_config.json` and
    the safetensors (`.` for the teacher's folder itself), or the hub's id of a model."""
    revision: str = "main"
    """Branch, tag or, best, commit of a model on the hub."""
    network: str = ""
    """Name of the network for `torchvision`, such as `convnext_base`."""
    labels: str | None = None
    """File name of the class list: one name a line, or a `.csv` with a column `display_name`, and one `mid` where
    AudioSet's ids are known. Null takes the names that a `transformers` model brings."""
    input: TeacherInput | None = None
    """How to feed it; null for `transformers`, whose models bring their own processors."""
    output: ScoresOutput = ScoresOutput()
    ignore: tuple[str, ...] = ()
    """Classes never given as a label, such as a background class."""

    @model_validator(mode="after")
    def _fields_fit_the_backend(self) -> Self:
        brings_its_own = self.backend == "transformers"
        if brings_its_own and self.input is not None:
            raise ValueError(
                "the teacher's input is set, but a transformers model is fed by its own processor: write "
                "`input: null` in its card"
            )
        missing = [field for field in ("input", "labels") if getattr(self, field) is None]
        if missing and not brings_its_own:
            raise ValueError(
                f"the teacher's {missing[0]} is null, which only the backend transformers can do with: set it in its "
                "card"
            )
        if self.output.embedding and self.backend != "onnx":
            raise ValueError(
                f"the teacher's output.embedding is {self.output.embedding!r} and its backend {self.backend}, of which "
                "no embedding is taken: leave it out of the card"
            )
        if bool(self.network) != (self.backend == "torchvision"):
            raise ValueError(
                f"the teacher's network is {self.network!r} and its backend {self.backend}: name a network in the card "
                "of a torchvision teacher, and in no other"
            )
        return self


class VisualTeacherCard(TeacherCard):
    """`visual_teacher`: a teacher that looks at a clip's pictures."""

    input: ImageInput | None = None
    sounds: str = ""
    """Which sound each class makes: `imagenet` for the table of ImageNet's classes that comes along; a `.csv` in the
    teacher's folder with the columns `label`, `sound` and `audioset_id`, in which a class that is not listed makes no
    sound; empty where it is not known."""


class AudioTeacherCard(TeacherCard):
    """`audio_teacher`: a teacher that listens to a clip's sound."""

    input: AudioInput | None = None
    ontology: str = ""
    """File of the AudioSet ontology as it is released, `ontology.json`, in the teacher's folder; without it, no class
    has parents."""


class LabelParams(Params):
    """`parameters/visual_label.yml`, `parameters/audio_label.yml`: how a teacher is asked."""

    batch_size: int = Field(32, ge=1)
    """Pictures or patches per inference; a model of fixed batch size overrides it."""
    prepare_threads: int | None = Field(None, ge=0)
    """Threads of a worker that decode and preprocess ahead of the teacher. With 0, clips and batches take turns: best
    where workers keep all cores busy. Null is 0 on a CPU and 4 on CUDA, where about as many as there are cores for a
    worker are best."""
    inference_threads: int = Field(1, ge=1)
    """Threads of one inference on a CPU. Workers label shards side by side, one a core, so more only helps where there
    are fewer workers than cores."""
    pooling: Literal["mean", "max"] = "mean"
    """How the scores of a clip's frames or windows become the clip's."""
    top_k: int = Field(10, ge=1)
    """Most labels kept of a clip; merging may take fewer."""
    min_score: float = Field(0.01, ge=0, le=1)
    """Labels below this score are not stored."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` takes CUDA where torch, or for `onnx` the installed onnxruntime, offers it."""


class AudioLabelParams(LabelParams):
    """`parameters/audio_label.yml`"""

    embeddings: bool = False
    """Whether the teacher's own embedding of each clip is kept too, for `train.embedding_weight`. The card has to name
    it, `output.embedding`, and the teacher hears each clip once more."""


class ModalityParams(Params):
    """What of one teacher's labels becomes a target."""

    threshold: float = Field(ge=0, le=1)
    """Labels below this score are dropped."""
    top_k: int = Field(ge=1)
    """Most labels of a clip, best first."""
    max_rate: float | None = Field(None, gt=0, le=1)
    """Largest share of all clips that a class may label. Where it would label more, its threshold rises until it does
    not, so that a class of which the teacher is too sure does not flood; null sets no limit."""


class AgreementParams(Params):
    """When a label of one modality supports one of the other, for the rule `agreement`."""

    ancestors: bool = True
    """Whether a class supports its ancestors and descendants in the ontology, as `Dog` does `Animal` and `Bark`. It
    always supports itself."""
    associations: bool = True
    """Whether classes support each other that occur together more often than chance has it."""
    min_pmi: float = Field(1.0, gt=0)
    """Least pointwise mutual information of two associated classes, bits: 1 is twice as often as by chance..."""
    min_videos: int = Field(5, ge=1)
    """...in at least so many videos. The clips of one video are no independent evidence."""


class MergeParams(Params):
    """`parameters/merge_labels.yml`"""

    rule: Literal["union", "agreement", "visual_only", "audio_only"] = "union"
    """Whose classes become targets: both teachers' (`union`, the paper's reading), those that a label of the other
    modality supports, or one teacher's for ablation."""
    visual: ModalityParams
    audio: ModalityParams
    agreement: AgreementParams = AgreementParams()
    visual_names: Literal["own", "sounds"] = "own"
    """`own` keeps the visual teacher's classes; `sounds` puts in their place the sounds that they make, as its card's
    `sounds` tells, so that two breeds of dog are one class, and the audio teacher's."""
    drop_silent: bool = False
    """Whether visual classes that make no sound, as the card's `sounds` tells, are left out of the targets. They still
    support what they are associated with."""
    parents: bool = False
    """Whether a target's ancestors in the ontology are targets too, with the same weight. Needs the audio teacher's
    `ontology`."""
    targets: Literal["hard", "soft"] = "hard"
    """`hard` gives every target the weight 1, `soft` the teacher's score."""
    min_clips: int = Field(10, ge=1)
    """Classes of fewer clips are dropped."""
    max_clips: int | None = Field(None, ge=1)
    """Most clips of a class: of a more frequent one, an even draw is kept, the same clips for every class as far as it
    goes; null sets no limit."""
    validation_fraction: float = Field(0.15, gt=0, lt=1)
    """Share of videos held out for validation, by hash of `video_id`; near-duplicates go together."""

    @model_validator(mode="after")
    def _limits_in_order(self) -> MergeParams:
        if self.max_clips is not None and self.max_clips < self.min_clips:
            raise ValueError(
                f"merge_labels.max_clips ({self.max_clips}) is less than min_clips ({self.min_clips}): set at least "
                "that in parameters/merge_labels.yml"
            )
        return self

    def of(self, modality: str) -> ModalityParams:
        """What of the labels of `visual` or `audio` becomes a target."""
        return {"visual": self.visual, "audio": self.audio}[modality]


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

    model: Literal["vggish", "vggish_plus", "resnet50", "mobilenet_v2"]
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


class FineTuneParams(Params):
    """`transfer_eval.fine_tune`: how the whole network is trained on a benchmark, where that protocol is asked for."""

    epochs: int = Field(30, ge=1)
    """Times that each training clip is seen. The weights of the best epoch are tested, by accuracy on training clips
    that are held out to choose it."""
    batch_size: int = Field(32, ge=2)
    """Clips of a step."""
    learning_rate: float = Field(3e-4, gt=0)
    """Highest learning rate of a pretrained network..."""
    scratch_learning_rate: float = Field(1e-3, gt=0)
    """...and of one that begins with random weights, which has further to go."""
    weight_decay: float = Field(1e-4, ge=0)
    """Decoupled weight decay of matrices and kernels."""
    mixup_alpha: float = Field(0.3, ge=0)
    """Beta-distribution parameter of mixup; 0 turns it off."""
    held_out: float = Field(0.2, gt=0, lt=1)
    """Share of the training clips, in whole groups, that the best epoch is chosen on."""


BenchmarkName = Literal["esc50", "esc10", "urbansound8k", "tut_urban_2018", "litis_rouen", "csv"]
Protocol = Literal["linear_probe", "fine_tune", "zero_shot"]


class TransferParams(Params):
    """`parameters/transfer_eval.yml`"""

    benchmark: BenchmarkName = "esc50"
    """Which benchmark the folder holds; docs/benchmarks.md tells their layouts. `esc10` takes ESC-50's ten-class
    subset, `csv` sounds of your own."""
    protocols: tuple[Protocol, ...] = Field(("linear_probe", "zero_shot"), min_length=1)
    """How the network is judged. `linear_probe`: a linear model on its frozen embeddings; `fine_tune`: all of it is
    trained on; `zero_shot`: its own classes are taken for the benchmark's, where their names meet."""
    regularisation: tuple[Annotated[float, Field(gt=0)], ...] = Field((0.001, 0.01, 0.1, 1.0), min_length=1)
    """Inverse strengths C of the logistic regression to choose from, on the training clips alone."""
    fine_tune: FineTuneParams = FineTuneParams()
    """How the whole network is trained."""
    batch_size: int = Field(32, ge=1)
    """Sounds embedded together."""
    random_seed: int = Field(0, ge=0)
    """Seed of the randomly initialised network of comparison, and of fine-tuning."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` takes CUDA where there is one."""


class EmbedParams(TimeLimit):
    """`parameters/embed.yml`: how a trained network listens to recordings."""

    window_s: float = Field(4.0, ge=0.975)
    """Length of sound that is embedded at a time, seconds. Best what `train.clip_s` was."""
    hop_s: float = Field(4.0, gt=0)
    """From one window to the next, seconds. One more window ends with the recording where they do not come out even."""
    tags: int = Field(5, ge=0)
    """Most classes told of a window, the most probable first..."""
    min_score: float = Field(0.1, ge=0, le=1)
    """...of those with at least this probability."""
    batch_size: int = Field(32, ge=1)
    """Windows embedded together."""
    shard_files: int = Field(256, ge=1)
    """Most recordings of a shard, which is what is made again after a kill..."""
    shard_mb: float = Field(256.0, gt=0)
    """...and most megabytes of them. One large recording may exceed it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` takes CUDA where there is one."""

    @model_validator(mode="after")
    def _nothing_is_left_out(self) -> EmbedParams:
        if self.hop_s > self.window_s:
            raise ValueError(
                f"embed.hop_s ({self.hop_s}) exceeds embed.window_s ({self.window_s}), so that some sound would not be "
                "heard: set hop_s <= window_s in parameters/embed.yml"
            )
        return self


class CompareParams(Params):
    """`parameters/compare.yml`: which labels to learn from.

    All else is as `train`, `merge_labels` and `transfer_eval` say.
    """

    rules: tuple[Literal["visual_only", "audio_only", "union", "agreement"], ...] = Field(
        ("visual_only", "audio_only", "union", "agreement"), min_length=2
    )
    """Rules of merging to compare, in place of `merge_labels.rule`."""
    seeds: int = Field(3, ge=1)
    """Networks that are trained for each rule, from as many seeds: 0, 1, and so on, in place of `train.seed`."""


class SampleParams(Params):
    """`conf/sample/parameters/sample.yml`: the built-in world."""

    seed: int = 0
    videos: int = Field(132, ge=1)
    """Unlabelled videos."""
    min_s: float = Field(10.0, gt=0)
    """Shortest video, seconds."""
    max_s: float = Field(30.0, gt=0)
    """Longest video, seconds."""
    teacher_examples_per_class: int = Field(24, ge=4)
    """Labelled pictures and sounds per class that each teacher learns from."""
    teacher_steps: int = Field(200, ge=1)
    """Training steps of each teacher."""
    benchmark_clips_per_class: int = Field(20, ge=5, multiple_of=5)
    """Sounds per class of the benchmark, spread evenly over its five folds."""

    @model_validator(mode="after")
    def _lengths_in_order(self) -> SampleParams:
        if self.min_s > self.max_s:
            raise ValueError(
                f"sample.min_s ({self.min_s}) exceeds sample.max_s ({self.max_s}): set min_s <= max_s in "
                "parameters/sample.yml"
            )
        return self
