from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.tones import tone_params
from xmodal_kedro.models.card import digest
from xmodal_kedro.training.learner import Learner, compiles, multi_label_loss, single_label_loss
from xmodal_kedro.training.student import Heads


@pytest.mark.parametrize(
    ("device", "asked", "compiled"),
    [("cuda", "auto", (False, True)), ("cpu", "auto", (False, False)), ("cpu", True, (True, True))],
)
def test_a_network_is_compiled_where_that_is_won_back(
    device: str, asked: bool | str, compiled: tuple[bool, bool]
) -> None:
    params = tone_params(compile=asked, epochs=10, batch_size=100)
    assert tuple(compiles(params, steps, torch.device(device)) for steps in (1_999, 2_000)) == compiled


def test_losses_are_sums_over_clips_of_what_torch_has_as_means() -> None:
    logits, shares = torch.randn(5, 3), torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.0, 0.5]]).repeat(3, 1)[:5]
    torch.testing.assert_close(
        multi_label_loss(logits, shares), 5 * F.binary_cross_entropy_with_logits(logits, shares), rtol=1e-6, atol=1e-6
    )
    torch.testing.assert_close(
        single_label_loss(logits, shares), 5 * F.cross_entropy(logits, shares), rtol=1e-6, atol=1e-6
    )


def test_pretraining_begins_with_the_network_of_its_seed_whatever_the_generator_is_at() -> None:
    params = tone_params(seed=3)
    first = Learner.for_pretraining(params, 3, Heads(), 4, torch.device("cpu"))
    torch.rand(1)
    again = Learner.for_pretraining(params, 3, Heads(), 4, torch.device("cpu"))
    assert digest(first.model.state_dict()) == digest(again.model.state_dict())
