"""A model card for readers, in Markdown, from the JSON card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from xmodal_kedro.reports import html

MEASURES = {"accuracy": "accuracy", "mean_average_precision": "mean average precision"}
"""Of a classifier, by their names in its card."""


def describe_model(card: Mapping[str, Any]) -> str:
    """What the network is, how it was made, how good it is, and how to use it, after Mitchell et al., "Model cards for
    model reporting" (2019).

    Args:
        card: of `models.card.describe`.
    """
    return html.render("model_card.md.j2", card=card, classes=list(map(code_span, card["classes"])))


def describe_classifier(card: Mapping[str, Any]) -> str:
    """What a classifier of one's own is, how good it is, and how to use it.

    Args:
        card: of `adapt.classifier.describe_classifier`.
    """
    evaluation = card["evaluation"]
    metric = next(name for name in MEASURES if name in evaluation)
    return html.render(
        "classifier_card.md.j2",
        card=card,
        classes=[(name, code_span(name).replace("|", "\\|")) for name in card["classes"]],
        measure=MEASURES[metric],
        value=evaluation[metric],
    )


def code_span(text: str) -> str:
    """Text as it is in a Markdown code span, which no character of it can end: CommonMark 0.31, section 6.1."""
    line = " ".join(text.split())
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"
