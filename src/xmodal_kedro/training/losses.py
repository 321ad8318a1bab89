"""Losses of the steps, brought from the device without making it wait."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from xmodal_kedro.training.ranks import Ranks


@dataclass
class LossBook:
    """The losses of the epoch in progress.

    Steps note tensors on the device; `send` starts their way to the CPU, `receive` books those that were sent before.
    So a report is read one interval after it was requested, when the copy has long arrived.

    Attributes:
        total: sum of the epoch's booked losses.
        steps: how many they are.
        window: booked losses since the last report.
        interrupted: whether a rank was to end when it sent what is booked: all ranks learn of it after the same step.
    """

    ranks: Ranks
    total: float = 0.0
    steps: int = 0
    window: list[float] = field(default_factory=list)
    interrupted: bool = False
    _noted: list[tuple[Tensor, list[str]]] = field(default_factory=list)
    _sent: list[tuple[Tensor, torch.cuda.Event | None, list[list[str]]]] = field(default_factory=list)

    def note(self, loss: Tensor, clip_ids: list[str]) -> None:
        """Keep a step's loss, this rank's part, and the clips that it is of."""
        self._noted.append((loss, clip_ids))

    def send(self, interrupted: bool = False) -> None:
        """Start to bring what was noted, and to all ranks whether this one is to end."""
        if not self._noted:
            return
        losses = torch.stack([loss for loss, _ in self._noted])
        losses = self.ranks.summed(torch.cat([losses, losses.new_tensor([float(interrupted)])]))
        arrived = None
        if losses.is_cuda:
            host = torch.empty(losses.shape, dtype=losses.dtype, pin_memory=True)
            losses = host.copy_(losses, non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record()
        self._sent.append((losses, arrived, [clip_ids for _, clip_ids in self._noted]))
        self._noted = []

    def receive(self) -> None:
        """Book what was sent.

        Raises:
            FloatingPointError: if a loss is not finite, naming the clips of its batch.
        """
        for losses, arrived, clip_ids in self._sent:
            if arrived is not None:
                arrived.synchronize()
            *booked, interrupted = losses.tolist()
            self.interrupted |= interrupted > 0
            for loss, ids in zip(booked, clip_ids, strict=True):
                if not math.isfinite(loss):
                    everyone = [clip_id for part in self.ranks.gathered(ids) for clip_id in part]
                    raise FloatingPointError(
                        f"the training loss became {loss} on clips {', '.join(everyone)}: lower train.learning_rate, "
                        "or look at these clips; the last checkpoint was stored before"
                    )
                self.total += loss
                self.steps += 1
                self.window.append(loss)
        self._sent = []

    def settle(self) -> None:
        """Book everything there is, waiting for the device."""
        self.send()
        self.receive()

    def report(self) -> float:
        """Mean loss since the last report."""
        mean = sum(self.window) / len(self.window)
        self.window = []
        return mean

    def close(self) -> float:
        """Mean loss of the epoch; the next one begins."""
        mean = self.total / self.steps
        self.total, self.steps = 0.0, 0
        return mean
