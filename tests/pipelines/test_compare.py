"""The pipeline `compare`: its labels equal those of `merge_labels`, and its trials are reproducible by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.labels.merging import (
    NOT_REVIEWED,
    Corpus,
    audio_classes,
    corpus_of,
    made,
    merge,
    merge_params,
    near_duplicates,
    ontology,
    visual_classes,
)
from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.rules import of_rule, vocabulary_of
from xmodal_kedro.labels.match import match_classes
from xmodal_kedro.params import CompareParams
from xmodal_kedro.pipelines.compare import nodes
from xmodal_kedro.schemas import (
    RuleVocabularies,
)

RULES = ("visual_only", "audio_only", "union", "agreement")


def small_corpus() -> Corpus:
    rng = np.random.default_rng(4)
    clips = {f"shard-{key}": [(f"{key}{clip}", f"v{key}{clip // 2}") for clip in range(8)] for key in range(3)}

    def labels(names: tuple[str, ...]) -> dict[str, list[tuple[str, str, float]]]:
        return {
            key: [(clip, name, float(rng.uniform(0.2, 1))) for clip, _ in rows for name in rng.choice(names, 2, False)]
            for key, rows in clips.items()
        }

    return corpus_of(clips, labels(("dog", "drum", "bell", "statue")), labels(("Dog", "Bark", "Drum", "Rain", "Bell")))


def test_the_labels_of_each_rule_are_those_that_merge_labels_makes() -> None:
    corpus, compare = small_corpus(), CompareParams(rules=RULES)
    params = merge_params(visual_names="sounds", drop_silent=True, min_clips=2, validation_fraction=0.4)
    labels = (corpus["clips"], corpus["visual"], corpus["audio"])
    classes = match_classes(visual_classes(), audio_classes(), ontology(), params)
    surveys = made(nodes.survey_rules(*labels, *classes, NOT_REVIEWED, params, compare))
    plans = nodes.plan_rules(*classes, surveys, NOT_REVIEWED, params, compare)
    counts = made(nodes.count_rules(*labels, plans))
    vocabularies = RuleVocabularies.validate(nodes.choose_classes(plans, surveys, counts))
    groups = near_duplicates({})
    merged = made(nodes.merge_rules(*labels, plans, vocabularies, groups))
    for rule in RULES:
        expected = merge(corpus, params.model_copy(update={"rule": rule}), groups)
        pd.testing.assert_frame_equal(vocabulary_of(vocabularies, rule), expected.vocabulary)
        assert {key: shard() for key, shard in of_rule(merged, rule).items()} == expected.tables


def test_a_rule_without_classes_is_named() -> None:
    corpus, compare = small_corpus(), CompareParams(rules=("visual_only", "audio_only"))
    params = merge_params(min_clips=1000)
    labels = (corpus["clips"], corpus["visual"], corpus["audio"])
    classes = match_classes(visual_classes(), audio_classes(), ontology(), params)
    surveys = made(nodes.survey_rules(*labels, *classes, NOT_REVIEWED, params, compare))
    plans = nodes.plan_rules(*classes, surveys, NOT_REVIEWED, params, compare)
    with pytest.raises(UserError, match=r"visual_only.*compare\.rules"):
        nodes.choose_classes(plans, surveys, {})
