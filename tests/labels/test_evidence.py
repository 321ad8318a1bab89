from __future__ import annotations

from tests.labels.merging import (
    AUDIO,
    NOT_REVIEWED,
    VISUAL,
    Corpus,
    audio_classes,
    corpus_of,
    made,
    merge_params,
    ontology,
    visual_classes,
)
from xmodal_kedro.labels.evidence import supporting_labels
from xmodal_kedro.labels.match import match_classes
from xmodal_kedro.pipelines.merge_labels import nodes


def supporting(corpus: Corpus, **changes: object) -> tuple[tuple[str, str], ...]:
    params = merge_params(**changes)
    classes = match_classes(visual_classes(), audio_classes(), ontology(), params)
    survey = made(
        nodes.survey_labels(corpus["clips"], corpus["visual"], corpus["audio"], *classes, NOT_REVIEWED, params)
    )
    return supporting_labels(nodes.plan_merge(survey, *classes, NOT_REVIEWED, params)[2])


def test_the_same_class_and_those_above_and_below_it_support_a_label() -> None:
    everything = corpus_of(
        {"s": [("a", "v")]},
        {"s": [("a", label, 0.9) for label in VISUAL]},
        {"s": [("a", label, 0.9) for label in AUDIO]},
    )
    many = {"visual": {"threshold": 0.3, "top_k": 9}, "audio": {"threshold": 0.3, "top_k": 9}}
    found = supporting(everything, **many)
    dogs = {(seen, heard) for seen in ("dog", "puppy") for heard in ("Animal", "Bark", "Dog")}
    assert set(found) >= dogs | {("drum", "Drum"), ("bell", "Bell")}
    assert not {pair for pair in found if pair[1] == "Speech"} and found == tuple(sorted(found))
    assert ("dog", "Animal") not in supporting(everything, **many, agreement={"ancestors": False})


def test_labels_that_never_meet_are_no_pair() -> None:
    apart = corpus_of({"s": [("a", "v"), ("b", "w")]}, {"s": [("a", "dog", 0.9)]}, {"s": [("b", "Dog", 0.9)]})
    assert supporting(apart) == ()


def test_rules_of_one_teacher_compare_no_labels() -> None:
    together = corpus_of({"s": [("a", "v")]}, {"s": [("a", "dog", 0.9)]}, {"s": [("a", "Dog", 0.9)]})
    assert supporting(together) == (("dog", "Dog"),)
    assert [supporting(together, rule=rule) for rule in ("visual_only", "audio_only")] == [(), ()]
