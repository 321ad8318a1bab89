"""The training loop: clips in, the weights of the best epoch out."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from xmodal_kedro import events
from xmodal_kedro.audio.augment import mixup
from xmodal_kedro.audio.log_mel import LogMel
from xmodal_kedro.audio.stream import Batch
from xmodal_kedro.handles import Checkpoints
from xmodal_kedro.models import Backbone, build
from xmodal_kedro.models.device import choose_device, mixed_precision
from xmodal_kedro.params import TrainParams
from xmodal_kedro.pcm import INT16_FULL_SCALE
from xmodal_kedro.source_code import code_digest
from xmodal_kedro.training import checkpoint
from xmodal_kedro.training.checkpoint import TrainingState
from xmodal_kedro.training.data import TrainingData
from xmodal_kedro.training.metrics import mean_average_precision
from xmodal_kedro.training.schedule import decay_groups, learning_rate, pace_batch_norm

logger = logging.getLogger(__name__)

_REPORT_STEPS = 20
"""Steps between two looks at the loss: each look makes a GPU wait."""


@dataclass(frozen=True)
class Fitted:
    """The model with the weights of its best epoch, that epoch's row, and the rows of all epochs."""

    model: Backbone
    best: dict[str, float]
    history: list[dict[str, float]]


def fit(data: TrainingData, params: TrainParams, checkpoints: Checkpoints) -> Fitted:
    """Train a backbone and take its weights at the epoch of highest validation mAP.

    After every epoch the whole state is stored. A training of equal parameters and data goes on from there, on a CPU
    to the same bits as one never stopped; one that was finished is not trained again.

    Raises:
        ValueError: if CUDA is asked for and absent.
        FloatingPointError: if the loss is no longer finite, naming the clips of the batch.
    """
    trainer = _Trainer(data, params)
    fingerprint = checkpoint.fingerprint_training(params, data.fingerprint, code_digest(fit))
    checkpoint.restore(checkpoints, trainer.state, fingerprint)
    done = len(trainer.state.history)
    if done < params.epochs:
        logger.info("Training %s on %d clips, validating on %d", params.model, data.train_count, data.validation_count)
    epochs = range(done, params.epochs)
    with tqdm(epochs, params.model, params.epochs, unit="epoch", initial=done, disable=None) as bar:
        for epoch in bar:
            row = trainer.run_epoch(epoch)
            trainer.state.add_epoch(row)
            checkpoint.save(checkpoints, trainer.state, fingerprint)
            bar.set_postfix(loss=f"{row['train_loss']:.4f}", mAP=f"{row['validation_map']:.3f}")
            if bar.disable:  # no terminal to draw on
                logger.info("epoch %d/%d: %s", epoch + 1, params.epochs, _describe(row))
    return trainer.finish()


