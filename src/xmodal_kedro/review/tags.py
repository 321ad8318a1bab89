"""Thresholds for the scores of a trained network: from which on a tag is right as often as is wanted."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.evaluation.intervals import number_for, wilson
from xmodal_kedro.inference.audio_model import AudioModel
from xmodal_kedro.inference.waveforms import from_int16
from xmodal_kedro.params import ReviewParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.review.precision import ENOUGH, JUDGED, STRATUM, answered_prefix

logger = logging.getLogger(__name__)

BATCH = 32


def tag_thresholds(
    model: AudioModel,
    confirmed: pd.DataFrame,
    reviewed: pd.DataFrame,
    pool: pd.DataFrame,
    params: ReviewParams,
) -> dict[str, Any]:
    """What is added to a network's card: `precision`, the wanted one, and `thresholds` by class.

    The clips of a class are those that were drawn at random from its strata, each with the weight of the clips of the
    corpus that it stands for. Clips that no teacher labelled with the class are not among them: what the network hears
    there is not known. A class that was never asked about has no entry. One without a threshold that keeps the
    precision has None; so has one of which a stratum has no answer yet, as nothing is known of the clips in it.

    Args:
        model: a trained network.
        confirmed: `ConfirmedClips`.
        reviewed: `ReviewedClips`.
        pool: `ReviewPool`.
        params: `review`.
    """
    answered = answered_prefix(pool, reviewed)
    sample = answered[answered["answer"].isin(JUDGED) & answered["name"].isin(model.classes)]
    unknown = _with_open_strata(pool, answered)
    # A clip may stand for strata of both modalities: of the larger number of clips it is one of.
    sample = sample.groupby(["name", "clip_id"], as_index=False).agg({"weight": "max", "answer": "first"})
    scores_NC = _scores(model, confirmed)
    row_of = {clip_id: row for row, clip_id in enumerate(confirmed["clip_id"])}
    sample = sample[sample["clip_id"].isin(row_of.keys())]
    thresholds = {}
    for name, clips in sample.groupby("name"):
        rows = [row_of[clip_id] for clip_id in clips["clip_id"]]
        scores_N = scores_NC[rows, model.classes.index(str(name))]
        is_right_N = (clips["answer"] == "right").to_numpy()
        weights_N = clips["weight"].to_numpy(np.float64)
        thresholds[str(name)] = None if name in unknown else _lowest(scores_N, is_right_N, weights_N, params)
    kept = sum(threshold is not None for threshold in thresholds.values())
    logger.info("tag_thresholds: %d of %d classes that were asked about have one", kept, len(thresholds))
    return {"precision": params.precision, "thresholds": thresholds, "weights_digest": model.card["weights_digest"]}


def _with_open_strata(pool: pd.DataFrame, answered: pd.DataFrame) -> set[str]:
    """Classes with a stratum of which nothing was judged, unless all of it was answered.

    Args:
        answered: as `answered_prefix` returns it.
    """
    judged = answered[answered["answer"].isin(JUDGED) | answered["is_whole"]]
    strata, known = (pd.MultiIndex.from_frame(rows[STRATUM]).unique() for rows in (pool, judged))
    return set(strata.difference(known).get_level_values("name"))


def _scores(model: AudioModel, confirmed: pd.DataFrame) -> NDArray[np.float32]:
    parts = [np.zeros((0, len(model.classes)), np.float32)]
    for start in range(0, len(confirmed), BATCH):
        audios = [from_int16(np.frombuffer(audio, "<i2")) for audio in confirmed["audio"].iloc[start : start + BATCH]]
        parts.append(model.predict(audios, CLIP_SAMPLE_RATE_HZ).scores)
    return np.concatenate(parts)


def _lowest(
    scores_N: NDArray[np.floating], is_right_N: NDArray[np.bool_], weights_N: NDArray[np.float64], params: ReviewParams
) -> float | None:
    """The lowest score from which on the precision is kept, tried from the highest downward as in `precision`.

    A network tags other clips than those of the corpus. So its answers are a sample of endlessly many, and count as
    Kish's number of them also where all clips of a stratum were answered.
    """
    order = np.argsort(-scores_N, kind="stable")
    scores, right, weights = scores_N[order], is_right_N[order], weights_N[order]
    enough, found = ENOUGH * number_for(1.0, params.precision, params.confidence), None
    for end in np.flatnonzero(np.append(np.diff(scores) != 0, True)):
        above = slice(0, int(end) + 1)
        effective = float(weights[above].sum() ** 2 / (weights[above] ** 2).sum())
        low = wilson(float(weights[above] @ right[above] / weights[above].sum()), effective, params.confidence)[0]
        if low >= params.precision:
            found = float(scores[end])
        elif found is not None or effective >= enough:
            break
    return found
