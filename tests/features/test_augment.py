from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.features.augment import (
    NOISE_RANGE_DB,
    Augmentation,
    Draws,
    change_levels,
    draw,
    fit_length,
    mask,
    mixup,
)
from xmodal_kedro.params import SpecAugmentParams

MASKS = SpecAugmentParams(time_masks=2, time_frames=30, band_masks=2, bands=8)
NO_MASKS = SpecAugmentParams()
PARTS = ((0, 3), (1, 4))


def drawn(
    parts: tuple[tuple[int, int], ...] = PARTS, alpha: float = 1.0, masks: SpecAugmentParams = MASKS, step: int = 5
) -> Draws:
    return draw(parts, 100, 64, Augmentation(alpha, masks), (0, step))


def test_mixup_mixes_sound_and_targets_by_the_same_share() -> None:
    sounds, targets = torch.eye(7), torch.eye(7)
    mixed, mixed_targets = mixup(sounds, drawn()), mixup(targets, drawn())
    torch.testing.assert_close(mixed, mixed_targets)
    torch.testing.assert_close(mixed.sum(1), torch.ones(7))
    assert not torch.equal(mixed, sounds)


def test_clips_are_mixed_within_their_streams_part_alone() -> None:
    partners = drawn().partner_B.tolist()
    assert sorted(partners[:3]) == [0, 1, 2] and sorted(partners[3:]) == [3, 4, 5, 6]


def test_without_alpha_a_clip_keeps_all_of_itself() -> None:
    sounds = torch.randn(7, 20)
    assert torch.equal(mixup(sounds, drawn(alpha=0.0)), sounds)


def test_a_streams_draws_do_not_depend_on_who_else_shares_the_batch() -> None:
    both, second = drawn(), drawn(PARTS[1:])
    assert torch.equal(both.share_B1[3:], second.share_B1)
    assert torch.equal(both.partner_B[3:] - 3, second.partner_B)
    assert torch.equal(both.frames_BM2[3:], second.frames_BM2) and torch.equal(both.bands_BM2[3:], second.bands_BM2)


def test_a_step_decides_its_draws_alone() -> None:
    assert torch.equal(drawn().frames_BM2, drawn().frames_BM2)
    assert not torch.equal(drawn().frames_BM2, drawn(step=6).frames_BM2)


@given(step=st.integers(0, 200), widest=st.integers(0, 150), masks=st.integers(0, 3))
def test_masks_lie_within_the_spectrogram_and_are_no_wider_than_asked_for(step: int, widest: int, masks: int) -> None:
    spans = drawn(masks=SpecAugmentParams(time_masks=masks, time_frames=widest), step=step).frames_BM2
    assert spans.shape == (7, masks, 2)
    assert bool((spans >= 0).all() and (spans <= 100).all())
    widths = spans[..., 1] - spans[..., 0]
    assert bool((widths >= 0).all() and (widths <= widest).all())


def test_masked_places_get_the_spectrograms_mean_and_others_stay() -> None:
    log_mel = torch.randn(7, 100, 64)
    draws = drawn()
    masked = mask(log_mel, draws)
    changed = masked != log_mel
    for clip in range(7):
        inside = torch.zeros(100, 64, dtype=torch.bool)
        for first, last in draws.frames_BM2[clip].tolist():
            inside[first:last] = True
        for first, last in draws.bands_BM2[clip].tolist():
            inside[:, first:last] = True
        assert torch.equal(changed[clip], inside) and inside.any()
        torch.testing.assert_close(masked[clip][inside], log_mel[clip].mean().expand(int(inside.sum())))


def test_no_masks_leave_spectrograms_as_they_are() -> None:
    log_mel = torch.randn(7, 100, 64)
    assert torch.equal(mask(log_mel, drawn(masks=NO_MASKS)), log_mel)


@given(length=st.integers(1, 60), samples=st.integers(1, 60))
def test_a_fitted_sound_has_the_length_asked_for_and_runs_on_as_it_did(length: int, samples: int) -> None:
    fitted = fit_length(np.arange(length), samples, max(0, length - samples))
    assert len(fitted) == samples
    assert all((after - before) % length == 1 % length for before, after in pairwise(fitted))


@pytest.mark.parametrize(("start", "first"), [(0, 0), (3, 3), (6, 6)])
def test_a_longer_sound_is_cut_where_told(start: int, first: int) -> None:
    assert fit_length(np.arange(10), 4, start).tolist() == [first, first + 1, first + 2, first + 3]


LEVELS = Augmentation(gain_db=12.0, noise_db=-10.0)


def changed(sounds: torch.Tensor, augmentation: Augmentation = LEVELS, step: int = 0) -> torch.Tensor:
    return change_levels(sounds, draw(((0, len(sounds)),), 100, 64, augmentation, (0, step)))


def test_levels_change_by_no_more_than_the_gain_and_in_both_directions() -> None:
    sounds = 0.1 * torch.sin(torch.arange(16_000) * 0.1).repeat(64, 1)
    gain_db = 20 * torch.log10(changed(sounds, Augmentation(gain_db=12.0)).abs().amax(1) / sounds.abs().amax(1))
    assert bool((gain_db.abs() <= 12.01).all())
    assert float(gain_db.min()) < -8 and float(gain_db.max()) > 8


def test_noise_lies_within_30_db_below_its_highest_level_and_silence_gets_none() -> None:
    sounds = 0.1 * torch.sin(torch.arange(16_000) * 0.1).repeat(64, 1)
    noise = changed(sounds, Augmentation(noise_db=-10.0)) - sounds
    below_db = 10 * torch.log10(noise.square().mean(1) / sounds.square().mean(1))
    assert bool((below_db <= -9.8).all()) and bool((below_db >= -10.2 - NOISE_RANGE_DB).all())
    assert not torch.equal(noise[0] / noise[0].std(), noise[1] / noise[1].std())
    assert torch.equal(changed(torch.zeros(2, 100)), torch.zeros(2, 100))


@given(step=st.integers(0, 1_000), scale=st.floats(0, 1, width=32))
def test_no_sound_leaves_full_scale(step: int, scale: float) -> None:
    sounds = scale * torch.linspace(-1, 1, 400).repeat(4, 1)
    louder = changed(sounds, Augmentation(gain_db=60.0, noise_db=20.0), step)
    assert float(louder.abs().max()) <= 1 and bool(louder.isfinite().all())


def test_levels_of_a_streams_clips_do_not_depend_on_who_else_shares_the_batch() -> None:
    both, second = (draw(parts, 100, 64, LEVELS, (0, 5)) for parts in (PARTS, PARTS[1:]))
    for name in ("gain_B1", "noise_B1", "noise_from_B1"):
        assert torch.equal(getattr(both, name)[3:], getattr(second, name))
