"""Parameters of teachers: their cards, and how they are run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from .base import Params
from .choices import TEACHER_BACKENDS

if TYPE_CHECKING:
    BackendName = str
else:
    BackendName = Literal[tuple(TEACHER_BACKENDS)]


class ImageInput(Params):
    """Input of an image classifier: the short side is scaled to `resize_px`, its centre is cropped to `crop_px`."""

    kind: Literal["image"]
    tensor: str = "input"
    """Name of the input tensor."""
    layout: Literal["NHWC", "NCHW"] = "NCHW"
    dtype: Literal["uint8", "float32"] = "float32"
    """`uint8` feeds 0..255 unchanged; `float32` feeds (rgb / 255 - mean) / std."""
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
    """Input of an audio classifier over log-mel patches; see `features.log_mel`."""

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
    """Input of an audio classifier over waveforms, [windows, samples] in [-1, 1]."""

    kind: Literal["waveform"]
    tensor: str = "waveform"
    """Name of the input tensor."""
    sample_rate_hz: int | None = Field(None, ge=1000)
    """Sample rate of the model's input; null is that of the clips, 16 kHz."""
    window_s: float = Field(0.96, gt=0)
    """Length of a window, seconds."""
    hop_s: float = Field(0.48, gt=0)
    """Hop from one window to the next, seconds."""


AudioInput = Annotated[LogMelInput | WaveformInput, Field(discriminator="kind")]
TeacherInput = Annotated[ImageInput | LogMelInput | WaveformInput, Field(discriminator="kind")]


class ScoresOutput(Params):
    """Output of a classifier."""

    tensor: str = "scores"
    """Name of the output tensor, [batch, classes], of an ONNX model."""
    scale: float = Field(1.0, gt=0)
    """Multiplied with the raw output: 1/256 for a softmax quantised to uint8."""
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    """Applied after scaling; `none` if the network already returns probabilities."""
    embedding: str = ""
    """Name of the tensor [batch, size] of an ONNX model that holds its embedding, to compare the trained network with
    and to learn; empty if there is none. It may be a tensor inside the model, such as the pooled features that scores
    are computed from."""


class PromptedClass(Params):
    """A class that is described in words."""

    name: str = Field(min_length=1)
    prompts: tuple[str, ...]
    """Sentences or words that describe it, such as `a photo of a frog`."""

    @model_validator(mode="after")
    def _has_prompts(self) -> Self:
        if not self.prompts or not all(prompt.strip() for prompt in self.prompts):
            raise ValueError(
                f"the class {self.name!r} has no prompt, or an empty one: describe it in words, such as "
                f'`{self.name}: ["a photo of a {self.name}"]` for frames and `["the sound of a {self.name}"]` for audio'
            )
        return self


def _prompted_classes(value: Any) -> Any:
    """Classes from a mapping of names to one prompt or several.

    Raises:
        ValueError: where YAML has read something else than text, such as a truth value from `yes`.
    """
    if isinstance(value, str) or (isinstance(value, Sequence) and not all(map(_is_prompted_class, value))):
        raise ValueError("classes are no mapping: write `NAME: [PROMPT, PROMPT]` for each, with a colon after the name")
    if not isinstance(value, Mapping):
        return value
    named: dict[str, Any] = {}
    for name, prompts in value.items():
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"{name!r} is no name of a class: YAML reads it as no text, so put it into quotes")
        known = {other.casefold() for other in named}
        plain = " ".join(name.split())
        if plain.casefold() in known:
            raise ValueError(f"two classes are named {plain!r}, but for capitals or spaces: rename one, or join them")
        prompts = prompts or []
        several = [prompts] if not isinstance(prompts, Sequence) or isinstance(prompts, str) else prompts
        if wrong := [prompt for prompt in several if not isinstance(prompt, str)]:
            raise ValueError(
                f"the class {plain!r} has the prompt {wrong[0]!r}, which YAML reads as no text: put it into quotes"
            )
        named[plain] = several
    return [{"name": name, "prompts": prompts} for name, prompts in named.items()]


def _is_prompted_class(value: Any) -> bool:
    return isinstance(value, PromptedClass) or (isinstance(value, Mapping) and {*value} == {"name", "prompts"})


BRING_THEIR_INPUT = ("transformers", "contrastive")
"""Backends whose models have processors of their own."""
CONTRASTIVE = "contrastive"


class LargerModel(Params):
    """A model that takes the place of a card's own on machines with CUDA. All other fields of the card are the same."""

    weights: str
    """As `weights` of the card."""
    revision: str = "main"
    """As `revision` of the card."""


