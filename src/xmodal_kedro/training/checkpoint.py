"""The complete state of a training between two steps, as plain tensors and JSON.

Random numbers need no place in it: all those of a step follow from the seed and the step's number, and so does the
place in the stream of clips.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import TrainParams
from xmodal_kedro.recipes import Recipe, library_versions, version_0_1
from xmodal_kedro.storage import Checkpoints
from xmodal_kedro.training.learner import Learner
from xmodal_kedro.training.losses import LossBook

logger = logging.getLogger(__name__)

FORMAT = 3
"""Of the stored state; a change that earlier states cannot be read under gets another number."""
FORMAT_NAME, RECIPE = "the format of checkpoints", "the recipe of training"
CODE_IN_VERSION_0_1 = "the version of xmodal-kedro"
"""What version 0.1 called the digest of its code, which recipes have replaced."""

MAX_DIFFERENCES_SHOWN = 5


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        step: steps taken.
        history: one row for each epoch done.
        best: row of `history` with the highest `validation_map`, the first of equals.
        best_weights: the averaged weights then.
        finished: whether nothing remains to be done.
    """

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    finished: bool = False

    def add_epoch(self, row: dict[str, float], model: nn.Module) -> None:
        """Note an epoch, and keep the weights if they are the best so far."""
        self.history.append(row)
        if not self.best or row["validation_map"] > self.best["validation_map"]:
            self.best = row
            self.best_weights = plain_weights(model)


def plain_weights(model: nn.Module) -> dict[str, Tensor]:
    """A copy of a model's weights on the CPU, in plain memory order."""
    return {name: _plain(weight) for name, weight in model.state_dict().items()}


def identify(params: TrainParams, data: Mapping[str, str], recipe: Recipe) -> dict[str, str]:
    """What a training is, as names and what they stand for: two that are equal may go on from each other's state.

    Args:
        params: those of `Params.identity` count.
        data: hashes of what is learnt from, by name.
        recipe: of training.
    """
    plain = {f"train.{name}": json.dumps(value, sort_keys=True) for name, value in _flat(params.identity()).items()}
    libraries = library_versions(recipe.libraries)
    return {**plain, **data, RECIPE: str(recipe), **libraries, FORMAT_NAME: str(FORMAT)}


def _upgraded(identity: Mapping[str, str], recipe: Recipe) -> Mapping[str, str]:
    """An identity that version 0.1 stored, as `identify` gives it now; others as they are."""
    code = identity.get(CODE_IN_VERSION_0_1)
    if code is None or recipe.version > 1 or code not in version_0_1()["recipes"][recipe.name]["code"].values():
        return identity
    kept = {name: value for name, value in identity.items() if name != CODE_IN_VERSION_0_1}
    return {**kept, RECIPE: str(recipe), **library_versions(recipe.libraries)}


def stored_identity(notes: Mapping[str, Any], recipe: Recipe, path: str) -> Mapping[str, str]:
    """The identity in a stored state, as `identify` gives it now.

    Args:
        notes: of the state.
        recipe: of training.
        path: of the checkpoints, for messages.

    Raises:
        UserError: if a newer version of this project stored it.
    """
    theirs = _upgraded(notes.get("identity", {}), recipe)
    if theirs.get(FORMAT_NAME, "").isdigit() and int(theirs[FORMAT_NAME]) > FORMAT:
        raise UserError(
            f"{path} was stored by a newer version of xmodal-kedro: upgrade, or set another --params data_root=FOLDER"
        )
    return theirs


def refuse_unfinished(path: str, notes: Mapping[str, Any], theirs: Mapping[str, str], ours: Mapping[str, str]) -> None:
    """Stop before an unfinished training is lost, if its identity differs from that of the training to do.

    Raises:
        UserError: naming what differs, and the remedy.
    """
    if notes.get("finished", True) or theirs == ours:
        return
    if theirs.get(RECIPE, theirs.get(CODE_IN_VERSION_0_1)) != ours[RECIPE]:
        remedy = "Install the version of xmodal-kedro that began it to go on"
    else:
        remedy = "Set that back to go on"
    raise UserError(
        f"an unfinished training is stored in {path} (step {notes.get('step')}), and it is not this one: "
        f"{_differences(theirs, ours)}. {remedy}, or delete that folder to start anew"
    )


