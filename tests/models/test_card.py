from __future__ import annotations

import json

import pytest
import torch

from tests.tones import tone_params
from xmodal_kedro.models import build
from xmodal_kedro.models.card import describe, load_model

CLASSES = ["rain", "bell"]


def card_of(model_name: str) -> tuple[dict, dict]:
    model = build(model_name, len(CLASSES))
    return describe(model, CLASSES, tone_params(model=model_name), "abc", {"epoch": 3}), model.state_dict()


def test_a_card_and_its_weights_give_back_the_network_ready_for_use() -> None:
    model = build("vggish_plus", 2).eval()
    card = describe(model, CLASSES, tone_params(), "abc", {"epoch": 3})
    again = load_model(json.loads(json.dumps(card)), model.state_dict())
    log_mel = torch.randn(1, 96, 64)
    assert not again.training
    torch.testing.assert_close(again(log_mel)[0], model(log_mel)[0], rtol=0, atol=0)


def test_a_card_tells_what_is_needed_to_feed_and_read_the_network() -> None:
    card, weights = card_of("mobilenet_v2")
    assert card["classes"] == CLASSES
    assert card["front_end"]["sample_rate_hz"] == 16_000 and card["front_end"]["log_offset"] == 0.01
    assert card["embedding_size"] == 1280 and card["clip_s"] == 0.975
    assert card["best"] == {"epoch": 3} and card["data_fingerprint"] == "abc"
    assert card["parameter_count"] < sum(weight.numel() for weight in weights.values())


def test_weights_of_another_network_are_an_error() -> None:
    card, _ = card_of("vggish_plus")
    _, weights = card_of("mobilenet_v2")
    with pytest.raises(ValueError, match=r"do not fit their card \(vggish_plus, 2 classes\)"):
        load_model(card, weights)


def test_an_incomplete_card_is_an_error_that_names_what_it_lacks() -> None:
    card, weights = card_of("vggish_plus")
    del card["classes"]
    with pytest.raises(ValueError, match="lacks classes"):
        load_model(card, weights)
