"""What timestamps of audio mean: laws on made-up stamps, frame by frame."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmodal_kedro.media.audio_clock import EXAMINED_S, MAX_GAP_S, AudioClock, Edit

FRAME_S = 1024 / 48_000
TIMES_S = [index * FRAME_S for index in range(1400)]  # 30 s


def followed(
    stamps_s: Iterable[float | None], frame_s: float = FRAME_S, beside_s: float | None = None
) -> tuple[AudioClock, list[Edit]]:
    """A clock after all stamps, and its edits."""
    clock = AudioClock()
    clock.beside_s = beside_s
    for stamp_s in stamps_s:
        clock.add(frame_s, stamp_s)
        assert clock.settled_s <= clock.length_s
        assert clock.length_s - clock.settled_s <= EXAMINED_S + 1
    clock.finish()
    assert clock.settled_s == clock.length_s
    return clock, clock.take_edits()


def stamped(change: Callable[[float], float]) -> list[float]:
    return [time_s + change(time_s) for time_s in TIMES_S]


def bursts(each_s: float) -> list[float]:
    """Stamps of arrival: packets wait for the end of a burst, and come a millisecond apart."""
    stamps_s, last, count = [], -1, 0
    for time_s in TIMES_S:
        number = int(time_s / each_s)
        count = count + 1 if number == last else 0
        last = number
        stamps_s.append((number + 1) * each_s + 0.001 * count)
    return stamps_s


def jitter(most_s: float, seed: int = 1) -> list[float]:
    """Each stamp is late by up to so many seconds, in order."""
    late, last_s = random.Random(seed), -1.0
    stamps_s = []
    for time_s in TIMES_S:
        last_s = max(last_s + 0.001, time_s + late.uniform(0, most_s))
        stamps_s.append(last_s)
    return stamps_s


WRONG_STAMPS = {
    "exact": TIMES_S,
    "bursts of 0.2 s": bursts(0.2),
    "bursts of 0.9 s": bursts(0.9),
    "late by up to 50 ms": jitter(0.05),
    "late by up to 120 ms": jitter(0.12),
    "early or late by 30 ms": stamped(lambda _: random.Random(_).uniform(-0.03, 0.03)),
    "all equal": [0.0] * len(TIMES_S),
    "equal for 3 s": [10.0 if 10 < time_s < 13 else time_s for time_s in TIMES_S],
    "one an hour late": [time_s + 3600 * (index == 700) for index, time_s in enumerate(TIMES_S)],
    "one zero": [time_s * (index != 700) for index, time_s in enumerate(TIMES_S)],
    "two wrong": [time_s - 5 * (index in (700, 701)) for index, time_s in enumerate(TIMES_S)],
    "the first wrong": [time_s - 5 * (index == 0) for index, time_s in enumerate(TIMES_S)],
    "the last wrong": [time_s + 5 * (index == len(TIMES_S) - 1) for index, time_s in enumerate(TIMES_S)],
    "some missing": [None if index % 3 else time_s for index, time_s in enumerate(TIMES_S)],
}


@pytest.mark.parametrize("name", WRONG_STAMPS)
def test_wrong_stamps_are_neither_holes_nor_jumps(name):
    clock, edits = followed(WRONG_STAMPS[name])

    assert edits == []
    assert clock.jumps == []
    assert clock.start_s == pytest.approx(0, abs=0.05)


def is_whole(most_s: float, seed: int) -> bool:
    """Whether sound whose stamps are late by up to `most_s` is hardly edited and starts where it does."""
    clock, edits = followed(jitter(most_s, seed))
    assert clock.start_s is not None
    return sum(abs(edit.change_s) for edit in edits) <= 0.08 and abs(clock.start_s) <= 0.05


@given(st.integers(0, 10_000), st.floats(0.0, 0.075))
@settings(max_examples=50, deadline=None)
def test_late_stamps_of_any_kind_leave_sound_whole(seed, most_s):
    assert is_whole(most_s, seed)


def test_very_late_stamps_leave_sound_whole_but_for_one_recording_in_three_hundred():
    """Of 15,000 drawn ones, 41 did not: chance rises of the median, where no stamp of half a second is punctual, are
    taken for gaps."""
    wrong = [seed for seed in range(600) if not is_whole(0.075 + 0.075 * seed / 600, seed)]
    assert len(wrong) <= 2


@pytest.mark.xfail(strict=True, reason="chance rises of the median are taken for gaps, or for the start")
@pytest.mark.parametrize(("most_s", "seed"), [(0.1484375, 123), (0.125, 2404), (0.125, 4262)])
def test_very_late_stamps_that_are_known_not_to(most_s, seed):
    assert is_whole(most_s, seed)


@pytest.mark.parametrize("lost_s", [0.05, 0.2, 2.0, 900.0])
def test_a_gap_is_filled_where_it_is(lost_s):
    clock, edits = followed(stamped(lambda time_s: lost_s * (time_s > 10)))

    (edit,) = edits
    assert edit.at_s == pytest.approx(10, abs=FRAME_S)
    assert edit.change_s == pytest.approx(lost_s)
    assert not edit.is_drift
    assert clock.jumps == []


def test_gaps_that_follow_each_other_are_all_filled_where_they_are():
    _, edits = followed(stamped(lambda time_s: 0.3 * int(time_s / 0.7)))

    assert len(edits) == int(TIMES_S[-1] / 0.7)
    for number, edit in enumerate(edits, start=1):
        assert edit.at_s == pytest.approx(0.7 * number, abs=FRAME_S)
        assert edit.change_s == pytest.approx(0.3)


def test_a_gap_among_late_stamps_is_filled():
    _, edits = followed([late_s + 2 * (time_s > 10) for late_s, time_s in zip(jitter(0.1), TIMES_S, strict=True)])

    (edit,) = edits
    assert edit.at_s == pytest.approx(10, abs=0.05)
    assert edit.change_s == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("jump_s", [-1.5, -7.0, -20_000.0, 4 * MAX_GAP_S])
def test_a_clock_that_is_set_is_followed_and_keeps_all_sound(jump_s):
    clock, edits = followed(stamped(lambda time_s: jump_s * (time_s > 10)))

    (jump,) = clock.jumps
    assert jump.after_s - jump.before_s == pytest.approx(jump_s)
    assert jump.before_s == pytest.approx(10, abs=FRAME_S)
    assert edits == []


def test_sound_that_is_sent_twice_is_left_out():
    _, edits = followed(TIMES_S[:400] + TIMES_S[385:])

    (edit,) = edits
    assert edit.change_s == pytest.approx(-15 * FRAME_S)
    assert edit.at_s == pytest.approx(400 * FRAME_S)


@pytest.mark.parametrize("frame_s", [0.02, FRAME_S, 0.064])
@pytest.mark.parametrize("digits", [3, 9])
def test_each_packet_that_was_lost_is_silence_where_it_was(frame_s, digits):
    kept = [number for number in range(1200) if number % 20 != 7 and number % 97 != 11]
    _, edits = followed([round(frame_s * number, digits) for number in kept], frame_s)

    at_s = np.arange(len(kept)) * frame_s
    corrected_s = at_s + sum(edit.change_s * (at_s >= edit.at_s - 1e-9) for edit in edits)
    assert not any(edit.is_drift for edit in edits)
    assert np.abs(corrected_s - np.array(kept) * frame_s).max() < 0.002


@pytest.mark.parametrize("rate", [-0.09, -0.03, 0.03, 0.09])
def test_sound_of_another_rate_than_declared_is_kept_in_step_without_holes(rate):
    stamps_s = np.arange(0, 240, FRAME_S) * (1 + rate)
    clock, edits = followed(stamps_s.tolist())

    assert clock.jumps == []
    assert all(edit.is_drift for edit in edits)
    assert clock.start_s == pytest.approx(0, abs=0.1)
    at_s = np.arange(len(stamps_s)) * FRAME_S
    corrected_s = (clock.start_s or 0) + at_s + sum(edit.change_s * (at_s >= edit.at_s) for edit in edits)
    assert np.percentile(np.abs(corrected_s - stamps_s), 98) < 0.04


@pytest.mark.parametrize("rate", [-2e-3, -1e-4, 1e-4, 1e-3, 5e-3])
def test_drift_is_kept_within_40_ms_by_small_steps(rate):
    hour = np.arange(0, 3600 if abs(rate) < 1e-3 else 120, FRAME_S)
    clock, edits = followed((hour * (1 + rate)).tolist())

    assert clock.jumps == []
    assert all(edit.is_drift and abs(edit.change_s) < 0.04 for edit in edits)
    corrected_s = hour + sum(edit.change_s * (hour >= edit.at_s) for edit in edits)
    assert np.abs(corrected_s - hour * (1 + rate)).max() < 0.04


def errors_s(stamps_s: np.ndarray, true_s: np.ndarray, frame_s: float) -> np.ndarray:
    """How late sound lies whose stamps are wrong, beside pictures that begin at zero."""
    clock, edits = followed(stamps_s.tolist(), frame_s, beside_s=0.0)
    assert clock.jumps == []
    assert all(edit.is_drift and abs(edit.change_s) < 0.06 for edit in edits)
    at_s = np.arange(len(true_s)) * frame_s
    return (clock.start_s or 0.0) + at_s + sum(edit.change_s * (at_s >= edit.at_s) for edit in edits) - true_s


@pytest.mark.parametrize("frame_s", [0.02, FRAME_S, 0.064])
@pytest.mark.parametrize("together", [2, 3, 5, 9])
def test_equal_stamps_are_those_of_the_first_packet_where_pictures_begin_then(frame_s, together):
    if together * frame_s > 0.25:
        return
    true_s = np.arange(0, 60, frame_s)
    stamps_s = true_s[np.arange(len(true_s)) // together * together]

    assert np.abs(errors_s(stamps_s, true_s, frame_s)).max() < 0.03


@pytest.mark.parametrize("frame_s", [0.02, FRAME_S])
@pytest.mark.parametrize("spread_s", [0.005, 0.01, 0.02, 0.03])
def test_stamps_that_are_early_as_often_as_late_displace_nothing(frame_s, spread_s):
    true_s = np.arange(0, 60, frame_s)
    stamps_s = true_s + np.random.default_rng(5).normal(0, spread_s, len(true_s))

    assert np.abs(errors_s(stamps_s, true_s, frame_s)).max() < 0.03


@pytest.mark.parametrize("frame_s", [0.02, FRAME_S])
@pytest.mark.parametrize("late_s", [0.03, 0.1])
@pytest.mark.parametrize("rate", [-2e-3, -1e-3, -1e-4, 0.0, 1e-4, 1e-3, 2e-3])
def test_drift_among_late_stamps_is_kept_within_40_ms(frame_s, late_s, rate):
    true_s = np.arange(0, 120, frame_s) * (1 + rate)
    stamps_s = true_s + np.random.default_rng(6).uniform(0, late_s, len(true_s))

    assert np.abs(errors_s(stamps_s, true_s, frame_s)).max() < 0.04


def test_a_network_that_becomes_slower_is_no_drift():
    true_s = np.arange(0, 120, FRAME_S)
    late_s = np.random.default_rng(7).uniform(0, 0.03, len(true_s)) * np.where(true_s > 50, 4, 1)

    assert np.abs(errors_s(true_s + late_s, true_s, FRAME_S)).max() < 0.04


def test_stamps_that_come_late_count_back_to_the_start():
    clock, edits = followed([None if time_s < 0.5 else time_s + 5 for time_s in TIMES_S])

    assert clock.start_s == pytest.approx(5)
    assert edits == []


def test_stamps_may_be_rare():
    clock, edits = followed([time_s + 4 if index % 100 == 0 else None for index, time_s in enumerate(TIMES_S)])

    assert clock.start_s == pytest.approx(4)
    assert edits == []


def test_without_any_stamp_the_clock_starts_at_zero():
    clock, edits = followed([None] * 100)

    assert (clock.start_s, edits, clock.jumps) == (0.0, [], [])


@given(st.lists(st.floats(-1e5, 1e5) | st.none(), max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_stamps_give_a_timeline_that_goes_forward(stamps_s):
    clock, edits = followed(stamps_s)

    ends = [edit.at_s for edit in edits]
    assert ends == sorted(ends)
    removed_s = -sum(edit.change_s for edit in edits if edit.change_s < 0)
    assert removed_s <= clock.length_s + 1e-6
    assert sum(edit.change_s for edit in edits if edit.change_s > 0 and not edit.is_drift) <= MAX_GAP_S + 1e-6
