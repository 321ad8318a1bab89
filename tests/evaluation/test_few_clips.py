from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark, rotate
from xmodal_kedro.evaluation.few_clips import require_enough_clips
from xmodal_kedro.evaluation.fine_tune import hold_out
from xmodal_kedro.params import FineTuneParams, TransferParams

FINE_TUNE = TransferParams(benchmark="csv", protocols=("fine_tune",))


def benchmark(each: int, groups: int | None = None) -> Benchmark:
    """Three classes with `each` clips in either of two folds, each a group of its own or in `groups` groups a fold."""
    categories, folds = np.repeat(["a", "b", "c"], 2 * each), np.tile([1, 2], 3 * each)
    own = np.arange(len(folds)) if groups is None else 10 * folds + np.arange(len(folds)) // 2 % groups
    clips = pd.DataFrame({"file": own.astype(str), "category": categories, "group": own})
    return Benchmark(clips, (), rotate(folds), complete=True)


def test_a_probe_of_any_number_of_clips_is_possible_and_one_that_cannot_choose_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    probe = TransferParams(benchmark="csv")
    require_enough_clips(benchmark(3), probe)
    assert not caplog.records
    for few in (benchmark(2, groups=1), benchmark(2, groups=1)):
        caplog.clear()
        require_enough_clips(few, probe)
        assert "fold 1, 2 is tested" in caplog.text and "C = 0.001" in caplog.text


def test_fine_tuning_needs_two_clips_of_a_class_and_two_groups() -> None:
    with pytest.raises(UserError, match=r"fold 1 .* than a, which has 1, and 2 are needed"):
        require_enough_clips(benchmark(1), FINE_TUNE)
    with pytest.raises(UserError, match=r"fold 1 .* of 1 group, and 2 are needed"):
        require_enough_clips(benchmark(3, groups=1), FINE_TUNE)


@pytest.mark.parametrize("few", [benchmark(2), benchmark(3), benchmark(4, groups=2)])
def test_of_what_is_enough_for_fine_tuning_a_part_can_be_held_out(few: Benchmark) -> None:
    require_enough_clips(few, FINE_TUNE)
    for split in few.splits:
        clips = few.clips.iloc[split.train]
        held_out = hold_out(clips["category"].to_numpy(), clips["group"].to_numpy(), FineTuneParams(), seed=0)
        assert 0 < held_out.sum() < len(clips)
