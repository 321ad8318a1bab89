"""One optimisation step of a network, on any device, alone or as one rank of several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from xmodal_kedro.data.batch import Batch
from xmodal_kedro.data.teacher_embeddings import EmbeddingTargets
from xmodal_kedro.features.augment import Augmentation, Draws, mask, mixup
from xmodal_kedro.features.log_mel import LogMel
from xmodal_kedro.models import build
from xmodal_kedro.models.device import mixed_precision
from xmodal_kedro.params import TrainParams
from xmodal_kedro.params.training import Modality
from xmodal_kedro.training.augmented import augmented, drawn_for, mixed, softened, waveforms
from xmodal_kedro.training.average import WeightAverage
from xmodal_kedro.training.ranks import ALONE, Ranks
from xmodal_kedro.training.schedule import decay_groups, pace_batch_norm
from xmodal_kedro.training.student import Heads, Student
from xmodal_kedro.training.synced_norm import sync_batch_norm

COMPILING_PAYS_FROM_CLIPS = 2_000_000
"""Compiling saves 17 (`mobilenet_v2`) to 44 us a clip (`vggish`) on an H200, and takes 20 to 55 s there."""


@dataclass(frozen=True)
class Prepared:
    """A batch on the device, with the random draws for it.

    Attributes:
        audio: int16 [batch, samples].
        targets: float32 [batch, classes].
        clips: of the whole batch, over all ranks.
        draws: None for validation.
        clip_ids: [batch].
        embeddings: of the teachers whose embeddings are learnt, by modality.
        scores: of a teacher that has heard `audio` as it is, and whether it did so in the loop; see `Batch`.
    """

    audio: Tensor
    targets: Tensor
    clips: int
    draws: Draws | None
    clip_ids: list[str]
    embeddings: Mapping[Modality, EmbeddingTargets] = field(default_factory=dict)
    scores: Tensor | None = None
    is_heard: bool = False

    def tensors(self) -> Iterator[Tensor]:
        """All that is on the device."""
        yield from (self.audio, self.targets)
        for targets in self.embeddings.values():
            yield from targets
        if self.scores is not None:
            yield self.scores
        if self.draws is not None:
            yield from vars(self.draws).values()


@dataclass(frozen=True)
class _Part:
    """What one pass through the network learns from.

    Attributes:
        log_mel_BFM: float32 [batch, frames, mel bands].
        targets_BC: float32 [batch, classes].
        embeddings: float32, by modality.
        scores_BS: see `Prepared.scores`.
    """

    log_mel_BFM: Tensor
    targets_BC: Tensor
    embeddings: Mapping[Modality, EmbeddingTargets]
    scores_BS: Tensor | None


Loss = Callable[[Tensor, Tensor], Tensor]
"""From logits and targets, float32 [batch, classes], to the sum of the loss over the batch."""


def multi_label_loss(logits_BC: Tensor, targets_BC: Tensor) -> Tensor:
    """Sum over clips of the binary cross-entropy, each clip's the mean over classes that do not exclude each other."""
    return F.binary_cross_entropy_with_logits(logits_BC, targets_BC, reduction="sum") / targets_BC.shape[1]


def single_label_loss(logits_BC: Tensor, targets_BC: Tensor) -> Tensor:
    """Sum over clips of the softmax cross-entropy; targets are shares of the classes, which exclude each other."""
    return F.cross_entropy(logits_BC, targets_BC, reduction="sum")


