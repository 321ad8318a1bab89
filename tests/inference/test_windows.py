from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.inference.windows import windows


@given(samples=st.integers(0, 200), length=st.integers(1, 40), data=st.data())
def test_windows_hear_every_sample_however_the_sound_comes_in_pieces(
    samples: int, length: int, data: st.DataObject
) -> None:
    hop = data.draw(st.integers(1, length))
    cuts = sorted(data.draw(st.lists(st.integers(0, samples), max_size=6)))
    sound = np.arange(samples, dtype=np.int16)
    found = list(windows(np.split(sound, cuts), length, hop))
    assert all(np.array_equal(window.audio, sound[window.start : window.start + length]) for window in found)
    assert {sample for window in found for sample in window.audio.tolist()} == set(range(samples))
    whole = [window.start for window in found if window.start % hop == 0 and len(window.audio) == length]
    assert set(range(0, samples - length + 1, hop)) <= set(whole)
    assert len(found) == len({window.start for window in found}) <= max(0, samples - length) // hop + 2
    assert all(len(window.audio) == min(length, samples) for window in found)
