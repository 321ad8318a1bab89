"""Whether a training may begin where another is stored, found out before any work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xmodal_kedro.params import TrainParams
from xmodal_kedro.recipes import recipe_of
from xmodal_kedro.training.checkpoint import identify, refuse_unfinished, stored_identity
from xmodal_kedro.training.loop import train


def require_own_training(notes: Mapping[str, Any], params: TrainParams, path: str) -> None:
    """Check that a stored state is finished, or of a training with the same parameters and recipe.

    What is learnt from may be made by the same run, so it does not count here, but when training begins.

    Args:
        notes: of the stored state.
        params: of the training to do.
        path: of the checkpoints.

    Raises:
        UserError: naming what differs, or that a newer version of this project stored it.
    """
    recipe = recipe_of(train)
    ours = identify(params, {}, recipe)
    theirs = stored_identity(notes, recipe, path)
    known = {name: value for name, value in theirs.items() if name in ours or name.startswith("train.")}
    refuse_unfinished(path, notes, known, ours)
