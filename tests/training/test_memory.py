from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tones import tone_params
from xmodal_kedro.training.memory import advice, clips_at_a_time, largest_batch


@given(asked=st.integers(2, 5_000), room=st.integers(0, 5_000))
def test_what_is_advised_fits_is_less_than_was_asked_for_and_not_much_less_than_could_be(asked: int, room: int) -> None:
    room = min(room, asked - 1)
    fits = largest_batch(lambda clips: clips <= room, asked)
    assert fits <= room
    if room >= 4:
        assert fits >= 2 and fits > room // 3


def test_where_not_even_two_clips_fit_nothing_does() -> None:
    assert largest_batch(lambda _: False, 64) == 0


def test_the_advice_names_the_parameters_to_set() -> None:
    params = tone_params(batch_size=1024, devices=2)
    assert clips_at_a_time(params) == 512
    assert advice(params, fits=200, gpu="a GPU", total_bytes=16 * 2**30) == (
        "512 clips at a time do not fit the 16 GiB of a GPU: 200 would; set train.batch_size to 400, or keep it at "
        "1024 and set train.accumulate to 3"
    )


@pytest.mark.parametrize("fits", [2, 7, 100, 511])
def test_what_is_advised_asks_for_no_more_than_fits(fits: int) -> None:
    params = tone_params(batch_size=1024, devices=2, accumulate=1)
    said = advice(params, fits, "a GPU", 2**30)
    batch_size, accumulate = (int(said.split(name)[1].split(",")[0]) for name in ("batch_size to ", "accumulate to "))
    assert clips_at_a_time(params.model_copy(update={"batch_size": batch_size})) <= fits
    assert clips_at_a_time(params.model_copy(update={"accumulate": accumulate})) <= fits


def test_where_nothing_fits_the_advice_is_a_shorter_clip_or_a_smaller_network() -> None:
    assert "shorten train.clip_s, or train a smaller train.model" in advice(tone_params(), 0, "a GPU", 2**30)
