"""Tables of `transfer_eval` and `compare`: evaluation of networks and labels."""

from __future__ import annotations

import pandera.pandas as pa_checks
import pyarrow as pa
from pandera.typing.pandas import Series

from .base import Table, column

PROTOCOLS = ["linear_probe", "fine_tune", "zero_shot"]
REPRESENTATIONS = ["pretrained", "random", "scratch", "log_mel", "teacher"]


class TransferResults(Table):
    """A metric of one fold of a benchmark."""

    benchmark: Series[str]
    complete: Series[bool]
    """Whether it is the whole published benchmark, not another folder in its layout."""
    model: Series[str]
    protocol: Series[str] = pa_checks.Field(isin=PROTOCOLS)
    representation: Series[str] = pa_checks.Field(isin=REPRESENTATIONS)
    """`pretrained` is the trained network; the others are comparisons."""
    fold: Series[int] = pa_checks.Field(ge=1)
    metric: Series[str]
    value: Series[float] = pa_checks.Field(ge=0, le=1)


class TransferPredictions(Table):
    """The predicted class of one test clip of a benchmark."""

    protocol: Series[str] = pa_checks.Field(isin=PROTOCOLS)
    representation: Series[str] = pa_checks.Field(isin=REPRESENTATIONS)
    fold: Series[int] = pa_checks.Field(ge=1)
    file: Series[str]
    truth: Series[str]
    predicted: Series[str]


PREDICTIONS_ARROW = TransferPredictions.arrow_schema()


class ProbeStrengths(Table):
    """The regularisation that the linear probe of one fold was fitted with, chosen on training clips."""

    representation: Series[str] = pa_checks.Field(isin=REPRESENTATIONS)
    fold: Series[int] = pa_checks.Field(ge=1)
    strength: Series[float] = pa_checks.Field(gt=0)
    """Inverse strength C."""
    edge: Series[str] = pa_checks.Field(isin=["", "smallest", "largest"])
    """Which end of `transfer_eval.regularisation` it is; empty between the ends, and where there is but one value."""


class ConfusionPairs(Table):
    """True class of one test clip, and the class that the trained network predicts."""

    truth: Series[str]
    predicted: Series[str]


class ClassAccuracies(Table):
    """Accuracy of the trained network on clips of one class."""

    category: Series[str] = pa_checks.Field(unique=True)
    accuracy: Series[float] = pa_checks.Field(ge=0, le=1)


class TransferGains(Table):
    """Gain of the trained network over one comparison."""

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
    """Two-sided test of no gain."""
    folds: Series[int] = pa_checks.Field(ge=1)


class RuleVocabularies(Table):
    """The label vocabularies of several merge rules, as in `LabelVocabulary`."""

    rule: Series[str]
    index: Series[int] = pa_checks.Field(ge=0)
    name: Series[str]
    modality: Series[str] = pa_checks.Field(isin=["visual", "audio", "both"])
    clip_count: Series[int] = pa_checks.Field(gt=0)
    audioset_id: Series[str]
    parents: Series[str]
    kept_share: Series[float] = pa_checks.Field(ge=0, le=1)


class RuleNetworks(Table):
    """A network that was trained on the labels of one merge rule, from one seed."""

    rule: Series[str]
    seed: Series[int] = pa_checks.Field(ge=0)
    card: Series[str]
    """JSON of the card from `models.card.make_card`."""
    weights: Series[bytes] = column(pa.binary())
    """safetensors."""


RULE_NETWORKS_ARROW = RuleNetworks.arrow_schema()


class RulePredictions(Table):
    """A probe's predicted class of a test clip, from the embedding of a network trained on the labels of one rule."""

    rule: Series[str]
    """Merge rule; `untrained` for the network at random initialisation."""
    seed: Series[int] = pa_checks.Field(ge=0)
    fold: Series[int] = pa_checks.Field(ge=1)
    file: Series[str]
    truth: Series[str]
    predicted: Series[str]


RULE_PREDICTIONS_ARROW = RulePredictions.arrow_schema()


class RuleResults(Table):
    """A metric of one fold of a benchmark, after training on the labels of one rule from one seed."""

    benchmark: Series[str]
    complete: Series[bool]
    """Whether it is the whole published benchmark, not another folder in its layout."""
    model: Series[str]
    rule: Series[str]
    seed: Series[int] = pa_checks.Field(ge=0)
    fold: Series[int] = pa_checks.Field(ge=1)
    metric: Series[str]
    value: Series[float] = pa_checks.Field(ge=0, le=1)


class RuleGains(Table):
    """Gain of one rule over another."""

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
    """Two-sided test of no gain, adjusted for the number of pairs (Holm)."""


class NetworkSummary(Table):
    """Metric of one representation on one benchmark, over its folds."""

    benchmark: Series[str]
    complete: Series[bool]
    model: Series[str]
    protocol: Series[str] = pa_checks.Field(isin=PROTOCOLS)
    representation: Series[str] = pa_checks.Field(isin=REPRESENTATIONS)
    metric: Series[str]
    mean: Series[float] = pa_checks.Field(ge=0, le=1)
    deviation: Series[float] = pa_checks.Field(ge=0, nullable=True)
    """Sample standard deviation over folds; empty for one fold."""
    folds: Series[int] = pa_checks.Field(ge=1)
    gain: Series[float] = pa_checks.Field(ge=-1, le=1, nullable=True)
    """Gain of the pretrained network over this representation; empty for itself."""
    low: Series[float] = pa_checks.Field(nullable=True)
    high: Series[float] = pa_checks.Field(nullable=True)
    p_value: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)

    class Config:
        coerce = True  # an empty CSV table has no types


class RuleSummary(Table):
    """Metric of the labels of one rule on one benchmark, over its folds and several seeds."""

    benchmark: Series[str]
    complete: Series[bool]
    model: Series[str]
    rule: Series[str]
    metric: Series[str]
    mean: Series[float] = pa_checks.Field(ge=0, le=1)
    deviation: Series[float] = pa_checks.Field(ge=0, nullable=True)
    """Standard deviation of the means of seeds; empty for one seed."""
    seeds: Series[int] = pa_checks.Field(ge=1)

    class Config:
        coerce = True  # as above
