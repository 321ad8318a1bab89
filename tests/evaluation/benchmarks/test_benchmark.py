from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xmodal_kedro.evaluation.benchmarks.benchmark import rotate


@settings(max_examples=30)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=20))
def test_each_clip_is_tested_once_and_trained_on_in_every_other_split(folds: list[int]) -> None:
    splits = rotate(np.array(folds))
    assert [split.fold for split in splits] == sorted(set(folds))
    assert sorted(position for split in splits for position in split.test) == list(range(len(folds)))
    for split in splits:
        assert sorted([*split.train, *split.test]) == list(range(len(folds)))
        assert {folds[position] for position in split.test} == {split.fold}
