"""The two small teachers of the sample data, each trained on its own labelled examples."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from safetensors.torch import save
from torch.nn import functional as F

from xmodal_kedro.features.framing import HOP_LENGTH, samples_for_frames
from xmodal_kedro.params import (
    AudioTeacherCard,
    ImageInput,
    LogMelInput,
    SampleParams,
    TeacherCard,
    VisualTeacherCard,
)
from xmodal_kedro.recipes import recipe
from xmodal_kedro.sample.images import backdrop, picture_of, random_look
from xmodal_kedro.sample.recording import loudness, record, room_noise, to_pcm16
from xmodal_kedro.sample.scenes import SIZES_PX
from xmodal_kedro.sample.sounds import SYNTHESISERS
from xmodal_kedro.sample.world import (
    AUDIO_CLASSES,
    BACKGROUND,
    UNKNOWN_SOUNDS,
    VISUAL_CLASSES,
    Draw,
    stream,
    unknown_classes,
)
from xmodal_kedro.teachers.preprocess import image_batch, log_mel_batch
from xmodal_kedro.teachers.sample_backend import SampleNetwork
from xmodal_kedro.teachers.torch_inference import torch_threads

Spec = TypeVar("Spec", ImageInput, LogMelInput)

EXAMPLE_S = 2.5
BATCH_SIZE = 32
LEARNING_RATE = 4e-3
AUDIBLE = 0.05
"""A patch is labelled with a sound if the RMS there is at least this fraction of the sound's loudness."""


@recipe("sample_visual_teacher", version=1, libraries=("torch",))
def train_visual_teacher(sample: SampleParams, card: VisualTeacherCard) -> bytes:
    """Weights of an image classifier over `VISUAL_CLASSES`, as safetensors."""
    jpegs, targets = draw_pictures(sample, range(sample.teacher_examples_per_class))
    blind = np.isin(VISUAL_CLASSES, [*unknown_classes(sample)[0]])
    targets[:, VISUAL_CLASSES.index(BACKGROUND)] += targets[:, blind].sum(1)
    targets[:, blind] = 0
    return _train(image_batch(jpegs, _fed(card, ImageInput)), targets, sample, exclusive=True)


@recipe("sample_audio_teacher", version=1, libraries=("torch",))
def train_audio_teacher(sample: SampleParams, card: AudioTeacherCard) -> bytes:
    """Weights of a multi-label classifier of log-mel patches over `AUDIO_CLASSES`, as safetensors."""
    patches, targets = draw_sounds(sample, range(sample.teacher_examples_per_class), _fed(card, LogMelInput))
    targets[:, np.isin(AUDIO_CLASSES, [*unknown_classes(sample)[1]])] = 0
    return _train(patches, targets, sample, exclusive=False)


def draw_pictures(sample: SampleParams, examples: range) -> tuple[list[bytes], NDArray[np.float32]]:
    """Labelled JPEGs and their one-hot targets [images, classes].

    Each class has as many images as `examples`. Backgrounds without an object vary most, and have three times as many.
    """
    jpegs, classes = [], []
    for class_index, name in enumerate(VISUAL_CLASSES):
        empty = name == BACKGROUND
        for example in examples:
            for turn in range(3 if empty else 1):
                rng = stream(sample.seed, Draw.PICTURES, class_index, example, turn)
                jpegs.append(_picture(rng, "" if empty else name))
                classes.append(class_index)
    return jpegs, np.eye(len(VISUAL_CLASSES), dtype=np.float32)[classes]


def _fed(card: TeacherCard, kind: type[Spec]) -> Spec:
    if not isinstance(card.input, kind):
        raise ValueError(f"the sample's teachers take a {kind.__name__}: set input in the card of {card.weights!r}")
    return card.input


def _picture(rng: Generator, name: str) -> bytes:
    width, height = SIZES_PX[int(rng.integers(len(SIZES_PX)))]
    behind, look = backdrop(rng, width, height), random_look(rng)
    drive = rng.uniform(0, 1) if rng.random() < 0.5 else 0.0
    picture = picture_of(name, look, behind, rng.uniform(0, 10), drive)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))]
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)[1])


def draw_sounds(
    sample: SampleParams, examples: range, spec: LogMelInput
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Labelled log-mel patches [patches, 1, frames, 64] and their multi-hot targets [patches, classes].

    A quarter of the examples have a second sound mixed in. Sounds without a class, and pure noise, are examples without
    a label.
    """
    names = (*AUDIO_CLASSES, *UNKNOWN_SOUNDS, "")
    drawn = [
        _patches(stream(sample.seed, Draw.SOUNDS, class_index, example), name, spec)
        for class_index, name in enumerate(names)
        for example in examples
    ]
    patches, targets = zip(*drawn, strict=True)
    return np.concatenate(patches), np.concatenate(targets)


def _patches(rng: Generator, name: str, spec: LogMelInput) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    names = [name] if name else []
    if name and rng.random() < 0.25:
        names.append(str(rng.choice([other for other in AUDIO_CLASSES if other != name])))
    level = 10 ** (rng.uniform(-30, -12) / 20)
    mix = level * 10 ** (rng.uniform(-50, -15) / 20) * room_noise(rng, EXAMPLE_S)
    dry_sounds: dict[str, NDArray[np.float64]] = {}
    for sound in names:
        dry_sounds[sound] = SYNTHESISERS[sound](rng, EXAMPLE_S)
        mix += level * 10 ** (-rng.uniform(0, 6) / 20) * record(rng, dry_sounds[sound])
    patches = log_mel_batch(to_pcm16(mix), spec)
    targets = np.zeros((len(patches), len(AUDIO_CLASSES)), np.float32)
    for sound in dry_sounds.keys() & set(AUDIO_CLASSES):
        targets[:, AUDIO_CLASSES.index(sound)] = _audible(dry_sounds[sound], len(patches), spec)
    return patches, targets


def _audible(dry: NDArray[np.float64], patches: int, spec: LogMelInput) -> NDArray[np.bool_]:
    length, hop = samples_for_frames(spec.patch_frames), spec.hop_frames * HOP_LENGTH
    rms = [np.sqrt(np.mean(dry[start : start + length] ** 2)) for start in range(0, patches * hop, hop)]
    return np.array(rms) > AUDIBLE * loudness(dry)


def _train(
    inputs: NDArray[np.float32], targets: NDArray[np.float32], sample: SampleParams, *, exclusive: bool
) -> bytes:
    """Train a `SampleNetwork`: softmax and cross-entropy if classes are exclusive, else sigmoids and BCE."""
    inputs_N, targets_N = torch.from_numpy(inputs), torch.from_numpy(targets)
    with torch_threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(sample.seed)
        network = SampleNetwork(inputs.shape[1], targets.shape[1])
        optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=sample.teacher_steps)
        loss = F.cross_entropy if exclusive else F.binary_cross_entropy_with_logits
        for _ in range(sample.teacher_steps):
            batch = torch.randint(len(inputs), (BATCH_SIZE,))
            optimiser.zero_grad()
            loss(network(inputs_N[batch]), targets_N[batch]).backward()
            optimiser.step()
            schedule.step()
    return save(network.state_dict())
