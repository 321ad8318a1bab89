"""Tables of `transfer_eval` and `compare`: how networks and labels were judged."""

from __future__ import annotations

import pandera.pandas as pa_checks
import pyarrow as pa
from pandera.typing.pandas import Series

from .base import Table, column

PROTOCOLS = ["linear_probe", "fine_tune", "zero_shot"]
REPRESENTATIONS = ["pretrained", "random", "scratch", "log_mel", "teacher"]


class TransferResults(Table):
    """One fold of one benchmark."""

    benchmark: Series[str]
    complete: Series[bool]
    """Whether it is all of the published benchmark, and not another folder in its layout."""
    model: Series[str]
    protocol: Series[str] = pa_checks.Field(isin=PROTOCOLS)
    representation: Series[str] = pa_checks.Field(isin=REPRESENTATIONS)
    """`pretrained`: of the trained network; others are what it is compared with."""
    fold: Series[int] = pa_checks.Field(ge=1)
    metric: Series[str]
    value: Series[float] = pa_checks.Field(ge=0, le=1)


class TransferPredictions(Table):
    """What one test clip of a benchmark was called."""

    protocol: Series[str] = pa_checks.Field(isin=PROTOCOLS)
    representation: Series[str] = pa_checks.Field(isin=REPRESENTATIONS)
    fold: Series[int] = pa_checks.Field(ge=1)
    file: Series[str]
    truth: Series[str]
    predicted: Series[str]


PREDICTIONS_ARROW = TransferPredictions.arrow_schema()


class ConfusionPairs(Table):
    """What the trained network called one test clip."""

    truth: Series[str]
    predicted: Series[str]


class ClassAccuracies(Table):
    """How often the trained network calls clips of one class right."""

    category: Series[str] = pa_checks.Field(unique=True)
    accuracy: Series[float] = pa_checks.Field(ge=0, le=1)


class TransferGains(Table):
    """How far the trained network is ahead of what it is compared with."""

    benchmark: Series[str]
    model: Series[str]
    protocol: Series[str] = pa_checks.Field(isin=PROTOCOLS)
    over: Series[str] = pa_checks.Field(isin=REPRESENTATIONS)
    metric: Series[str]
    gain: Series[float] = pa_checks.Field(ge=-1, le=1)
    """Mean over folds."""
    low: Series[float]
    high: Series[float]
    """Ends of its 95 % confidence interval."""
    p_value: Series[float] = pa_checks.Field(ge=0, le=1)
    """Of no gain, two-sided."""
    folds: Series[int] = pa_checks.Field(ge=1)


class RuleVocabularies(Table):
    """The label vocabularies of several rules of merging, as in `LabelVocabulary`."""

    rule: Series[str]
    index: Series[int] = pa_checks.Field(ge=0)
    name: Series[str]
    modality: Series[str] = pa_checks.Field(isin=["visual", "audio", "both"])
    clip_count: Series[int] = pa_checks.Field(gt=0)
    audioset_id: Series[str]
    parents: Series[str]
    kept_share: Series[float] = pa_checks.Field(ge=0, le=1)


class RuleNetworks(Table):
    """A network that was trained on the labels of one rule of merging, from one seed."""

    rule: Series[str]
    seed: Series[int] = pa_checks.Field(ge=0)
    card: Series[str]
    """JSON, as `models.card.make_card` makes it."""
    weights: Series[bytes] = column(pa.binary())
    """safetensors."""


RULE_NETWORKS_ARROW = RuleNetworks.arrow_schema()


class RulePredictions(Table):
    """What a probe called a test clip, on the embedding of a network trained on the labels of one rule."""

    rule: Series[str]
    """Of merging; `untrained` for the network at random initialisation."""
    seed: Series[int] = pa_checks.Field(ge=0)
    fold: Series[int] = pa_checks.Field(ge=1)
    file: Series[str]
    truth: Series[str]
    predicted: Series[str]


RULE_PREDICTIONS_ARROW = RulePredictions.arrow_schema()


class RuleResults(Table):
    """One fold of one benchmark, after training on the labels of one rule from one seed."""

    benchmark: Series[str]
    complete: Series[bool]
    """Whether it is all of the published benchmark, and not another folder in its layout."""
    model: Series[str]
    rule: Series[str]
    seed: Series[int] = pa_checks.Field(ge=0)
    fold: Series[int] = pa_checks.Field(ge=1)
    metric: Series[str]
    value: Series[float] = pa_checks.Field(ge=0, le=1)


class RuleGains(Table):
    """How far one rule is ahead of another."""

    benchmark: Series[str]
    model: Series[str]
    rule: Series[str]
    over: Series[str]
    metric: Series[str]
    gain: Series[float] = pa_checks.Field(ge=-1, le=1)
    """Mean over seeds and folds."""
    low: Series[float]
    high: Series[float]
    """Ends of its 95 % confidence interval, not adjusted for the number of pairs."""
    p_value: Series[float] = pa_checks.Field(ge=0, le=1)
    """Of no gain, two-sided, adjusted for the number of pairs (Holm)."""


class NetworkSummary(Table):
    """What one representation is worth on one benchmark, over its folds."""

    benchmark: Series[str]
    complete: Series[bool]
    model: Series[str]
    protocol: Series[str] = pa_checks.Field(isin=PROTOCOLS)
    representation: Series[str] = pa_checks.Field(isin=REPRESENTATIONS)
    metric: Series[str]
    mean: Series[float] = pa_checks.Field(ge=0, le=1)
    deviation: Series[float] = pa_checks.Field(ge=0, nullable=True)
    """Of a sample; empty where there is one fold."""
    folds: Series[int] = pa_checks.Field(ge=1)
    gain: Series[float] = pa_checks.Field(ge=-1, le=1, nullable=True)
    """How far the pretrained network is ahead of this; empty for itself."""
    low: Series[float] = pa_checks.Field(nullable=True)
    high: Series[float] = pa_checks.Field(nullable=True)
    p_value: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)

    class Config:
        coerce = True  # CSV does not tell the types of a table without rows


class RuleSummary(Table):
    """What the labels of one rule are worth on one benchmark, over its folds and several seeds."""

    benchmark: Series[str]
    complete: Series[bool]
    model: Series[str]
    rule: Series[str]
    metric: Series[str]
    mean: Series[float] = pa_checks.Field(ge=0, le=1)
    deviation: Series[float] = pa_checks.Field(ge=0, nullable=True)
    """Of the means of seeds; empty where there is one."""
    seeds: Series[int] = pa_checks.Field(ge=1)

    class Config:
        coerce = True  # as above
