"""The complete state of a training between two epochs, as plain tensors and JSON.

Random numbers need no place in it: all those of an epoch follow from the seed and the epoch's number.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from xmodal_kedro.handles import Checkpoints
from xmodal_kedro.models import Backbone
from xmodal_kedro.params import TrainParams

logger = logging.getLogger(__name__)


@dataclass
class TrainingState:
    """What changes while training.

    Attributes:
        history: one row for each epoch done.
        best: row of `history` with the highest `validation_map`, the first of equals.
        best_weights: the model's weights then.
    """

    model: Backbone
    optimiser: torch.optim.Optimizer
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def add_epoch(self, row: dict[str, float]) -> None:
        """Note an epoch, and keep the weights if they are the best so far."""
        self.history.append(row)
        if not self.best or row["validation_map"] > self.best["validation_map"]:
            self.best = row
            self.best_weights = plain_weights(self.model)


def plain_weights(model: Backbone) -> dict[str, Tensor]:
    """A copy of a model's weights on the CPU, in plain memory order."""
    return {
        name: weight.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, weight in model.state_dict().items()
    }


def fingerprint_training(params: TrainParams, data_fingerprint: str, code: str) -> str:
    """32 hex digits: equal ones mean that one training may go on where the other stopped."""
    text = json.dumps([params.model_dump(mode="json"), data_fingerprint, code], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def save(checkpoints: Checkpoints, state: TrainingState, fingerprint: str) -> None:
    """Store the state under the training's fingerprint, in place of the one before."""
    tensors = {f"model/{name}": weight.cpu().contiguous() for name, weight in state.model.state_dict().items()}
    tensors |= {f"best/{name}": weight for name, weight in state.best_weights.items()}
    for index, moments in state.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{name}": value.cpu().contiguous() for name, value in moments.items()}
    checkpoints.save(tensors, {"fingerprint": fingerprint, "history": state.history, "best": state.best})


def restore(checkpoints: Checkpoints, state: TrainingState, fingerprint: str) -> None:
    """Bring a fresh state to where the stored one was; another training's is left alone, with a line in the log."""
    stored = checkpoints.load()
    if stored is None:
        return
    tensors, notes = stored
    if notes.get("fingerprint") != fingerprint:
        logger.info("The stored checkpoint belongs to other parameters or data: training starts anew")
        return
    state.model.load_state_dict(_below(tensors, "model/"))
    state.best_weights = _below(tensors, "best/")
    _restore_optimiser(state.optimiser, _below(tensors, "optimiser/"))
    state.history, state.best = notes["history"], notes["best"]
    logger.info("Training goes on after %d finished epochs", len(state.history))


def _restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    groups = optimiser.state_dict()["param_groups"]
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    moments: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        index, name = key.split("/")
        # A fused step walks weights and moments in memory order, so both must have the same strides.
        if value.shape == parameters[int(index)].shape:
            value = torch.empty_like(parameters[int(index)], requires_grad=False).copy_(value)
        moments.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": moments, "param_groups": groups})


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
