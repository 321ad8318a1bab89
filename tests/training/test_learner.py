from __future__ import annotations

import pytest
import torch

from tests.tones import tone_params
from xmodal_kedro.training.learner import compiles


@pytest.mark.parametrize(
    ("device", "asked", "compiled"),
    [("cuda", "auto", (False, True)), ("cpu", "auto", (False, False)), ("cpu", True, (True, True))],
)
def test_a_network_is_compiled_where_that_is_won_back(
    device: str, asked: bool | str, compiled: tuple[bool, bool]
) -> None:
    params = tone_params(compile=asked, epochs=10, batch_size=100)
    assert tuple(compiles(params, steps, torch.device(device)) for steps in (1_999, 2_000)) == compiled
