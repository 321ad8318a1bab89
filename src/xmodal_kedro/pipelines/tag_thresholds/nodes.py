"""Nodes of the pipeline `tag_thresholds`."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.params import ReviewParams
from xmodal_kedro.storage import DataFrame


def find_tag_thresholds(
    model_weights: dict[str, Any],
    model_card: dict[str, Any],
    confirmed_clips: DataFrame,
    reviewed_clips: DataFrame,
    review_pool: DataFrame,
    review: ReviewParams,
) -> dict[str, Any]:
    """From which score on each class of the network keeps the wanted precision, by what reviewers confirmed."""
    from xmodal_kedro.inference.audio_model import AudioModel
    from xmodal_kedro.models.card import restore_backbone
    from xmodal_kedro.models.device import choose_device
    from xmodal_kedro.review.tags import tag_thresholds

    model = AudioModel.of(restore_backbone(model_card, model_weights), model_card, choose_device("auto", "device"))
    return tag_thresholds(model, confirmed_clips, reviewed_clips, review_pool, review)
