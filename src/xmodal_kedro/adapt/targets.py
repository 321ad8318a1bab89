"""What is known of labelled clips: which classes are heard in them, which are not, and which clips go together."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import AdaptParams
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)

NONE_OF_THESE = "none of these"
"""Class of clips in which no class is heard, where classes exclude each other."""
MIN_GROUPS = 2
"""Of a class: one to learn from while another is held out."""
FEW_CLIPS = 8
"""Of a class: with fewer, a warning says so."""
SEPARATOR = "|"


@dataclass(frozen=True)
class Targets:
    """The labels of some clips as numbers.

    Attributes:
        clips: their names.
        classes: names, sorted; `NONE_OF_THESE` at the end, if it is one.
        is_heard: 1 if the class is heard in the clip, 0 if not, NaN if it is not known, float64 [clips, classes].
        groups: int64, clips of one group are never divided [clips].
        folds: int64, from 0 on: each is classified by what the others teach [clips].
        exclusive: whether each clip has exactly one class.
    """

    clips: tuple[str, ...]
    classes: tuple[str, ...]
    is_heard: NDArray[np.float64]
    groups: NDArray[np.int64]
    folds: NDArray[np.int64]
    exclusive: bool

    @property
    def truths(self) -> NDArray[np.int64]:
        """Index of the class of each clip, where classes exclude each other [clips]."""
        truths_N: NDArray[np.int64] = self.is_heard.argmax(1)
        return truths_N

    def counts(self) -> dict[str, int]:
        """Clips of each class."""
        return dict(zip(self.classes, np.nansum(self.is_heard, axis=0).astype(int).tolist(), strict=True))

    def where(self, chosen_N: NDArray) -> Targets:
        """Those of the chosen clips."""
        chosen = np.flatnonzero(chosen_N) if chosen_N.dtype == bool else chosen_N
        return Targets(
            tuple(self.clips[at] for at in chosen),
            self.classes,
            self.is_heard[chosen],
            self.groups[chosen],
            self.folds[chosen],
            self.exclusive,
        )

    def of_classes(self, columns: NDArray[np.int64]) -> Targets:
        """Those of the chosen classes."""
        names = tuple(self.classes[at] for at in columns)
        return replace(self, classes=names, is_heard=self.is_heard[:, columns])


def make_targets(
    labelled: pd.DataFrame,
    confirmed: pd.DataFrame,
    params: AdaptParams,
    group_of_video: Mapping[str, str] = MappingProxyType({}),
) -> Targets:
    """Targets of the clips of a table and of confirmed clips together.

    A clip of the table has the classes that are named, and no other of the table; classes that only reviewers named are
    not known in it, unless it has no label. Of a confirmed clip only what reviewers were asked is known. Classes that
    only reviewers named, and that have no two groups with it or none without it, are left out with a warning.

    Args:
        labelled: as `evaluation.labelled.read_labelled` returns it.
        confirmed: `schemas.ConfirmedClips`.
        params: `adapt`.
        group_of_video: group of the table that has the same recording, by `video_id`, as far as there is one.

    Raises:
        UserError: naming a class of the table with too few clips, or what contradicts `adapt.exclusive`.
    """
    if not len(labelled) and not len(confirmed):
        raise UserError(
            "there is no labelled clip: name a folder with clips.csv, or of folders named by their class, with "
            "--params labelled=FOLDER, or answer a review and run the pipeline review_results"
        )
    right = [*labelled["labels"], *map(_split, confirmed["right"])]
    wrong = [*([()] * len(labelled)), *map(_split, confirmed["wrong"])]
    videos = [
        f"file {group_of_video[video]}" if video in group_of_video else f"video {video}"
        for video in confirmed["video_id"]
    ]
    groups = [*(f"file {group}" for group in labelled["group"]), *videos]
    exclusive = _are_exclusive(labelled, confirmed, params)
    of_table = {name for names in labelled["labels"] for name in names}
    classes = sorted({name for names in right for name in names})
    is_complete_N = np.arange(len(right)) < len(labelled)
    is_heard_NC = np.where(is_complete_N[:, None], 0.0, np.nan) * np.ones((1, len(classes)))
    of_review = np.flatnonzero([name not in of_table for name in classes])
    named = np.flatnonzero([len(names) > 0 for names in labelled["labels"]])
    is_heard_NC[np.ix_(named, of_review)] = np.nan
    place = {name: at for at, name in enumerate(classes)}
    for row, (heard, not_heard) in enumerate(zip(right, wrong, strict=True)):
        is_heard_NC[row, [place[name] for name in not_heard if name in place]] = 0.0
        is_heard_NC[row, [place[name] for name in heard]] = 1.0
    if exclusive and (nothing_N := np.nansum(is_heard_NC, axis=1) == 0).any():
        classes, is_heard_NC = [*classes, NONE_OF_THESE], np.column_stack([is_heard_NC, nothing_N.astype(float)])
        of_table.add(NONE_OF_THESE)
    groups_N, _ = pd.factorize(pd.Series(groups, dtype=str))
    kept = _usable(classes, of_table, is_heard_NC, groups_N)
    is_heard_NC = is_heard_NC[:, [classes.index(name) for name in kept]]
    named_N = np.array([*labelled["fold"], *([0] * len(confirmed))], np.int64)
    names = [*labelled["clip"], *confirmed["clip_id"]]
    folds_N = _folds(is_heard_NC, groups_N.astype(np.int64), named_N, params)
    return Targets(tuple(names), tuple(kept), is_heard_NC, groups_N.astype(np.int64), folds_N, exclusive)


def _split(cell: str) -> tuple[str, ...]:
    return tuple(name for name in cell.split(SEPARATOR) if name)


def _are_exclusive(labelled: pd.DataFrame, confirmed: pd.DataFrame, params: AdaptParams) -> bool:
    several = labelled[labelled["labels"].map(len) > 1]
    if params.exclusive and len(confirmed):
        raise UserError(
            "adapt.exclusive is true, but answers of a review say which classes are heard, not that no other is: set "
            "exclusive: null in parameters/adapt.yml"
        )
    if params.exclusive and len(several):
        clip, labels = several["clip"].iloc[0], " and ".join(several["labels"].iloc[0])
        raise UserError(
            f"adapt.exclusive is true, but {clip} has the labels {labels}: leave one, or set exclusive: null in "
            "parameters/adapt.yml"
        )
    return not len(confirmed) and not len(several) if params.exclusive is None else params.exclusive


def _usable(
    classes: Sequence[str], of_table: set[str], is_heard_NC: NDArray[np.float64], groups_N: NDArray
) -> list[str]:
    groups = {
        name: tuple(len(np.unique(groups_N[is_heard_N == value])) for value in (1, 0))
        for name, is_heard_N in zip(classes, is_heard_NC.T, strict=True)
    }
    clips = dict(zip(classes, (is_heard_NC == 1).sum(0).tolist(), strict=True))
    for name in sorted(of_table, key=lambda name: groups[name]):
        _require_groups(name, clips[name], *groups[name])
    kept = [name for name in classes if min(groups[name]) >= MIN_GROUPS]
    for name in kept:
        if clips[name] < FEW_CLIPS:
            logger.warning("%s has %s: %d or more are better", name, counted(clips[name], "clip"), FEW_CLIPS)
    left_out = [f"{name} ({of[0]} right, {of[1]} wrong)" for name, of in groups.items() if name not in kept]
    if left_out:
        logger.warning(
            "%s left out, as %d recordings with it and %d without it are needed: %s",
            counted(len(left_out), "class of the review is", "classes of the review are"),
            *(MIN_GROUPS, MIN_GROUPS, ", ".join(left_out)),
        )
    if not kept:
        raise UserError("no class has enough clips to learn from: label more, or answer more of a review")
    if len(kept) == 1 and kept[0] == NONE_OF_THESE:
        raise UserError("the labelled clips name no class: write labels")
    return kept


def _require_groups(name: str, clips: int, heard: int, silent: int) -> None:
    """Check a class of the table.

    Args:
        heard: recordings in which it is heard.
        silent: recordings in which it is not.
    """
    if min(heard, silent) >= MIN_GROUPS:
        return
    found = f"{counted(clips, 'clip')} of {counted(heard, 'recording')}"
    if heard >= MIN_GROUPS:
        found = f"{found}, and {counted(silent, 'recording')} without it"
    raise UserError(
        f"the class {name} has {found}: at least {MIN_GROUPS} recordings with it and {MIN_GROUPS} without it are "
        "needed, as one of each is held out; add some, or take the class out"
    )


def _folds(
    is_heard_NC: NDArray[np.float64], groups_N: NDArray[np.int64], named_N: NDArray[np.int64], params: AdaptParams
) -> NDArray[np.int64]:
    """The folds of the table, if it names two at least; else whole groups, with the rarest class of each clip evenly
    in them."""
    if named_N.all() and len(np.unique(named_N)) > 1:
        return np.unique(named_N, return_inverse=True)[1].astype(np.int64)
    totals_C = np.nansum(is_heard_NC, axis=0)
    rarest_N = np.where(is_heard_NC == 1, totals_C, np.inf).argmin(1)
    rarest_N = np.where((is_heard_NC == 1).any(1), rarest_N, len(totals_C))
    groups_of = [len(np.unique(groups_N[is_heard_N == 1])) for is_heard_N in is_heard_NC.T]
    parts = max(MIN_GROUPS, min(params.folds, *groups_of))
    divided = StratifiedGroupKFold(parts, shuffle=True, random_state=params.random_seed)
    folds_N = np.zeros(len(groups_N), np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # few clips have no rarer class, or none
        for fold, (_, held_out) in enumerate(divided.split(np.zeros(len(groups_N)), rarest_N, groups_N)):
            folds_N[held_out] = fold
    return folds_N
