"""Confirmed clips as a truth: only those of which all that counts was judged."""

from __future__ import annotations

import pandas as pd

from tests.labels.merging import merge_params
from tests.review.corpus import CLASSES, corpus_of
from xmodal_kedro.labels.check.meaning import Meaning
from xmodal_kedro.labels.check.truth import read_truth, require_known_classes
from xmodal_kedro.labels.class_map import ClassMap
from xmodal_kedro.review.clips import find_clips
from xmodal_kedro.review.truth import reviewed_truth

CLIPS = ["c0", "c1", "c2"]
VIDEOS = pd.DataFrame({"video_id": [f"{clip}-video" for clip in CLIPS], "uri": [f"{clip}.mp4" for clip in CLIPS]})
LABELS = {
    "visual": {"c0": {"dog": 0.9}, "c1": {"statue": 0.8}},
    "audio": {"c0": {"Dog": 0.8, "Rain": 0.7, "Speech": 0.1}, "c1": {"Drum": 0.9}},
}
CORPUS = corpus_of(CLIPS, LABELS)


def truth(*answers: tuple[str, str, str]) -> dict[str, str]:
    """What is heard by recording; checked as `label_check` does."""
    table = pd.DataFrame(answers, columns=["clip_id", "name", "answer"])
    spans = find_clips(CORPUS.clips, table["clip_id"])
    params = merge_params(visual_names="sounds")
    made = reviewed_truth(table, spans, VIDEOS, CORPUS.clips, CORPUS.labels, ClassMap.of(*CLASSES), params)
    if len(made):
        ontology = pd.DataFrame(columns=["audioset_id", "name", "parents", "abstract"]).astype({"abstract": bool})
        checked = read_truth(made.astype(str))
        require_known_classes(checked, Meaning(*CLASSES, ontology))
    return dict(zip(made["uri"], made["heard"], strict=True))


def test_a_clip_counts_once_every_label_that_merging_counts_is_judged() -> None:
    assert truth(("c0", "Dog", "right")) == {}
    assert truth(("c0", "Dog", "right"), ("c0", "Rain", "unsure")) == {}
    assert truth(("c0", "Dog", "right"), ("c0", "Rain", "wrong")) == {"c0.mp4": "Dog"}


def test_what_was_added_is_heard_and_what_no_teacher_knows_is_left_out() -> None:
    judged = (("c0", "Dog", "wrong"), ("c0", "Rain", "right"))
    assert truth(*judged, ("c0", "Drum", "right"), ("c0", "my kettle", "right")) == {"c0.mp4": "Drum|Rain"}


def test_a_class_that_makes_no_sound_is_not_heard() -> None:
    assert truth(("c1", "Drum", "right"), ("c1", "statue", "right")) == {"c1.mp4": "Drum"}


def test_a_clip_in_which_nothing_is_heard_is_an_empty_cell() -> None:
    assert truth(("c0", "Dog", "wrong"), ("c0", "Rain", "wrong")) == {"c0.mp4": ""}


def test_no_answers_give_a_table_without_rows() -> None:
    assert truth() == {}
