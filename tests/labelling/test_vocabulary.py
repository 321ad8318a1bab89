import logging

import pytest

from tests.fakes import MemoryShard
from tests.labelling.fixtures import labels_shard
from xmodal_kedro.labelling.vocabulary import count_classes, kept_labels
from xmodal_kedro.params import MergeParams, ModalityParams
from xmodal_kedro.schemas import LabelVocabulary


def merge_params(**changes: object) -> MergeParams:
    teacher = {"threshold": 0.3, "top_k": 2}
    return MergeParams.model_validate({"visual": teacher, "audio": teacher, "min_clips": 1, **changes})


SEEN = {
    "shard-00000": labels_shard([("a", "dog", 0.9), ("a", "cat", 0.2), ("b", "dog", 0.5)], clips=3),
    "shard-00001": labels_shard([("x", "drum", 0.9), ("y", "Crane", 0.4)], clips=2),
}
HEARD = {
    "shard-00000": labels_shard([("a", "Dog", 0.8), ("c", "Rain", 0.3)], clips=3),
    "shard-00001": labels_shard([("x", "Rain", 0.7), ("x", "Drum", 0.6), ("x", "Music", 0.5)], clips=2),
}


def classes(params: MergeParams, seen: dict[str, MemoryShard] = SEEN, heard: dict[str, MemoryShard] = HEARD) -> list:
    table = count_classes(seen, heard, params)
    LabelVocabulary.validate(table)
    return list(table.itertuples(index=False, name=None))


def test_union_joins_classes_of_equal_name_and_counts_each_clip_once() -> None:
    assert classes(merge_params()) == [
        (0, "Crane", "visual", 1),
        (1, "Dog", "both", 2),
        (2, "Drum", "both", 1),
        (3, "Rain", "audio", 2),
    ]


def test_one_teacher_alone_makes_the_vocabulary_of_an_ablation() -> None:
    assert [row[1:3] for row in classes(merge_params(rule="visual_only"))] == [
        ("Crane", "visual"),
        ("dog", "visual"),
        ("drum", "visual"),
    ]
    assert [row[1:3] for row in classes(merge_params(rule="audio_only"))] == [
        ("Dog", "audio"),
        ("Drum", "audio"),
        ("Rain", "audio"),
    ]


def test_an_ablation_does_not_need_the_other_teachers_shards() -> None:
    assert classes(merge_params(rule="visual_only"), heard={}) == classes(merge_params(rule="visual_only"))


def test_classes_of_too_few_clips_are_left_out() -> None:
    assert [row[1] for row in classes(merge_params(min_clips=2))] == ["Dog", "Rain"]


def test_labels_are_kept_over_the_threshold_and_best_first() -> None:
    shard = labels_shard([("a", "cat", 0.5), ("a", "dog", 0.9), ("a", "ant", 0.5), ("b", "ant", 0.29)], clips=2)
    kept = kept_labels(shard(), ModalityParams(threshold=0.3, top_k=2))
    assert kept[["clip_id", "name", "score"]].values.tolist() == [["a", "dog", 0.9], ["a", "ant", 0.5]]


def test_an_empty_vocabulary_names_the_fields_and_what_was_seen() -> None:
    with pytest.raises(ValueError) as raised:
        classes(merge_params(min_clips=3))
    for part in ("merge_labels.visual.threshold (0.3)", "merge_labels.audio.threshold", "merge_labels.min_clips (3)",
                 "visual: 5 clips = 4 labelled + 1 unlabelled", "'dog' in 2 clips"):  # fmt: skip
        assert part in str(raised.value)


def test_no_clips_at_all_is_an_empty_vocabulary() -> None:
    with pytest.raises(ValueError, match="no class is left"):
        classes(merge_params(), {}, {})


@pytest.mark.parametrize(
    ("seen", "heard", "complaint"),
    [
        ({"shard-00000": SEEN["shard-00000"]}, HEARD, "visual_labels lacks 1 shard.* audio_labels has.*'shard-00001'"),
        (SEEN, {"shard-00001": HEARD["shard-00001"]}, "audio_labels lacks 1 shard.* visual_labels has.*'shard-00000'"),
    ],
)
def test_teachers_that_labelled_different_shards_are_refused(seen: dict, heard: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        classes(merge_params(), seen, heard)


def test_the_sums_of_labelled_and_unlabelled_clips_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        classes(merge_params())
    assert "audio labels: 5 clips = 3 labelled + 2 unlabelled (2 below_min_score, 0 no_picture)" in caplog.text


def test_a_shard_whose_clips_do_not_add_up_is_refused() -> None:
    broken = labels_shard([("a", "dog", 0.9)], clips=2)().replace_schema_metadata(
        {"clips": "3", "unlabelled": '{"below_min_score": 1, "no_picture": 0}'}
    )
    with pytest.raises(ValueError, match="visual_labels shard-00000: 1 labelled clips and .* are not 3"):
        classes(merge_params(rule="visual_only"), {"shard-00000": MemoryShard(broken)})
