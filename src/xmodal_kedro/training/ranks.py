"""The processes that train together, as one of them sees it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """This process is number `rank` of `count`, and `local` on its machine."""

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def leads(self) -> bool:
        """Whether it is the one that validates, stores and reports."""
        return self.rank == 0

    def summed(self, values: Tensor) -> Tensor:
        """The sum over all ranks."""
        if self.count > 1:
            dist.all_reduce(values)
        return values

    def gathered(self, value: Any) -> list[Any]:
        """What each rank has, in order of rank, on every rank."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value)
        return values

    def gathered_by_leader(self, value: Any) -> list[Any] | None:
        """What each rank has, in order of rank, on the leader; None on the others."""
        if self.count == 1:
            return [value]
        values: list[Any] | None = [None] * self.count if self.leads else None
        dist.gather_object(value, values)
        return values

    def from_leader(self, value: Any) -> Any:
        """What the leader has, on every rank."""
        if self.count == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values)
        return values[0]


ALONE = Ranks()


@contextmanager
def joined(device_type: str) -> Iterator[Ranks]:
    """Join the other processes that the elastic launcher started: by NCCL on CUDA, else by Gloo."""
    ranks = Ranks(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_RANK"]))
    if device_type == "cuda":
        torch.cuda.set_device(ranks.local)
    dist.init_process_group("nccl" if device_type == "cuda" else "gloo")
    yield ranks
    dist.destroy_process_group()  # after an error, others may be waiting for this process, and it would for them
