"""Video packets on the clock of the audio: jumps are followed together; wrong stamps and long frames are none."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from types import SimpleNamespace

import av
import pytest

from xmodal_kedro.media.audio_clock import Jump
from xmodal_kedro.media.video_clock import VideoClock

TICKS = 90_000


def packet(time_s: float) -> av.Packet:
    made = av.Packet(b"picture")
    made.pts = made.dts = round(time_s * TICKS)
    made.time_base = Fraction(1, TICKS)
    return made


def placed(times_s: Sequence[float], jumps_at: dict[int, Jump] | None = None) -> list[float]:
    """New times of packets; `jumps_at` holds the audio's jumps by the number of packets before they are known."""
    clock, jumps, shown = VideoClock(SimpleNamespace(average_rate=25, time_base=Fraction(1, TICKS))), [], []
    for number, time_s in enumerate(times_s):
        if number in (jumps_at or {}):
            jumps.append(jumps_at[number])
        shown += clock.look_at(packet(time_s), jumps)
    shown += clock.finish(jumps)
    assert len(shown) == len(times_s)
    return [round(float(made.pts * made.time_base), 3) for made in shown]


def test_a_jump_of_both_is_followed_by_what_the_audio_says():
    times_s = [0, 1, 2, 3, -4.1, -3.1, -2.1]

    assert placed(times_s, {5: Jump(3.9, -3.1)}) == [0, 1, 2, 3, 2.9, 3.9, 4.9]
    assert placed(times_s, {2: Jump(3.9, -3.1)}) == [0, 1, 2, 3, 2.9, 3.9, 4.9]


def test_a_jump_of_hours_is_followed():
    assert placed([0, 1, 2, 20_003, 20_004], {4: Jump(3, 20_003)}) == [0, 1, 2, 3, 4]


def test_a_frame_that_stays_for_hours_is_no_jump():
    assert placed([0, 1, 9000, 9001]) == [0, 1, 9000, 9001]


def test_a_clock_that_only_the_video_sets_back_goes_on():
    assert placed([0, 1, 2, -50, -49]) == [0, 1, 2, 2.04, 3.04]


@pytest.mark.parametrize("wrong_s", [-500.0, 90_000.0])
def test_a_single_wrong_stamp_is_that_of_the_packet_before(wrong_s):
    assert placed([0, 0.04, 0.08, wrong_s, 0.16, 0.2]) == [0, 0.04, 0.08, 0.08, 0.16, 0.2]


def test_several_jumps_are_matched_in_order():
    jumps = {4: Jump(3, 0), 7: Jump(3, 0)}

    assert placed([0, 1, 2, 0, 1, 2, 0, 1, 2], jumps) == [0, 1, 2, 3, 4, 5, 6, 7, 8]