class _Trainer:
    """One training: what stays the same between its epochs, and its state."""

    def __init__(self, data: TrainingData, params: TrainParams) -> None:
        self.data, self.params = data, params
        self.device = choose_device(params.device, "train.device")
        self.log_mel = LogMel(params.log_offset).to(self.device)
        with torch.random.fork_rng():
            torch.manual_seed(params.seed)
            model = build(params.model, len(data.classes), params.vggish_plus)
        self.steps_per_epoch = math.ceil(data.train_count / params.batch_size)
        pace_batch_norm(model, self.steps_per_epoch)
        model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        groups = decay_groups(model, params.weight_decay)
        self.state = TrainingState(model, torch.optim.AdamW(groups, lr=params.learning_rate, fused=True))

    def run_epoch(self, epoch: int) -> dict[str, float]:
        """Train on every clip once, validate, and give the epoch's row of the history."""
        started = time.perf_counter()
        train_loss = self._train_epoch(epoch)
        clips_per_s = self.data.train_count / (time.perf_counter() - started)
        validation_loss, validation_map = self._validate()
        last_step = (epoch + 1) * self.steps_per_epoch - 1
        row = {
            "epoch": epoch,
            "train_loss": train_loss,
            "validation_loss": validation_loss,
            "validation_map": validation_map,
            "learning_rate": self._learning_rate(last_step),
        }
        events.emit(
            {
                "epoch.train_loss": train_loss,
                "epoch.validation_loss": validation_loss,
                "epoch.validation_map": validation_map,
                "epoch.clips_per_s": clips_per_s,
            },
            last_step,
        )
        return row

    def finish(self) -> Fitted:
        """Take back the best weights."""
        model = self.state.model.to("cpu", memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
        model.load_state_dict(self.state.best_weights)
        return Fitted(model, self.state.best, self.state.history)

    def _train_epoch(self, epoch: int) -> float:
        rng = np.random.default_rng([self.params.seed, epoch])
        losses: list[float] = []
        waiting: list[tuple[Tensor, list[str]]] = []
        self.state.model.train()
        with torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**62)))
            first_step = epoch * self.steps_per_epoch
            for step, batch in enumerate(self.data.train.batches(self.data.train_count, epoch), first_step):
                rate = self._learning_rate(step)
                waiting.append((self._step(batch, rate, rng), batch.clip_ids))
                if len(waiting) == _REPORT_STEPS or step == first_step + self.steps_per_epoch - 1:
                    latest = _finite_losses(waiting)
                    events.emit({"step.train_loss": float(np.mean(latest)), "step.learning_rate": rate}, step)
                    losses += latest
                    waiting = []
        return float(np.mean(losses))

    def _step(self, batch: Batch, rate: float, rng: np.random.Generator) -> Tensor:
        audio_BT, targets_BC = self._to_device(batch)
        if self.params.mixup_alpha > 0:
            audio_BT, targets_BC = mixup(audio_BT, targets_BC, self.params.mixup_alpha, rng)
        optimiser = self.state.optimiser
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
        loss = F.binary_cross_entropy_with_logits(self._logits(audio_BT), targets_BC)
        loss.backward()
        optimiser.step()
        return loss.detach()

    @torch.inference_mode()
    def _validate(self) -> tuple[float, float]:
        self.state.model.eval()
        logits, targets = [], []
        for batch in self.data.validation.batches(self.data.validation_count):
            audio_BT, targets_BC = self._to_device(batch)
            logits.append(self._logits(audio_BT).cpu())
            targets.append(targets_BC.cpu())
        logits_NC, targets_NC = torch.cat(logits), torch.cat(targets)
        loss = F.binary_cross_entropy_with_logits(logits_NC, targets_NC)
        return float(loss), mean_average_precision(targets_NC.numpy(), logits_NC.numpy())

    def _logits(self, audio_BT: Tensor) -> Tensor:
        with mixed_precision(self.device):
            logits_BC, _ = self.state.model(self.log_mel(audio_BT))
        return logits_BC.float()

    def _to_device(self, batch: Batch) -> tuple[Tensor, Tensor]:
        audio_BT = torch.from_numpy(batch.audio).to(self.device)
        return audio_BT.float() / INT16_FULL_SCALE, torch.from_numpy(batch.targets).to(self.device)

    def _learning_rate(self, step: int) -> float:
        return learning_rate(step, self.params.epochs * self.steps_per_epoch, self.params)


def _describe(row: dict[str, float]) -> str:
    names = {"train_loss": "loss", "validation_loss": "validation loss", "validation_map": "validation mAP"}
    return ", ".join(f"{name} {row[key]:.4f}" for key, name in names.items())


def _finite_losses(waiting: list[tuple[Tensor, list[str]]]) -> list[float]:
    losses = torch.stack([loss for loss, _ in waiting]).tolist()
    for loss, (_, clip_ids) in zip(losses, waiting, strict=True):
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the training loss became {loss} on clips {', '.join(clip_ids)}: "
                "lower train.learning_rate, or look at these clips"
            )
    return losses
