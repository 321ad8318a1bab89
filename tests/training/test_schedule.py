from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tones import tone_params
from xmodal_kedro.models import build
from xmodal_kedro.training.schedule import decay_groups, learning_rate, pace_batch_norm


@given(steps=st.integers(1, 300), warmup=st.floats(0, 0.99))
def test_the_rate_rises_to_its_peak_and_falls_from_there(steps: int, warmup: float) -> None:
    params = tone_params(learning_rate=1.0, warmup_fraction=warmup)
    rates = [learning_rate(step, steps, params) for step in range(steps)]
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert max(rates) == 1.0 and min(rates) > 0


def test_the_rate_is_halved_midway_down_the_cosine() -> None:
    params = tone_params(learning_rate=2.0, warmup_fraction=0.5)
    assert learning_rate(4, 20, params) == pytest.approx(1.0)
    assert learning_rate(15, 20, params) == pytest.approx(1.0)


def test_norms_and_biases_do_not_decay() -> None:
    model = build("vggish_plus", 3)
    decaying, others = decay_groups(model, 0.1)
    assert decaying["weight_decay"] == 0.1 and others["weight_decay"] == 0.0
    assert {id(weight) for weight in others["params"]} == {
        id(weight) for name, weight in model.named_parameters() if weight.ndim == 1
    }
    assert len(decaying["params"]) + len(others["params"]) == len(list(model.parameters()))


@pytest.mark.parametrize("steps", [1, 3, 10, 28, 1_000])
def test_batch_norm_forgets_within_an_epoch_and_no_faster_than_it_needs_to(steps: int) -> None:
    model = build("mobilenet_v2", 3)
    pace_batch_norm(model, steps)
    momenta = {layer.momentum for layer in model.modules() if hasattr(layer, "running_mean")}
    assert len(momenta) == 1
    momentum = momenta.pop()
    assert (1 - momentum) ** steps == pytest.approx(0.05) if steps < 29 else momentum == 0.1
