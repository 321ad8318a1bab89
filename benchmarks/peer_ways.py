"""The loops that `peer_loops` times: PANNs' and EfficientAT's training steps, and ours with their networks and our own.

Their networks, front ends, losses and draws of mixup are imported from clones of their repositories. The rest
here follows `pytorch/main.py` of the one and `ex_audioset.py` of the other, which cannot be imported by the step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from simulated_clips import CLASSES
from torch import Tensor, nn
from train_ways import READY_BATCHES, STEPS_PER_EPOCH, Step, params_of

from xmodal_kedro.data.batch import Batch
from xmodal_kedro.features.log_mel import MEL_BANDS
from xmodal_kedro.models import BACKBONES
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.params import SpecAugmentParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.training.learner import Learner
from xmodal_kedro.training.student import Heads

PEERS_SAMPLE_RATE_HZ = 32_000
PEERS_HOP_LENGTH = 320
"""100 frames a second, as many as ours."""
PANNS_FRONT_END = {
    "window_size": 1_024,
    "hop_size": PEERS_HOP_LENGTH,
    "mel_bins": MEL_BANDS,
    "fmin": 50,
    "fmax": 14_000,
}
PANNS_MIXUP_ALPHA = 1.0
PANNS_MASKS = SpecAugmentParams(time_masks=2, time_frames=64, band_masks=2, bands=8)
PANNS_NEAREST = {"MobileNetV2": ["mobilenet_v2"], "Cnn14": ["vggish_plus", "vggish"], "ResNet54": ["resnet50"]}
"""Our most similar networks."""
EFFICIENTAT_FRONT_END = {"win_length": 800, "hopsize": PEERS_HOP_LENGTH, "n_fft": 1_024, "freqm": 0, "timem": 0}
EFFICIENTAT_BANDS = (128, MEL_BANDS)
"""The default, and the option with as many bands as ours."""
EFFICIENTAT_MIXUP_ALPHA = 0.3
LABEL_WEIGHT = 0.1
"""Of the labels in EfficientAT's loss; the rest is distillation."""
TAUGHT_CLIPS = 1_000
"""Clips with random teacher scores: too many for a cache."""


@dataclass(frozen=True)
class Setting:
    """Settings shared by all ways."""

    batch: int
    seconds: float
    device: torch.device

    def sounds(self, sample_rate_hz: int, sounds: int) -> list[tuple[NDArray[np.int16], NDArray[np.float32]]]:
        """Batches of noise and targets: int16 [sounds, samples] and float32 [sounds, classes]."""
        rng, samples = np.random.default_rng(0), round(self.seconds * sample_rate_hz)
        return [
            (
                rng.integers(-3_000, 3_000, (sounds, samples), np.int16),
                (rng.random((sounds, CLASSES)) < 3 / CLASSES).astype(np.float32),
            )
            for _ in range(READY_BATCHES)
        ]


@dataclass(frozen=True)
class Contender:
    """A peer's network.

    Attributes:
        build: makes it, to be put behind our front end.
        own_loops: makes a step of the peer's loop, by mel bands; the last has as many as ours.
        augmentation: parameters of ours with which we mix and mask as those loops do.
        nearest: our most similar networks.
    """

    name: str
    build: Callable[[], Backbone]
    own_loops: Mapping[int, Callable[[Setting], Step]]
    augmentation: dict[str, Any]
    nearest: Sequence[str]


class PannsBackbone(Backbone):
    """A network of PANNs without its front end, masks and mixup; its logits are taken before its sigmoid."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        for part in ("spectrogram_extractor", "logmel_extractor", "spec_augmenter"):
            setattr(network, part, nn.Identity())
        classify: Any = network.fc_audioset
        classify.register_forward_hook(self._keep)
        self.network, self.embedding_size = network, classify.in_features
        self._logits: list[Tensor] = []

    def forward(self, log_mel_BFM: Tensor) -> tuple[Tensor, Tensor]:
        embedding_BE = self.network(log_mel_BFM.unsqueeze(1))["embedding"]
        return self._logits.pop(), embedding_BE

    def _keep(self, module: nn.Module, inputs: Any, logits_BC: Tensor) -> None:
        self._logits.append(logits_BC)


class MnBackbone(Backbone):
    """A network of EfficientAT, which takes bands before frames."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, log_mel_BFM: Tensor) -> tuple[Tensor, Tensor]:
        logits_BC, embedding_BE = self.network(log_mel_BFM.transpose(1, 2).unsqueeze(1))
        return logits_BC, embedding_BE


def panns(modules: Sequence[ModuleType]) -> list[Contender]:
    """Networks of PANNs, from its modules `models`, `pytorch_utils`, `losses` and `utilities`."""
    models, *tools = modules
    contenders = []
    for name, nearest in PANNS_NEAREST.items():
        network = partial(getattr(models, name), PEERS_SAMPLE_RATE_HZ, classes_num=CLASSES, **PANNS_FRONT_END)
        contenders.append(
            Contender(
                f"PANNs {name}",
                partial(_without_front_end, network),
                {MEL_BANDS: partial(panns_step, network, tools)},
                {"mixup_alpha": PANNS_MIXUP_ALPHA, "spec_augment": PANNS_MASKS},
                nearest,
            )
        )
    return contenders


def _without_front_end(build: Callable[[], nn.Module]) -> Backbone:
    return PannsBackbone(build())


