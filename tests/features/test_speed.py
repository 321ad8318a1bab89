"""Sounds played faster or slower."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.features.augment import Augmentation, draw
from xmodal_kedro.features.speed import change_speed

RATE_HZ = 16_000


def tone(frequency_hz: float, seconds: float = 1.0, level: float = 0.5) -> torch.Tensor:
    samples_T = torch.arange(int(seconds * RATE_HZ), dtype=torch.float64)
    return (level * torch.sin(2 * math.pi * frequency_hz / RATE_HZ * samples_T)).float()


def power_at(audio_T: torch.Tensor, frequency_hz: float) -> float:
    """Share of the power within 20 Hz of a frequency."""
    power_F = torch.fft.rfft(audio_T.double() * torch.hann_window(len(audio_T), dtype=torch.float64)).abs().square()
    frequencies_F = torch.fft.rfftfreq(len(audio_T), 1 / RATE_HZ)
    return float(power_F[(frequencies_F - frequency_hz).abs() <= 20].sum() / power_F.sum())


@pytest.mark.parametrize("frequency_hz", [200, 1_000, 3_000])
@pytest.mark.parametrize("speed", [0.5, 0.75, 1.5, 2.0])
def test_pitch_changes_by_the_factor(frequency_hz: int, speed: float) -> None:
    played = change_speed(tone(frequency_hz)[None], torch.tensor([[speed]]))[0]
    assert power_at(played, speed * frequency_hz) > 0.999
    assert float(played.abs().max()) == pytest.approx(0.5, rel=0.02)


def test_the_pitch_stays_right_to_the_end_of_a_long_sound() -> None:
    speed_B1 = torch.tensor([[1.37]])
    played = change_speed(tone(3_000, 60.0)[None], speed_B1)[0]
    wanted = tone(3_000 * float(speed_B1), 40.0)
    error = played[: len(wanted)] - wanted
    assert float(error[-RATE_HZ:].square().mean()) < 2 * float(error[RATE_HZ : 2 * RATE_HZ].square().mean()) + 1e-6


def test_more_sounds_than_are_in_memory_at_a_time_are_each_played_at_their_speed() -> None:
    speeds = torch.linspace(0.5, 2.0, 37)[:, None]
    played = change_speed(tone(1_000).repeat(37, 1), speeds)
    assert all(power_at(each, 1_000 * float(speed)) > 0.999 for each, speed in zip(played, speeds, strict=True))


def test_what_would_lie_over_half_the_sample_rate_is_silenced_not_folded_back() -> None:
    played = change_speed((tone(1_000) + tone(5_000))[None] * 0.9, torch.tensor([[2.0]]))[0]
    assert power_at(played, 2_000) > 0.999


def test_a_faster_sound_is_repeated_and_a_slower_one_cut() -> None:
    clicks = torch.zeros(1, RATE_HZ)
    clicks[0, [1_000, 9_000]] = 0.5

    def heard_at(speed: float) -> list[int]:
        played = change_speed(clicks, torch.tensor([[speed]]))[0]
        return sorted(round(int(at), -2) for at in played.abs().topk(4).indices if played[at] > 0.2)

    assert heard_at(2.0) == [500, 4_500, 8_500, 12_500]
    assert set(heard_at(0.5)) == {2_000}


@given(scale=st.floats(0, 1, width=32), speed=st.floats(0.25, 4, width=32), samples=st.integers(1, 400))
def test_no_sound_leaves_full_scale_and_speed_one_changes_nothing(scale: float, speed: float, samples: int) -> None:
    sounds = scale * torch.sign(torch.sin(torch.arange(samples) * 1.3)).repeat(2, 1)
    played = change_speed(sounds, torch.tensor([[speed], [1.0]]))
    assert played.shape == sounds.shape and bool(played.isfinite().all()) and float(played.abs().max()) <= 1
    torch.testing.assert_close(played[1], sounds[1], atol=1e-5, rtol=0)


def test_speeds_lie_within_the_octaves_and_leave_all_other_draws_as_they_are() -> None:
    parts = ((0, 300), (1, 300))
    without, with_speed = (
        draw(parts, 100, 64, Augmentation(0.5, gain_db=6.0, speed_octaves=octaves), (0, 5)) for octaves in (0.0, 1.0)
    )
    assert float(with_speed.speed_B1.min()) < 0.55 and float(with_speed.speed_B1.max()) > 1.8
    assert float(with_speed.speed_B1.min()) >= 0.5 and float(with_speed.speed_B1.max()) <= 2
    assert bool((without.speed_B1 == 1).all())
    for name in set(vars(without)) - {"speed_B1"}:
        assert torch.equal(getattr(without, name), getattr(with_speed, name)), name
