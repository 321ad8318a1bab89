"""Train a network, in this process or in several, and describe it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xmodal_kedro.models import build
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.card import make_card
from xmodal_kedro.models.device import check_devices
from xmodal_kedro.params import TrainParams
from xmodal_kedro.recipes import recipe_of
from xmodal_kedro.storage import Checkpoints
from xmodal_kedro.training.checkpoint import Progress, plain_weights, stored_progress
from xmodal_kedro.training.launch import launch
from xmodal_kedro.training.loop import train
from xmodal_kedro.training.memory import explain_shortage
from xmodal_kedro.training.training_data import TrainingData


@dataclass(frozen=True)
class Fitted:
    """The model with the weights of its best epoch, that epoch's row, and the rows of all epochs."""

    model: Backbone
    best: dict[str, float]
    history: list[dict[str, float]]


@dataclass(frozen=True)
class TrainedNetwork:
    """Weights of the best epoch by name, the card that belongs to them, and the rows of all epochs."""

    weights: dict[str, Tensor]
    card: dict[str, Any]
    history: list[dict[str, float]]


def train_network(data: TrainingData, params: TrainParams, checkpoints: Checkpoints) -> TrainedNetwork:
    """As `fit`, in the form that is stored."""
    fitted = fit(data, params, checkpoints)
    card = make_card(fitted.model, data.classes, params, data.fingerprint, fitted.best, str(recipe_of(train)))
    return TrainedNetwork(plain_weights(fitted.model), card, fitted.history)


def fit(data: TrainingData, params: TrainParams, checkpoints: Checkpoints) -> Fitted:
    """Train a backbone and take its averaged weights at the epoch of highest validation mAP.

    With `params.devices` or `params.nodes`, other processes do the work, and this one relays what they report.

    Raises:
        MemoryError: if a batch does not fit the GPU, naming one that would.
        RuntimeError: if processes died more often than `params.restarts` allows.
        UserError, FloatingPointError, OSError: as `loop.train`.
    """
    check_devices(params.device, params.devices)
    progress = _train(data, params, checkpoints)
    if progress is None:
        gpu = torch.device("cuda", torch.cuda.current_device())
        raise MemoryError(explain_shortage(params, len(data.classes), data.heads(params), gpu))
    with torch.random.fork_rng(devices=[]):
        model = build(params.model, len(data.classes), params.vggish_plus).eval()
    model.load_state_dict(progress.best_weights)
    return Fitted(model, progress.best, progress.history)


def _train(data: TrainingData, params: TrainParams, checkpoints: Checkpoints) -> Progress | None:
    """None if a batch does not fit a GPU; what was in its memory is free then, as no error holds on to it."""
    try:
        if params.devices * params.nodes == 1:
            return train(data, params, checkpoints)
        launch(data, params, checkpoints)
    except torch.OutOfMemoryError:
        return None
    return stored_progress(checkpoints)