def panns_step(build: Callable[[], nn.Module], modules: Sequence[ModuleType], setting: Setting) -> Step:
    """The step of `pytorch/main.py` on a batch of its loader, which has two recordings for each clip."""
    tools, losses, utilities = modules
    network, mixup = build(), utilities.Mixup(mixup_alpha=PANNS_MIXUP_ALPHA)
    loss_of = losses.get_loss_func("clip_bce")
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, amsgrad=True)
    one_gpu = [0] if setting.device.type == "cuda" else None
    model = nn.DataParallel(network, device_ids=one_gpu).to(setting.device)
    drawn = setting.sounds(PEERS_SAMPLE_RATE_HZ, 2 * setting.batch)
    batches = itertools.cycle([((audio / 32_767).astype(np.float32), targets) for audio, targets in drawn])

    def step() -> None:
        torch.backends.cudnn.benchmark = False  # torch's default, which both peers leave
        audio, targets = next(batches)
        values = (audio, targets, mixup.get_lambda(batch_size=len(audio)))
        audio_BT, targets_BC, shares_B = (tools.move_data_to_device(value, setting.device) for value in values)
        model.train()
        scores = model(audio_BT, shares_B)
        loss = loss_of(scores, {"target": tools.do_mixup(targets_BC, shares_B)})
        loss.backward()
        str(loss)  # they print it, which waits for the device
        optimiser.step()
        optimiser.zero_grad()

    return step


def efficientat(modules: Sequence[ModuleType]) -> list[Contender]:
    """The network that EfficientAT trains where nothing else is said, from `models.mn.model`, `models.preprocess` and
    `helpers.utils`."""
    own_loops = {bands: partial(efficientat_step, bands, modules) for bands in EFFICIENTAT_BANDS}
    augmentation = {"mixup_alpha": EFFICIENTAT_MIXUP_ALPHA}

    def build() -> Backbone:
        return MnBackbone(_quietly(modules[0].get_model))

    return [Contender("EfficientAT mn10", build, own_loops, augmentation, ["mobilenet_v2"])]


def efficientat_step(bands: int, modules: Sequence[ModuleType], setting: Setting) -> Step:
    """The step of `ex_audioset.py` on a batch of its loader; the teacher's scores are random."""
    networks, preprocess, tools = modules
    device = setting.device
    network = _quietly(networks.get_model).to(device)
    mel_options = {"n_mels": bands, "sr": PEERS_SAMPLE_RATE_HZ, **EFFICIENTAT_FRONT_END}
    front_end = _quietly(preprocess.AugmentMelSTFT, **mel_options).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=8e-4, weight_decay=0)
    drawn = setting.sounds(PEERS_SAMPLE_RATE_HZ, setting.batch)
    ready = [(torch.from_numpy((audio / 32_768).astype(np.float32)), torch.from_numpy(one)) for audio, one in drawn]
    batches, taught = itertools.cycle(ready), torch.rand(TAUGHT_CLIPS, CLASSES)
    loss_of = partial(F.binary_cross_entropy_with_logits, reduction="none")
    network.train()
    front_end.train()

    def step() -> list[NDArray[np.float32]]:
        torch.backends.cudnn.benchmark = False
        audio_BT, targets_BC = (values.to(device) for values in next(batches))
        log_mel_B1MF = front_end(audio_BT).unsqueeze(1)
        partners_B, shares_B = tools.mixup(setting.batch, EFFICIENTAT_MIXUP_ALPHA)  # on the CPU
        shares_B = shares_B.to(device)

        def mixed(values: Tensor, partners: Tensor) -> Tensor:
            shares = shares_B.reshape(-1, *[1] * (values.dim() - 1))
            return values * shares + partners * (1 - shares)

        logits_BC, _ = network(mixed(log_mel_B1MF, log_mel_B1MF[partners_B]))
        by_label = loss_of(logits_BC, mixed(targets_BC, targets_BC[partners_B])).mean()
        rows_B = torch.randint(TAUGHT_CLIPS, (setting.batch,))
        taught_BC = taught[rows_B].to(device)
        by_teacher_B = mixed(
            *(loss_of(logits_BC, scores_BC).mean(dim=1) for scores_BC in (taught_BC, taught_BC[partners_B]))
        )
        unknown_B = rows_B == -1
        by_teacher_B[unknown_B] = by_teacher_B[unknown_B] * 0
        parts = (LABEL_WEIGHT * by_label, (1 - LABEL_WEIGHT) * by_teacher_B.mean())
        loss = parts[0] + parts[1]
        read = [value.detach().cpu().numpy() for value in (loss, *parts)]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        return read

    return step


def our_step(model: str | Contender, setting: Setting, changes: dict[str, Any]) -> Step:
    """What `train` does with a batch of its loader, which is in page-locked memory where the device is CUDA.

    Args:
        model: a network of this project, or a peer's.
        changes: of the parameters that are shipped.
    """
    if isinstance(model, Contender):
        build, model = model.build, model.name
        globals()[model] = lambda classes: build()
        BACKBONES[model] = f"{__name__}:{model}"
    params = params_of("mobilenet_v2", setting.batch, compiled=False).model_copy(update={"model": model, **changes})
    learner = Learner.for_pretraining(params, CLASSES, Heads(), STEPS_PER_EPOCH, setting.device)
    size, on_gpu = setting.batch, setting.device.type == "cuda"
    ready = []
    for drawn in setting.sounds(CLIP_SAMPLE_RATE_HZ, size):
        audio_BT, targets_BC = (values.pin_memory() if on_gpu else values for values in map(torch.from_numpy, drawn))
        ready.append(Batch(audio_BT, targets_BC, [""] * size, ((0, size),), size))
    batches, numbers = itertools.cycle(ready), itertools.count()

    def step() -> Tensor:
        torch.backends.cudnn.benchmark = on_gpu  # as `train` sets it
        number = next(numbers)
        return learner.step(learner.prepare(next(batches), number), number, params.learning_rate)

    return step


def _quietly(build: Callable[..., Any], **options: Any) -> Any:
    """Without what EfficientAT prints: the whole network."""
    with redirect_stdout(None):
        return build(**options)
