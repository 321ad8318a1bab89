"""Merging labels: inputs that do not fit together are refused by name."""

import pytest

from tests.fakes import MemoryShard
from tests.labels.merging import Corpus, clips_of, merge, merge_params
from tests.teachers.fixtures import labels_shard


@pytest.mark.parametrize("missing", ["clips", "visual", "audio"])
def test_shards_that_do_not_pair_up_are_refused_by_name(corpus: Corpus, missing: str) -> None:
    corpus[missing] = {}
    name = missing if missing == "clips" else f"{missing}_labels"
    with pytest.raises(ValueError, match=rf"^{name} lacks 1 shard.*'s'.*run the pipeline that makes {name}"):
        merge(corpus, merge_params())


def test_a_dataset_of_another_run_is_named(corpus: Corpus) -> None:
    corpus["visual"] = {"other": corpus["visual"]["s"]}
    with pytest.raises(ValueError, match=r"^visual_labels has 1 shard\(s\) that no other has, such as 'other'"):
        merge(corpus, merge_params())


def test_a_label_of_an_unknown_clip_is_refused(corpus: Corpus) -> None:
    corpus["clips"] = {"s": clips_of([("a", "v1"), ("c", "v2"), ("d", "v2")])}
    with pytest.raises(ValueError, match=r"visual_labels s: clip b \(and 0 more\) is not in its shard of clips"):
        merge(corpus, merge_params())


@pytest.mark.parametrize("score", [float("nan"), -0.1, 1.5])
def test_a_score_outside_0_to_1_is_refused_by_clip(corpus: Corpus, score: float) -> None:
    corpus["audio"] = {"s": labels_shard([("a", "Drum", score)], clips=3)}
    with pytest.raises(ValueError, match=r"audio_labels s: the score of clip a for Drum is .*, not 0\.\.1"):
        merge(corpus, merge_params())


def test_a_label_that_is_not_a_class_of_the_teacher_is_refused(corpus: Corpus) -> None:
    corpus["audio"] = {"s": labels_shard([("a", "Trumpet", 0.5)], clips=3)}
    with pytest.raises(ValueError, match="audio_labels hold 'Trumpet', which is not in audio_classes"):
        merge(corpus, merge_params())


def test_labels_of_another_number_of_clips_are_refused(corpus: Corpus) -> None:
    corpus["audio"] = {"s": labels_shard([("a", "Drum", 0.5)], clips=4)}
    with pytest.raises(ValueError, match="audio_labels s are of 4 clips, .* 3"):
        merge(corpus, merge_params())


def test_labels_whose_sum_is_wrong_are_refused(corpus: Corpus) -> None:
    table = labels_shard([("a", "Drum", 0.5)], clips=3)()
    wrong = table.replace_schema_metadata({"clips": "3", "unlabelled": '{"below_min_score": 1, "no_picture": 0}'})
    corpus["audio"] = {"s": MemoryShard(wrong)}
    with pytest.raises(ValueError, match="audio_labels s: 1 labelled clips and .* are not 3"):
        merge(corpus, merge_params())


def test_an_empty_vocabulary_names_what_to_change(corpus: Corpus) -> None:
    complaint = r"no class is left.*3 clips = 2 labelled \+ 1 unlabelled.*'Drum' in 2 clips.*lower merge_labels.visual"
    with pytest.raises(ValueError, match=complaint):
        merge(corpus, merge_params(min_clips=99))
