from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.audio.augment import fit_length, mixup


def test_mixup_mixes_sound_and_targets_by_the_same_share() -> None:
    sounds, targets = torch.eye(6), torch.eye(6)
    mixed, mixed_targets = mixup(sounds, targets, 1.0, np.random.default_rng(0))
    torch.testing.assert_close(mixed, mixed_targets)
    torch.testing.assert_close(mixed.sum(1), torch.ones(6))
    assert not torch.equal(mixed, sounds)


@given(length=st.integers(1, 60), samples=st.integers(1, 60), seed=st.none() | st.integers(0, 5))
def test_a_fitted_sound_has_the_length_asked_for_and_runs_on_as_it_did(
    length: int, samples: int, seed: int | None
) -> None:
    rng = None if seed is None else np.random.default_rng(seed)
    fitted = fit_length(np.arange(length), samples, rng)
    assert len(fitted) == samples
    assert all((after - before) % length == 1 % length for before, after in pairwise(fitted))


def test_the_middle_is_taken_where_nothing_is_random() -> None:
    assert fit_length(np.arange(10), 4).tolist() == [3, 4, 5, 6]
