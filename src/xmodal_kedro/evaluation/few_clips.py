"""Whether a benchmark has enough clips for what is to be done with it, found out before any work."""

from __future__ import annotations

import logging

import numpy as np

from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark
from xmodal_kedro.params import TransferParams

logger = logging.getLogger(__name__)

HELD_OUT = 2
"""Parts into which training clips are divided at least, if one is held out."""


def require_enough_clips(benchmark: Benchmark, params: TransferParams) -> None:
    """Check that training clips can be divided where a part of them is held out to choose something.

    A linear probe of very few clips takes the smallest of its strengths, with a warning.

    Raises:
        UserError: naming the split and the class, how many training clips it has, and how many fine-tuning needs.
    """
    from xmodal_kedro.evaluation.probe import inner_folds

    truths, groups = (benchmark.clips[name].to_numpy() for name in ("category", "group"))
    unchosen = []
    for split in benchmark.splits:
        names, counts = np.unique(truths[split.train].astype(str), return_counts=True)
        most = int(counts.argmax())
        if "fine_tune" in params.protocols:
            if counts[most] < HELD_OUT:
                raise UserError(
                    f"too few clips for transfer_eval.protocols fine_tune: where fold {split.fold} is tested, no class "
                    f"has more training clips than {names[most]}, which has {counts[most]}, and {HELD_OUT} are needed, "
                    "as one is held out: add clips, or leave fine_tune out"
                )
            if (found := len(np.unique(groups[split.train]))) < HELD_OUT:
                raise UserError(
                    f"too few groups for transfer_eval.protocols fine_tune: where fold {split.fold} is tested, the "
                    f"training clips, such as those of {names[most]}, are of {found} group, and {HELD_OUT} are needed, "
                    "as one is held out: add recordings, or leave fine_tune out"
                )
        if not any(True for _ in inner_folds(truths[split.train], groups[split.train])):
            unchosen.append(split.fold)
    if unchosen and "linear_probe" in params.protocols and len(params.regularisation) > 1:
        logger.warning(
            "too few training clips to choose a strength of transfer_eval.regularisation where fold %s is tested: the "
            "probe takes the smallest, C = %g",
            ", ".join(map(str, unchosen)),
            min(params.regularisation),
        )