class Learner:
    """The front end, a network, its loss and optimiser, and the average of its weights.

    Pretraining and fine-tuning differ in the network that they begin with and in the loss.

    Args:
        student: the network, with heads for what is learnt beside the labels.
        loss: of the logits.
        params: how it learns.
        steps_per_epoch: for the pace of batch norm.
        device: of all of it.
        ranks: the processes that take the same steps on other parts of the same batches.

    Attributes:
        copies: stream of the device on which batches come; None on a CPU.
    """

    def __init__(
        self,
        student: Student,
        loss: Loss,
        params: TrainParams,
        steps_per_epoch: int,
        device: torch.device,
        ranks: Ranks = ALONE,
    ) -> None:
        self.params, self.device, self.ranks, self._loss = params, device, ranks, loss
        self.augmentation = Augmentation.of(params)
        log_mel = LogMel(params.log_offset).to(device)
        model = student
        pace_batch_norm(model, steps_per_epoch)
        if ranks.count > 1:
            model = sync_batch_norm(model, device)
        self.model: Student = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = WeightAverage(self.model, params.ema_decay)
        groups = decay_groups(self.model, params.weight_decay)
        self.optimiser = torch.optim.AdamW(groups, lr=params.learning_rate, fused=True)
        self.copies = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._embedding_weights: dict[Modality, float] = {
            "audio": params.embedding_weight,
            "visual": params.visual_embedding_weight,
        }
        self._weights = [weight for group in groups for weight in group["params"]]
        self._parallel: DistributedDataParallel | None = None
        if ranks.count > 1:
            self._parallel = DistributedDataParallel(
                self.model,
                device_ids=[device] if device.type == "cuda" else None,
                broadcast_buffers=False,  # they are equal: batch norm is synchronised
                gradient_as_bucket_view=True,
            )
        network = self._parallel or self.model
        compiled = compiles(params, steps_per_epoch, device)
        # A program for each of an epoch's two sizes of batch; else torch makes one for all when it meets the second.
        self.log_mel: nn.Module = torch.compile(log_mel, dynamic=False) if compiled else log_mel  # type: ignore[assignment]
        self._network = torch.compile(network, dynamic=False) if compiled else network

    @classmethod
    def for_pretraining(
        cls,
        params: TrainParams,
        classes: int,
        heads: Heads,
        steps_per_epoch: int,
        device: torch.device,
        ranks: Ranks = ALONE,
    ) -> Learner:
        """With the network that `params.model` names, from random weights, and labels that do not exclude each other.

        Args:
            classes: number of logits.
            heads: what is learnt beside the labels.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(params.seed)
            student = Student(build(params.model, classes, params.vggish_plus), heads)
        return cls(student, multi_label_loss, params, steps_per_epoch, device, ranks)

    def prepare(self, batch: Batch, step: int | None) -> Prepared:
        """Move a batch to the device, without waiting for it.

        Args:
            batch: from the loader, in pinned memory where the device is CUDA.
            step: its number in the training; None for validation, in which nothing is random.
        """
        draws = None
        if step is not None and self.augmentation.is_random:
            drawn = drawn_for(batch, self.augmentation, (self.params.seed, step))
            draws = Draws(**{name: self._moved(value) for name, value in vars(drawn).items()})
        audio_BT, targets_BC = map(self._moved, (batch.audio, batch.targets))
        embeddings = {name: EmbeddingTargets(*map(self._moved, targets)) for name, targets in batch.embeddings.items()}
        scores_BS = None if batch.scores is None else self._moved(batch.scores)
        return Prepared(audio_BT, targets_BC, batch.clips, draws, batch.clip_ids, embeddings, scores_BS, batch.is_heard)

    def step(self, batch: Prepared, step: int, rate: float) -> Tensor:
        """Take one optimisation step.

        Args:
            batch: this rank's part.
            step: its number in the training, which seeds dropout.
            rate: learning rate.

        Returns:
            This rank's part of the mean loss over the whole batch, on the device; the parts add up.
        """
        torch.manual_seed(int(np.random.SeedSequence([self.params.seed, step, self.ranks.rank]).generate_state(1)[0]))
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss = torch.zeros((), device=self.device)
        for at, part_of_batch in enumerate(self._parts(batch), start=1):
            with self._gradients_wait(at < self.params.accumulate):
                part = self._summed_loss(part_of_batch) / batch.clips
                # DDP takes the mean over ranks where the sum is wanted.
                (part * self.ranks.count).backward()
            loss += part.detach()
        if self.params.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self._weights, self.params.gradient_clip)
        self.optimiser.step()
        self.average.update(step)
        return loss

    @torch.inference_mode()
    def predict(self, batch: Prepared) -> Tensor:
        """Logits by the averaged weights, float32 [batch, classes]."""
        with mixed_precision(self.device, self.params.precision):
            logits_BC, _ = self.average.model.backbone(self.log_mel(waveforms(batch.audio)))
        return logits_BC.float()

    def is_finite(self) -> bool:
        """Whether all weights are finite; waits for the device."""
        return bool(torch.stack(torch._foreach_norm(self._weights)).isfinite().all())

    def _parts(self, batch: Prepared) -> Iterator[_Part]:
        """Each of `accumulate` parts, one by one; as many on every rank."""
        audio_BT, targets_BC = waveforms(batch.audio), batch.targets
        embeddings = {
            name: targets._replace(values_BE=targets.values_BE.float()) for name, targets in batch.embeddings.items()
        }
        scores_BS = batch.scores
        if batch.draws is not None and not batch.is_heard:
            audio_BT = augmented(audio_BT, self.augmentation, batch.draws)
            if self.augmentation.mixup_alpha > 0:
                targets_BC = mixup(targets_BC, batch.draws)
                embeddings = {name: mixed(targets, batch.draws) for name, targets in embeddings.items()}
                scores_BS = None if scores_BS is None else mixup(scores_BS, batch.draws)
        parts = np.array_split(np.arange(len(audio_BT)), self.params.accumulate)
        for first, last in ((int(part[0]), int(part[-1]) + 1) for part in parts):
            log_mel_BFM = self.log_mel(audio_BT[first:last])
            if batch.draws is not None and self.augmentation.of_spectrograms:
                log_mel_BFM = mask(log_mel_BFM, batch.draws.between(first, last))
            scores_of_part = None if scores_BS is None else scores_BS[first:last]
            of_part = {
                name: EmbeddingTargets(*(values[first:last] for values in targets))
                for name, targets in embeddings.items()
            }
            yield _Part(log_mel_BFM, targets_BC[first:last], of_part, scores_of_part)

    def _summed_loss(self, part: _Part) -> Tensor:
        """The loss, and by their weights the mean squared errors of teachers' embeddings and the cross-entropy of the
        teacher's scores, where these are learnt, summed over clips."""
        with mixed_precision(self.device, self.params.precision):
            output = self._network(part.log_mel_BFM)
        loss = self._loss(output.logits_BC.float(), part.targets_BC)
        for modality, predicted_BE in output.embeddings.items():
            targets = part.embeddings[modality]
            wanted_BE = self.model.standardised(modality, targets.values_BE)
            squares_BE = (predicted_BE.float() - wanted_BE).square() * targets.shares_B1
            loss = loss + self._embedding_weights[modality] * (squares_BE.sum() / wanted_BE.shape[1])
        if output.score_logits_BS is not None and part.scores_BS is not None:
            live = self.params.live_teacher
            temperature = live.temperature if live.enabled else 1.0
            wanted_BS = softened(part.scores_BS, temperature)
            score_logits_BS = output.score_logits_BS.float() / temperature
            weight = live.scores_weight if live.enabled else self.params.views_weight
            loss = loss + weight * multi_label_loss(score_logits_BS, wanted_BS)
        return loss

    def _gradients_wait(self, more_to_come: bool) -> AbstractContextManager[None]:
        """Ranks exchange gradients once a step, with its last part."""
        return self._parallel.no_sync() if self._parallel is not None and more_to_come else nullcontext()

    def _moved(self, values: Tensor) -> Tensor:
        if self.device.type == "cpu":
            return values
        pinned = values if values.is_pinned() else values.pin_memory()
        return pinned.to(self.device, non_blocking=True)


def compiles(params: TrainParams, steps_per_epoch: int, device: torch.device) -> bool:
    """Whether a training's network is compiled; see `TrainParams.compile`."""
    if params.compile != "auto":
        return params.compile
    clips = params.epochs * steps_per_epoch * params.batch_size
    return device.type == "cuda" and clips >= COMPILING_PAYS_FROM_CLIPS