class TeacherCard(Params):
    """A pretrained classifier: its files (in the teacher's folder) and how to feed it."""

    backend: BackendName
    """`onnx`: any exported classifier. `transformers`: any image- or audio-classification model in that library's
    layout, from a folder or the Hugging Face hub. `contrastive`: an image-text or audio-text model of that library,
    such as CLIP, SigLIP or CLAP, which labels with `classes`. `torchvision`: one of that library's networks with your
    own weights."""
    weights: str
    """File name of the weights. For `transformers` and `contrastive`, the folder that holds `config.json`,
    `preprocessor_config.json` and the safetensors (`.` for the teacher's folder itself), or the hub's id of a model."""
    revision: str = "main"
    """Branch, tag or commit of a model on the hub. What a branch or tag is at first use is recorded in `data_root`, and
    asked for from then on."""
    on_cuda: LargerModel | None = None
    """Another model for machines where torch sees CUDA; for `transformers` and `contrastive` alone. Which of both
    labels is recorded at first use, so that a later run on another machine labels with the same."""
    network: str = ""
    """Name of the network for `torchvision`, such as `convnext_base`."""
    labels: str | None = None
    """File name of the class list: one name per line, or a `.csv` with a column `display_name`, and a column `mid` if
    AudioSet's ids are known. Null takes the names from a `transformers` model, or the `classes` of a `contrastive`
    one."""
    input: TeacherInput | None = None
    """Input of the model; null for `transformers` and `contrastive`, whose models have their own processors."""
    output: ScoresOutput = ScoresOutput()
    ignore: tuple[str, ...] = ()
    """Classes that never become a label, such as a background class."""
    classes: Annotated[tuple[PromptedClass, ...], BeforeValidator(_prompted_classes)] = ()
    """Classes of a `contrastive` teacher: a mapping of each name to one prompt or several, which are averaged."""
    background: tuple[str, ...] = ()
    """Prompts of a `contrastive` teacher for what is none of the classes; a clip's score for a class is relative to
    them, and to the other classes. Empty takes those that the backend brings for frames or audio."""
    calibration: Literal["corpus", "none"] = "corpus"
    """How a `contrastive` teacher's similarities become scores. `corpus`: a class scores 0.5 where a clip is three
    standard deviations above what the corpus usually has for that class, so that thresholds mean the same for every
    class. `none`: the probability of the class among all classes and background prompts."""

    ADDED: ClassVar[dict[str, Any]] = {
        "on_cuda": None,
        "classes": (),
        "background": (),
        "calibration": "corpus",
    }

    @model_validator(mode="after")
    def _prompts_differ(self) -> Self:
        if (self.backend == CONTRASTIVE) != bool(self.classes):
            raise ValueError(
                f"the teacher's backend is {self.backend} and it lists {len(self.classes)} classes with prompts: list "
                "classes (in classes.yml of the env) if the backend is contrastive, and only then"
            )
        users: dict[str, str] = {}
        owned = [(prompt, of.name) for of in self.classes for prompt in of.prompts]
        for prompt, name in [*owned, *((prompt, "background") for prompt in self.background)]:
            other = users.setdefault(" ".join(prompt.split()).casefold(), name)
            if other != name:
                raise ValueError(
                    f"the prompt {prompt!r} is of {other!r} and of {name!r}, which would always score the same: "
                    "describe one of them in other words"
                )
        return self

    @model_validator(mode="after")
    def _fields_fit_the_backend(self) -> Self:
        brings_its_own = self.backend in BRING_THEIR_INPUT
        if brings_its_own and self.input is not None:
            raise ValueError(
                f"the teacher's input is set, but a {self.backend} model is fed by its own processor: write "
                "`input: null` in its card"
            )
        missing = [field for field in ("input", "labels") if getattr(self, field) is None]
        if missing and not brings_its_own:
            raise ValueError(
                f"the teacher's {missing[0]} is null, which only the backends {' and '.join(BRING_THEIR_INPUT)} allow: "
                "set it in its card"
            )
        if self.on_cuda is not None and not brings_its_own:
            raise ValueError(
                f"the teacher's on_cuda is set, but its backend is {self.backend}: leave it out of the card, or take "
                f"one of the backends {' and '.join(BRING_THEIR_INPUT)}"
            )
        if self.output.embedding and self.backend != "onnx":
            raise ValueError(
                f"the teacher's output.embedding is {self.output.embedding!r}, but its backend {self.backend} returns "
                "no embedding: leave it out of the card"
            )
        if bool(self.network) != (self.backend == "torchvision"):
            raise ValueError(
                f"the teacher's network is {self.network!r} and its backend {self.backend}: name a network if the "
                "backend is torchvision, and only then"
            )
        return self


class VisualTeacherCard(TeacherCard):
    """`visual_teacher`: a teacher that labels a clip by its frames."""

    input: ImageInput | None = None
    sounds: str = ""
    """Which sound each class makes: `imagenet` for the built-in table of ImageNet's classes; a `.csv` in the teacher's
    folder with the columns `label`, `sound` and `audioset_id`, where a class that is not listed makes no sound; empty
    if it is not known."""


class AudioTeacherCard(TeacherCard):
    """`audio_teacher`: a teacher that labels a clip by its audio."""

    input: AudioInput | None = None
    ontology: str = ""
    """Name of the AudioSet ontology's released file, `ontology.json`, in the teacher's folder. Without it, no class has
    parents."""
