"""The model card for readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.network_files import Trained
from tests.tones import TONES_HZ
from xmodal_kedro.reports.model_card import code_span, describe_model


def test_the_card_for_readers_says_what_the_json_card_does(tmp_path: Path) -> None:
    card: dict[str, Any] = Trained(tmp_path).card | {"best": {"epoch": 4, "validation_map": 0.625}}
    text = describe_model(card)
    for part in (card["weights_digest"], card["data_fingerprint"], "0.625", "epoch 5", *TONES_HZ):
        assert part in text
    assert "the audio teacher's embedding" not in text
    taught = card | {"training": card["training"] | {"embedding_weight": 0.5}}
    assert "the audio teacher's embedding (weight 0.5)" in describe_model(taught)


def test_every_class_is_a_list_item_of_its_own_as_it_is_spelt(tmp_path: Path) -> None:
    names = ["Speech", "harp, lyre", "a|b", "`tick`", "<b> & *c*", "x``y"]
    text = describe_model(Trained(tmp_path).card | {"classes": names})
    items = [line for line in text.partition("## Classes\n")[2].splitlines() if line]
    assert items == ["- `Speech`", "- `harp, lyre`", "- `a|b`", "- `` `tick` ``", "- `<b> & *c*`", "- ``` x``y ```"]


@pytest.mark.parametrize("text", ["`", "``", "a`b", "a``b`", "plain"])
def test_no_backtick_of_a_name_ends_its_code_span(text: str) -> None:
    span = code_span(text)
    fence = span[: len(span) - len(span.lstrip("`"))]
    assert span.endswith(fence)
    assert fence not in span[len(fence) : -len(fence)]
