"""The loops timed by `train_speed`: a network's step, alone and from shards, its front end, and a plain loop."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
import torchaudio
from numpy.typing import NDArray
from simulated_clips import CLASSES, CLIP_S, Corpus
from torch import Tensor, nn

from xmodal_kedro.data.batch import Batch
from xmodal_kedro.data.loader import Reader
from xmodal_kedro.features.framing import HOP_LENGTH, WINDOW_LENGTH
from xmodal_kedro.features.log_mel import FFT_LENGTH, MEL_BANDS, MEL_HIGH_HZ, MEL_LOW_HZ, LogMel
from xmodal_kedro.models import build
from xmodal_kedro.params import TrainParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ, INT16_FULL_SCALE
from xmodal_kedro.training.learner import Learner, Prepared
from xmodal_kedro.training.to_device import on_device

READY_BATCHES = 4
"""Different ones that are ready before the time of a step is taken."""
STEPS_PER_EPOCH = 1_000
"""So that batch norm has its usual pace."""
SAMPLES = round(CLIP_S * CLIP_SAMPLE_RATE_HZ)

Step = Callable[[], object]


@dataclass(frozen=True)
class Timer:
    """Seconds a step: of the processor on a CPU, where other programs then do not count; by the clock on a GPU."""

    device: torch.device

    def __call__(self, step: Step, steps: int) -> float:
        """The mean of so many steps, the device's work done before and after."""
        self.wait()
        started_s = self._now()
        for _ in range(steps):
            step()
        self.wait()
        return (self._now() - started_s) / steps

    def wait(self) -> None:
        """Wait for the work of the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _now(self) -> float:
        return time.perf_counter() if self.device.type == "cuda" else time.process_time()


def params_of(model: str, batch_size: int, compiled: bool, reader_threads: int = 2) -> TrainParams:
    """Those that are shipped, of another network and batch."""
    chosen = {"batch_size": batch_size, "compile": compiled, "clip_s": CLIP_S, "reader_threads": reader_threads}
    return TrainParams.model_validate({"model": model, **chosen})


def draw_clips(batch_size: int, seed: int) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Noise of 4 s and some targets: int16 [batch, samples] and float32 [batch, classes]."""
    rng = np.random.default_rng(seed)
    audio_BT = rng.integers(-3_000, 3_000, (batch_size, SAMPLES), np.int16)
    return audio_BT, (rng.random((batch_size, CLASSES)) < 3 / CLASSES).astype(np.float32)


def ready_batches(learner: Learner) -> list[Prepared]:
    """Batches on the device."""
    size = learner.params.batch_size
    prepared = []
    for seed in range(READY_BATCHES):
        audio_BT, targets_BC = map(torch.from_numpy, draw_clips(size, seed))
        drawn = Batch(audio_BT, targets_BC, [""] * size, ((0, size),), size)
        prepared.append(learner.prepare(drawn, seed))
    return prepared


def step_only(learner: Learner) -> Step:
    """The whole training step, front end included, on batches that are ready."""
    batches = itertools.cycle(ready_batches(learner))
    numbers = itertools.count()
    return lambda: learner.step(next(batches), next(numbers), learner.params.learning_rate)


def front_end_only(learner: Learner) -> Step:
    """From int16 to log-mel."""
    batches = itertools.cycle(ready_batches(learner))

    def step() -> Tensor:
        with torch.no_grad():
            log_mel_BFM: Tensor = learner.log_mel(next(batches).audio.float() / INT16_FULL_SCALE)
        return log_mel_BFM

    return step


def from_shards(learner: Learner, corpus: Corpus) -> Generator[Tensor]:
    """Losses of one training step after the other, epoch by epoch, as `train` takes them."""
    stream = corpus.stream(learner.params)
    reader = Reader(threads=learner.params.reader_threads, pinned=learner.device.type == "cuda")
    numbers = itertools.count()
    for epoch in itertools.count():
        with closing(stream.batches(epoch, reader=reader)) as batches:
            for batch in on_device(batches, learner, 0):
                yield learner.step(batch, next(numbers), learner.params.learning_rate)


class PlainLoop:
    """The usual loop: log-mel by torchaudio on the fly, float32, default layout, Adam, and the loss read each step.

    Frames are 25 ms every 10 ms, without padding at the ends, so that the network sees as many as ours.
    """

    def __init__(self, model: str, batch_size: int, device: torch.device) -> None:
        self.front_end = torchaudio_mel().to(device)
        self.model = build(model, CLASSES).to(device)
        self.optimiser = torch.optim.Adam(self.model.parameters())
        self.device = device
        self.batches = itertools.cycle([draw_clips(batch_size, seed) for seed in range(READY_BATCHES)])

    def step(self) -> float:
        """Take one step; returns the loss."""
        audio_BT, targets_BC = (torch.from_numpy(values).to(self.device) for values in next(self.batches))
        log_mel_BMF = torch.log(self.front_end(audio_BT.float() / INT16_FULL_SCALE) + 0.01)
        logits_BC, _ = self.model(log_mel_BMF.transpose(1, 2))
        loss = F.binary_cross_entropy_with_logits(logits_BC, targets_BC)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()


def torchaudio_mel() -> nn.Module:
    """torchaudio's mel spectrogram with our constants."""
    mel: nn.Module = torchaudio.transforms.MelSpectrogram(
        sample_rate=CLIP_SAMPLE_RATE_HZ,
        n_fft=FFT_LENGTH,
        win_length=WINDOW_LENGTH,
        hop_length=HOP_LENGTH,
        f_min=MEL_LOW_HZ,
        f_max=MEL_HIGH_HZ,
        n_mels=MEL_BANDS,
        power=1.0,
        center=False,
    )
    return mel


def log_mel_ways(duration_s: float, device: torch.device) -> dict[str, Step]:
    """Log-mel of one sound, by this project and by torchaudio."""
    samples = round(duration_s * CLIP_SAMPLE_RATE_HZ)
    sound_1T = torch.rand((1, samples), generator=torch.Generator().manual_seed(0)).to(device) - 0.5
    ours, theirs = LogMel().to(device), torchaudio_mel().to(device)
    return {"this project": lambda: ours(sound_1T), "torchaudio": lambda: torch.log(theirs(sound_1T) + 0.01)}


def in_turn(
    ways: dict[str, Step], steps: dict[str, int], timer: Timer, rounds: int, lead_in: int = 0
) -> dict[str, list[float]]:
    """Seconds a step of each way, round by round, the first way another one each time.

    Before that each takes a step that does not count. Before each round it takes `lead_in` such steps: a loader has
    read ahead while others had their turn.
    """
    names = list(ways)
    for name in names:
        timer(ways[name], 1)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in _rotated(names, turn):
            if lead_in:
                timer(ways[name], lead_in)
            seconds[name].append(timer(ways[name], steps[name]))
    return seconds


def _rotated(names: Sequence[str], turn: int) -> list[str]:
    first = turn % len(names)
    return [*names[first:], *names[:first]]