def _differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    names = sorted(name for name in theirs.keys() | ours.keys() if theirs.get(name) != ours.get(name))
    shown = [_difference(name, theirs.get(name), ours.get(name)) for name in names]
    more = [f"and {len(shown) - MAX_DIFFERENCES_SHOWN} more"] if len(shown) > MAX_DIFFERENCES_SHOWN else []
    return "; ".join([*shown[:MAX_DIFFERENCES_SHOWN], *more])


class Keeper:
    """Stores the state of one training, and brings it back.

    Args:
        checkpoints: where.
        identity: of the training, as `identify` gives it.
        recipe: of training.
        kept: how many of the latest states stay.
    """

    def __init__(self, checkpoints: Checkpoints, identity: dict[str, str], recipe: Recipe, kept: int) -> None:
        self._checkpoints, self._identity, self._recipe, self._kept = checkpoints, identity, recipe, kept
        self._another_is_stored = False
        self._writer = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[None] | None = None

    def restore(self, learner: Learner, book: LossBook) -> Progress:
        """Bring a fresh learner to where the stored one was.

        A finished training of other parameters, data or recipe gives way; the log says what differs.

        Raises:
            UserError: if what is stored is another training's that has not finished, naming what differs, or was stored
                by a newer version of this project.
        """
        stored = self._checkpoints.load()
        if stored is None:
            return Progress()
        tensors, notes = stored
        theirs = stored_identity(notes, self._recipe, self._checkpoints.path)
        if theirs != self._identity:
            refuse_unfinished(self._checkpoints.path, notes, theirs, self._identity)
            changed = _differences(theirs, self._identity)
            logger.info("What was trained before is finished, and training starts anew: %s", changed)
            self._another_is_stored = True
            return Progress()
        learner.model.load_state_dict(_below(tensors, "model/"))
        learner.average.model.load_state_dict(_below(tensors, "average/"))
        _restore_optimiser(learner.optimiser, _below(tensors, "optimiser/"))
        book.total, book.steps, book.window = notes["loss_total"], notes["loss_steps"], notes["loss_window"]
        return _progress(tensors, notes)

    def save(self, learner: Learner, progress: Progress, book: LossBook) -> None:
        """Store the state; the writing itself goes on beside the next steps.

        Raises:
            OSError: if the state before could not be written.
        """
        self.wait()
        # Copies: the next steps change these tensors in place.
        tensors = {f"model/{name}": _plain(weight) for name, weight in learner.model.state_dict().items()}
        tensors |= {f"average/{name}": _plain(value) for name, value in learner.average.model.state_dict().items()}
        tensors |= {f"best/{name}": weight for name, weight in progress.best_weights.items()}
        for index, moments in learner.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{index}/{name}": _plain(value) for name, value in moments.items()}
        notes = {
            "identity": self._identity,
            "step": progress.step,
            "history": list(progress.history),
            "best": progress.best,
            "finished": progress.finished,
            "loss_total": book.total,
            "loss_steps": book.steps,
            "loss_window": list(book.window),
        }
        self._writing = self._writer.submit(self._store, progress.step, tensors, notes)

    def wait(self) -> None:
        """Until what was saved is stored.

        Raises:
            OSError: if it could not be written.
        """
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def close(self) -> None:
        """Let the writer go, with what it has begun done."""
        self._writer.shutdown()

    def _store(self, step: int, tensors: dict[str, Tensor], notes: dict[str, Any]) -> None:
        if self._another_is_stored:  # of which a later step would be taken for ours
            self._checkpoints.clear()
            self._another_is_stored = False
        self._checkpoints.save(step, tensors, notes, self._kept)


def stored_progress(checkpoints: Checkpoints) -> Progress:
    """What other processes have stored.

    Raises:
        FileNotFoundError: if nothing is.
    """
    stored = checkpoints.load()
    if stored is None:
        raise FileNotFoundError(
            f"there is no checkpoint in {checkpoints.path}: put data_root on storage that machines share"
        )
    return _progress(*stored)


def _progress(tensors: Mapping[str, Tensor], notes: Mapping[str, Any]) -> Progress:
    return Progress(
        notes["step"], notes["history"], notes["best"], _below(tensors, "best/"), finished=notes["finished"]
    )


def _difference(name: str, before: str | None, now: str | None) -> str:
    if before is not None and now is not None and len(now) < 32:
        return f"{name} was {before} and is {now}"
    return f"{name} has changed"


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _plain(values: Tensor) -> Tensor:
    return values.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


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
