from __future__ import annotations

import json

import pytest
import torch

from tests.tones import tone_params
from xmodal_kedro.models import build
from xmodal_kedro.models.card import digest, make_card, restore_backbone

CLASSES = ["rain", "bell"]


def card_of(model_name: str) -> tuple[dict, dict]:
    model = build(model_name, len(CLASSES), tone_params().vggish_plus)
    return make_card(model, CLASSES, tone_params(model=model_name), "abc", {"epoch": 3}), model.state_dict()


def test_a_card_and_its_weights_give_back_the_network_ready_for_use() -> None:
    model = build("vggish_plus", 2, tone_params().vggish_plus).eval()
    card = make_card(model, CLASSES, tone_params(), "abc", {"epoch": 3})
    again = restore_backbone(json.loads(json.dumps(card)), model.state_dict())
    log_mel = torch.randn(1, 96, 64)
    assert not again.training
    torch.testing.assert_close(again(log_mel)[0], model(log_mel)[0], rtol=0, atol=0)


def test_options_of_the_network_come_back_with_its_card() -> None:
    params = tone_params(vggish_plus={"pooling": "mean", "width": 4})
    model = build("vggish_plus", 2, params.vggish_plus).eval()
    card = make_card(model, CLASSES, params, "abc", {"epoch": 3})
    again = restore_backbone(json.loads(json.dumps(card)), model.state_dict())
    assert [weight.shape for weight in again.parameters()] == [weight.shape for weight in model.parameters()]


def test_a_card_from_before_there_were_options_takes_the_defaults() -> None:
    model = build("vggish_plus", len(CLASSES))
    card = make_card(model, CLASSES, tone_params(), "abc", {})
    del card["training"]["vggish_plus"]
    assert digest(restore_backbone(card, model.state_dict()).state_dict()) == card["weights_digest"]
    card, weights = card_of("mobilenet_v2")
    del card["training"]
    assert digest(restore_backbone(card, weights).state_dict()) == card["weights_digest"]


def test_a_card_with_options_that_this_version_does_not_know_is_an_error() -> None:
    card, weights = card_of("vggish_plus")
    card["training"]["vggish_plus"]["squeeze"] = True
    with pytest.raises(ValueError, match=r"training\.vggish_plus: squeeze is True.*: run the train pipeline again"):
        restore_backbone(card, weights)


def test_a_card_tells_what_is_needed_to_feed_and_read_the_network() -> None:
    card, weights = card_of("mobilenet_v2")
    assert card["classes"] == CLASSES
    assert card["front_end"]["sample_rate_hz"] == 16_000 and card["front_end"]["log_offset"] == 0.01
    assert card["embedding_size"] == 1280 and card["clip_s"] == 0.975
    assert card["best"] == {"epoch": 3} and card["data_fingerprint"] == "abc"
    assert card["parameter_count"] < sum(weight.numel() for weight in weights.values())


@pytest.mark.parametrize("other", ["mobilenet_v2", "vggish_plus"])
def test_weights_of_another_run_are_an_error(other: str) -> None:
    card, _ = card_of("vggish_plus")
    _, weights = card_of(other)
    with pytest.raises(ValueError, match=r"of different runs .*: run the train pipeline again"):
        restore_backbone(card, weights)


def test_a_network_that_has_changed_since_is_an_error() -> None:
    card, weights = card_of("vggish_plus")
    card["classes"] = [*CLASSES, "dog"]
    with pytest.raises(ValueError, match=r"do not fit .* \(vggish_plus, 3 classes\): run the train pipeline again"):
        restore_backbone(card, weights)


def test_the_digest_tells_names_shapes_types_and_values_but_not_order() -> None:
    bits = torch.zeros(4)
    same = {"a": bits, "b": torch.tensor(3)}
    others = [
        {"a": bits + 1e-7, "b": torch.tensor(3)},
        {"a": bits, "c": torch.tensor(3)},
        {"a": bits.reshape(2, 2), "b": torch.tensor(3)},
        {"a": bits.view(torch.int32), "b": torch.tensor(3)},
        {"a": bits},
    ]
    assert digest(same) == digest(dict(reversed(same.items())))
    assert len({digest(weights) for weights in [same, *others]}) == 1 + len(others)


def test_the_digest_of_channels_last_weights_is_that_of_their_values() -> None:
    kernel = torch.randn(3, 4, 2, 2)
    assert digest({"kernel": kernel}) == digest({"kernel": kernel.to(memory_format=torch.channels_last)})


def test_an_incomplete_card_is_an_error_that_names_what_it_lacks() -> None:
    card, weights = card_of("vggish_plus")
    del card["classes"]
    with pytest.raises(ValueError, match="lacks classes"):
        restore_backbone(card, weights)
