"""The whole network trained further on labelled clips: once without each fold, and once on all."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import safetensors.torch
from numpy.typing import NDArray
from torch import Tensor

from xmodal_kedro.adapt.linear import UNKNOWN_LOGIT
from xmodal_kedro.adapt.targets import Targets
from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.fine_tune import Start, Tuner, hold_out
from xmodal_kedro.evaluation.sounds import SHARD_SOUNDS, stored_sounds
from xmodal_kedro.inference.waveforms import from_int16
from xmodal_kedro.models.device import choose_device
from xmodal_kedro.params import AdaptParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import ADAPT_TRAININGS_ARROW
from xmodal_kedro.storage import ShardJobs, Shards

logger = logging.getLogger(__name__)

ALL_CLIPS = "all"
"""Key of the training on all clips."""


class Labelled:
    """What a training learns from: `clip`, `category` and `group` of each clip, and its sound.

    Args:
        clips: of the training.
        tested: names of the clips that it classifies.
        classes: of the classifier, in the order of the logits.
        sounds: as `adapt.sounds` makes them.
    """

    def __init__(self, clips: pd.DataFrame, tested: tuple[str, ...], classes: tuple[str, ...], sounds: Shards) -> None:
        self.clips, self.tested, self.classes, self.sounds = clips, tested, classes, dict(sounds)

    @property
    def fingerprint(self) -> str:
        """Of all of it."""
        shards = sorted(shard.fingerprint for shard in self.sounds.values())
        return repr((self.clips.to_csv(index=False), self.tested, self.classes, shards))

    def audio(self) -> dict[str, NDArray[np.int16]]:
        """Samples of the clips that are used, by name."""
        wanted = {*self.clips["file"], *self.tested}
        return {
            file: audio_T
            for shard in self.sounds.values()
            for part in stored_sounds(shard, SHARD_SOUNDS)
            for file, audio_T in part
            if file in wanted
        }


def fine_tune_jobs(
    targets: Targets, sounds: Shards, card: Mapping[str, Any], weights: Mapping[str, Tensor], params: AdaptParams
) -> ShardJobs:
    """A training without each fold, and one on all clips; no jobs unless `adapt.mode` is `fine_tune`.

    Raises:
        UserError: if classes do not exclude each other.
    """
    if params.mode != "fine_tune":
        return {}
    if not targets.exclusive:
        raise UserError(
            "adapt.mode is fine_tune, which takes clips of one class each, and some have several or come from a "
            "review: set mode: linear in parameters/adapt.yml"
        )
    clips = pd.DataFrame(
        {
            "file": targets.clips,
            "category": [targets.classes[at] for at in targets.truths],
            "group": targets.groups,
        }
    )
    jobs: ShardJobs = {}
    for fold in [*np.unique(targets.folds).tolist(), None]:
        train_N = targets.folds != fold if fold is not None else np.ones(len(clips), bool)
        tested = tuple(clips["file"][~train_N])
        labelled = Labelled(clips[train_N].reset_index(drop=True), tested, targets.classes, sounds)
        key = ALL_CLIPS if fold is None else f"without-{fold:02}"
        jobs[key] = partial(fine_tune, labelled, Start(card, weights), params)
    return jobs


@recipe("adapt_fine_tune", version=2, libraries=("torch",))
def fine_tune(labelled: Labelled, start: Start, params: AdaptParams) -> pa.Table:
    """Train on all clips but those that the best epoch is chosen on, and classify the tested clips.

    Returns:
        `schemas.AdaptTrainings`: a row for each tested clip, or one with the weights if there is none to test.
    """
    truths_N, groups_N = (labelled.clips[name].to_numpy() for name in ("category", "group"))
    held_out_N = hold_out(truths_N, groups_N, params.fine_tune, params.random_seed)
    tuner = Tuner(
        start,
        labelled.classes,
        labelled.audio(),
        start.train_params(params.fine_tune, params.random_seed),
        choose_device(params.device, "adapt.device"),
    )
    model = tuner.fit(labelled.clips[~held_out_N], labelled.clips[held_out_N])
    if not labelled.tested:
        stored = model.torch_network.backbone.state_dict()
        weights = {name: tensor.cpu().contiguous() for name, tensor in stored.items()}
        row = {"clip": "", "logits": [], "weights": safetensors.torch.save(weights)}
        return pa.Table.from_pylist([row], schema=ADAPT_TRAININGS_ARROW)
    audios = [from_int16(tuner.audio[clip]) for clip in labelled.tested]
    scores_NC = model.predict(audios, CLIP_SAMPLE_RATE_HZ, params.batch_size).scores
    logits_NC = np.log(np.maximum(scores_NC, np.exp(UNKNOWN_LOGIT)))
    rows = [
        {"clip": clip, "logits": logits_C, "weights": b""}
        for clip, logits_C in zip(labelled.tested, logits_NC.astype(np.float64), strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=ADAPT_TRAININGS_ARROW)


def held_out_logits(trainings: Shards, targets: Targets) -> NDArray[np.float64]:
    """Logits of each clip by the training without its fold [clips, classes]."""
    found = {
        row["clip"]: row["logits"]
        for key, shard in trainings.items()
        if key != ALL_CLIPS
        for row in shard(columns=["clip", "logits"]).to_pylist()
    }
    return np.array([found[clip] for clip in targets.clips], np.float64)


def trained_weights(trainings: Shards) -> dict[str, Tensor]:
    """The weights of the training on all clips."""
    weights: dict[str, Tensor] = safetensors.torch.load(trainings[ALL_CLIPS](columns=["weights"])["weights"][0].as_py())
    return weights
