"""The training loop, as one process runs it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext

import torch
import torch.nn.functional as F

from xmodal_kedro import metric_callbacks
from xmodal_kedro.data.loader import Reader
from xmodal_kedro.models.device import choose_device
from xmodal_kedro.params import TrainParams
from xmodal_kedro.progress import ProgressBar
from xmodal_kedro.recipes import recipe, recipe_of
from xmodal_kedro.storage import Checkpoints
from xmodal_kedro.training.checkpoint import Keeper, Progress, identify
from xmodal_kedro.training.interruption import Interruption
from xmodal_kedro.training.learner import Learner
from xmodal_kedro.training.live_teaching import heard
from xmodal_kedro.training.losses import LossBook
from xmodal_kedro.training.metrics import mean_average_precision
from xmodal_kedro.training.ranks import ALONE, Ranks
from xmodal_kedro.training.schedule import learning_rate
from xmodal_kedro.training.to_device import on_device
from xmodal_kedro.training.training_data import TrainingData

logger = logging.getLogger(__name__)


@recipe("train", version=1, libraries=("torch",))
def train(
    data: TrainingData,
    params: TrainParams,
    checkpoints: Checkpoints,
    ranks: Ranks = ALONE,
    interruption: Interruption | None = None,
) -> Progress:
    """Train until all epochs are done, or no better one has come for `params.patience`.

    The state is stored every `params.checkpoint_steps`, after each epoch, and before Ctrl-C or SIGTERM ends a training,
    after the step that is being taken. A training of equal parameters, data and recipe resumes from there, on a CPU to
    the same bits as one never stopped; one that was finished is not trained again.

    Args:
        data: what is learnt from.
        params: `train`.
        checkpoints: where the state is stored.
        ranks: the processes that train together.
        interruption: what ends the training early; the caller then ends the process. None to do both here.

    Raises:
        KeyboardInterrupt, SystemExit: after Ctrl-C or SIGTERM, once the state is stored.
        UserError: if CUDA is wanted and absent, the stored state is of another, unfinished training, or a shard
            cannot be read.
        FloatingPointError: if the loss is no longer finite, naming the clips of the batch.
        torch.OutOfMemoryError: if a batch does not fit the GPU.
        OSError: if the state cannot be stored.
    """
    device = choose_device(params.device, "train.device")
    if device.type == "cuda":
        device = torch.device("cuda", ranks.local)
    ended_here = interruption is None
    with (
        _algorithms(params, device),
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        Interruption() if interruption is None else nullcontext(interruption) as interruption,
    ):
        progress = _Training(data, params, checkpoints, device, ranks, interruption).run()
    if ended_here:
        interruption.end()
    return progress


class _Training:
    """One training: what stays the same between its steps, and how far it has come."""

    def __init__(
        self,
        data: TrainingData,
        params: TrainParams,
        checkpoints: Checkpoints,
        device: torch.device,
        ranks: Ranks,
        interruption: Interruption,
    ) -> None:
        self.data, self.params, self.ranks, self.interruption = data, params, ranks, interruption
        self.reader = Reader(ranks.rank, ranks.count, params.reader_threads, pinned=device.type == "cuda")
        self.steps_per_epoch = data.train.order().steps
        self.steps = params.epochs * self.steps_per_epoch
        self.learner = Learner.for_pretraining(
            params,
            len(data.classes),
            data.heads(params),
            self.steps_per_epoch,
            device,
            ranks,
        )
        self.book = LossBook(ranks)
        identity = identify(params, data.identity, recipe_of(train))
        self.keeper = Keeper(checkpoints, identity, recipe_of(train), params.checkpoints_kept)
        self.progress = self.keeper.restore(self.learner, self.book)
        if len(set(ranks.gathered(self.progress.step))) > 1:
            raise OSError(
                f"the machines do not see the same checkpoints in {checkpoints.path}: put data_root on storage that "
                "they share"
            )
        self.epoch_starts = 0
        self.reported = self.epoch_began = (time.perf_counter(), 0)
        self.clips_done = 0

    def run(self) -> Progress:
        """Train from where it stands to its end, or until it is interrupted and stored."""
        clips = (self.data.train.groups.clips, self.data.validation.groups.clips)
        if self.progress.step and not self.progress.finished:
            logger.info("Training goes on after %d of %d steps", self.progress.step, self.steps)
        elif not self.progress.finished:
            logger.info("Training %s on %d clips, validating on %d", self.params.model, *clips)
        else:
            logger.info("%s is trained already (%d steps): its weights are kept", self.params.model, self.progress.step)
        with closing(self.keeper), self._bar() as bar:
            while not self.progress.finished and not self._is_interrupted:
                self._train_epoch(bar)
                if self.progress.step % self.steps_per_epoch:
                    break
                row = self._end_epoch()
                bar.set_postfix(loss=f"{row['train_loss']:.4f}", mAP=f"{row['validation_map']:.3f}")
                if self.ranks.leads and not bar.draws:
                    logger.info("epoch %d/%d: %s", row["epoch"] + 1, self.params.epochs, _describe(row))
            self.keeper.wait()
            if self._is_interrupted and not self.progress.finished and self.ranks.leads:
                logger.warning(
                    "Training was interrupted and is stored after step %d of %d: the same command goes on from there",
                    self.progress.step,
                    self.steps,
                )
        return self.progress

    @property
    def _is_interrupted(self) -> bool:
        """Whether the training is to end after this step, the same on every rank."""
        return self.book.interrupted if self.ranks.count > 1 else self.interruption.number is not None

    def _train_epoch(self, bar: ProgressBar) -> None:
        """Take the steps that remain of the epoch; if it is interrupted on the way, store the state."""
        progress = self.progress
        epoch, first = divmod(progress.step, self.steps_per_epoch)
        self.epoch_starts = epoch * self.steps_per_epoch
        self.epoch_began = (time.perf_counter(), self.clips_done)
        read = self.data.train.batches(epoch, first, self.reader)
        if self.data.teacher is not None:
            read = heard(read, self.data.teacher, self.params, progress.step)
        with closing(read) as batches:
            for batch in on_device(batches, self.learner, progress.step):
                rate = self._learning_rate(progress.step)
                self.book.note(self.learner.step(batch, progress.step, rate), batch.clip_ids)
                progress.step += 1
                self.clips_done += batch.clips
                bar.update(batch.clips)
                if progress.step % self.params.report_steps == 0:
                    self.book.receive()
                    self._report(bar)
                    self.book.send(interrupted=self.interruption.number is not None)
                if progress.step % self.steps_per_epoch == 0:
                    continue  # the epoch is over, and is stored with what validation finds
                if progress.step % self.params.checkpoint_steps == 0 or self._is_interrupted:
                    self._store()
                if self._is_interrupted:
                    return

    def _end_epoch(self) -> dict[str, float]:
        """Validate, and give the epoch's row of the history."""
        self.book.settle()
        self._report(None)
        began, clips_before = self.epoch_began
        clips_per_s = (self.clips_done - clips_before) / (time.perf_counter() - began)
        epoch, last_step = self.progress.step // self.steps_per_epoch - 1, self.progress.step - 1
        train_loss = self.book.close()
        validation_loss, validation_map = self._validate()
        row = {
            "epoch": epoch,
            "train_loss": train_loss,
            "validation_loss": validation_loss,
            "validation_map": validation_map,
            "learning_rate": self._learning_rate(last_step),
        }
        metrics = {f"epoch.{name}": row[name] for name in ("train_loss", "validation_loss", "validation_map")}
        self._emit({**metrics, "epoch.clips_per_s": clips_per_s}, last_step)
        self.progress.add_epoch(row, self.learner.average.model.backbone)
        stalled = self.params.patience is not None and epoch - self.progress.best["epoch"] >= self.params.patience
        self.progress.finished = stalled or self.progress.step == self.steps
        if stalled and self.ranks.leads:
            logger.info("No better epoch for %d: training ends", self.params.patience)
        self._store()
        return row

    def _validate(self) -> tuple[float, float]:
        """Loss and mAP of the averaged weights, the same on every rank."""
        logits, targets = [], []
        with closing(self.data.validation.batches(reader=self.reader)) as batches:
            for batch in on_device(batches, self.learner, None):
                if len(batch.clip_ids):  # the last one may be too small for all ranks
                    logits.append(self.learner.predict(batch))
                    targets.append(batch.targets)
        classes = len(self.data.classes)
        mine = [torch.cat([torch.zeros(0, classes), *(part.cpu() for part in parts)]) for parts in (logits, targets)]
        gathered = self.ranks.gathered_by_leader(mine)
        measured = None
        if gathered is not None:
            logits_NC, targets_NC = (torch.cat(parts) for parts in zip(*gathered, strict=True))
            loss = float(F.binary_cross_entropy_with_logits(logits_NC, targets_NC))
            measured = (loss, mean_average_precision(targets_NC.numpy(), logits_NC.numpy()))
        loss, mean_ap = self.ranks.from_leader(measured)
        return loss, mean_ap

    def _report(self, bar: ProgressBar | None) -> None:
        """Report the steps whose losses have arrived."""
        if not self.book.window:
            return
        step = self.epoch_starts + self.book.steps - 1
        (before, clips_before), now = self.reported, time.perf_counter()
        metrics = {
            "step.train_loss": self.book.report(),
            "step.learning_rate": self._learning_rate(step),
            "step.clips_per_s": (self.clips_done - clips_before) / (now - before),
        }
        if self.learner.device.type == "cuda":
            metrics["step.gpu_memory_gb"] = torch.cuda.max_memory_allocated(self.learner.device) / 1e9
        self.reported = (now, self.clips_done)
        self._emit(metrics, step)
        if bar is not None:
            bar.set_postfix(loss=f"{metrics['step.train_loss']:.4f}")

    def _store(self) -> None:
        self.book.settle()  # nothing is stored of a training that has gone astray
        if not self.learner.is_finite():
            raise FloatingPointError(
                f"weights are no longer finite after step {self.progress.step}: lower train.learning_rate, or set "
                "train.gradient_clip; the last checkpoint was stored before"
            )
        if self.ranks.leads:
            self.keeper.save(self.learner, self.progress, self.book)

    def _emit(self, metrics: dict[str, float], step: int) -> None:
        if self.ranks.leads:
            metric_callbacks.emit(metrics, step)

    def _learning_rate(self, step: int) -> float:
        return learning_rate(step, self.steps, self.params)

    def _bar(self) -> ProgressBar:
        clips = self.data.train.groups.clips
        epochs, step = divmod(self.progress.step, self.steps_per_epoch)
        return ProgressBar(
            desc=self.params.model,
            total=self.params.epochs * clips,
            initial=epochs * clips + sum(self.data.train.order().sizes[:step]),
            unit="clips",
            unit_scale=True,
            disable=not self.ranks.leads or self.progress.finished,
        )


@contextmanager
def _algorithms(params: TrainParams, device: torch.device) -> Iterator[None]:
    """Have CUDA choose its fastest algorithms, or only deterministic ones."""
    before = (torch.backends.cudnn.benchmark, torch.are_deterministic_algorithms_enabled())
    # Trying algorithms pays: an epoch has two sizes of batch.
    torch.backends.cudnn.benchmark = device.type == "cuda" and not params.deterministic
    torch.use_deterministic_algorithms(params.deterministic)
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before[0]
        torch.use_deterministic_algorithms(before[1])


def _describe(row: dict[str, float]) -> str:
    names = {"train_loss": "loss", "validation_loss": "validation loss", "validation_map": "validation mAP"}
    return ", ".join(f"{name} {row[key]:.4f}" for key, name in names.items())
