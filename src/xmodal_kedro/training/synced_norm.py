"""Batch norm over the clips of all ranks, so that a batch is normalised alike however many share it."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

Module = TypeVar("Module", bound=nn.Module)


def sync_batch_norm(model: Module, device: torch.device) -> Module:
    """The network with statistics of batch norm over all ranks: torch's own on CUDA, which has none for a CPU."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            # In place, as torch's own conversion would: weights, statistics and their names stay.
            module.__class__ = SyncedBatchNorm1d if isinstance(module, nn.BatchNorm1d) else SyncedBatchNorm2d
    return model


class _Synced(nn.modules.batchnorm._BatchNorm):
    """Batch norm, its mean and variance taken from sums over all ranks; Ioffe and Szegedy (2015), algorithm 1."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        values = input.float()
        dims = [0, *range(2, values.ndim)]
        count = torch.full((1,), values.numel() / values.shape[1], device=values.device)
        # Two passes: a variance from sums of squares would lose the digits that equality over ranks needs.
        total = all_reduce(torch.cat([values.sum(dims), count]))
        mean_C = total[:-1] / total[-1]
        centred = values - _by_channel(mean_C, values)
        variance_C = all_reduce(centred.square().sum(dims)) / total[-1]
        self._remember(mean_C.detach(), variance_C.detach(), total[-1].detach())
        normed = centred * _by_channel((variance_C + self.eps).rsqrt(), values)
        if self.affine:
            normed = normed * _by_channel(self.weight, values) + _by_channel(self.bias, values)
        return normed.to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean_C: Tensor, variance_C: Tensor, count: Tensor) -> None:
        momentum = self.momentum or 0.0
        for remembered, latest in ((self.running_mean, mean_C), (self.running_var, variance_C * count / (count - 1))):
            if remembered is not None:
                remembered.lerp_(latest, momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


class SyncedBatchNorm1d(_Synced, nn.BatchNorm1d):
    """`nn.BatchNorm1d` over all ranks."""


class SyncedBatchNorm2d(_Synced, nn.BatchNorm2d):
    """`nn.BatchNorm2d` over all ranks."""


def _by_channel(values_C: Tensor, like: Tensor) -> Tensor:
    return values_C.view(1, -1, *[1] * (like.ndim - 2))
