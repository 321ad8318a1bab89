from __future__ import annotations

import pytest
import torch

from xmodal_kedro.training.memory import HEADROOM, advice, largest_batch

GB = 10**9


@pytest.mark.parametrize("of_a_clip", [GB // 100, GB // 3, 2 * GB])
def test_the_largest_batch_fits_and_a_good_part_more_would_not(of_a_clip: int) -> None:
    def peak_bytes(clips: int) -> int:
        return 3 * GB + clips * of_a_clip

    fits = largest_batch(peak_bytes, 80 * GB)
    assert peak_bytes(fits) <= HEADROOM * 80 * GB
    assert peak_bytes(fits + 8) > HEADROOM * 80 * GB


def test_where_a_few_clips_do_not_fit_nothing_does() -> None:
    def peak_bytes(clips: int) -> int:
        raise torch.OutOfMemoryError

    assert largest_batch(peak_bytes, GB) == 0


def test_the_advice_names_the_parameters_to_set() -> None:
    said = advice(batch_size=1024, accumulate=1, ranks=2, fits=200, gpu="a GPU", total_bytes=16 * 2**30)
    assert said == (
        "512 clips at a time do not fit the 16 GiB of a GPU: about 200 would; set train.batch_size to 400, or keep it "
        "at 1024 and set train.accumulate to 3"
    )


def test_where_nothing_fits_the_advice_is_a_shorter_clip_or_a_smaller_network() -> None:
    assert "shorten train.clip_s, or train a smaller train.model" in advice(64, 1, 1, 0, "a GPU", 2**30)
