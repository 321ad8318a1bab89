import pytest

from tests.reports.labels import world
from tests.teachers.fixtures import labels_shard
from xmodal_kedro.reports.labels.clip_views import LABELS_SHOWN, ClipView, rows_of


def view(clip_id: str) -> ClipView:
    (found,) = world.labelled_clips().views([(0.5, clip_id, clip_id[0])])
    return found


def test_clips_come_in_the_order_they_were_picked_in_from_whichever_shard() -> None:
    picked = [(0.1, "b-1", "b"), (0.4, "a-1", "a"), (0.7, "b-0", "b")]
    views = world.labelled_clips().views(picked)
    assert [(view.picked_by, view.clip_id, view.video_id) for view in views] == [
        (0.1, "b-1", "v-b"),
        (0.4, "a-1", "v-a"),
        (0.7, "b-0", "v-b"),
    ]


def test_a_clip_shows_what_was_seen_heard_and_made_of_it() -> None:
    shown = view("a-0")
    assert [(label.label, pytest.approx(label.score), label.counts) for label in shown.visual_labels] == [
        ("dog", 0.9, True),
        ("cat", 0.2, False),
    ]
    assert [label.label for label in shown.audio_labels] == ["Bark"]
    assert shown.targets == [("Bark", 1.0), ("dog", 1.0)]
    assert (shown.split, len(shown.frames), len(shown.audio)) == ("train", 1, 128_000)


def test_a_clip_without_picture_label_or_target_has_none() -> None:
    assert (view("b-0").frames, view("b-0").visual_labels) == ([], [])
    assert (view("b-1").audio_labels, view("b-1").targets) == ([], [])
    assert [label.counts for label in view("b-1").visual_labels] == [False], "it is below the threshold"


def test_a_clip_has_the_name_of_its_recording_or_its_id_where_that_is_gone() -> None:
    assert (view("a-0").uri, view("b-0").uri) == ("trip/0001.mp4", "<b> & co.mkv")
    source = world.labelled_clips()
    without = type(source)(**{**vars(source), "videos": world.videos().iloc[1:]})
    assert [shown.uri for shown in without.views([(0.5, "a-0", "a"), (0.5, "b-0", "b")])] == ["v-a", "<b> & co.mkv"]


def test_labels_beyond_the_best_few_do_not_count_and_very_many_are_not_shown() -> None:
    source = world.labelled_clips()
    many = labels_shard([("a-0", f"class {at}", 0.9 - at / 100) for at in range(9)], clips=2)
    replaced = type(source)(**{**vars(source), "visual_labels": {"a": many}})
    (shown,) = replaced.views([(0.5, "a-0", "a")])
    assert [label.counts for label in shown.visual_labels] == [True, True, False, False, False]
    assert len(shown.visual_labels) == LABELS_SHOWN


def test_rows_are_found_among_those_of_other_clips() -> None:
    shard = world.clips()["a"]
    rows = rows_of(shard, ["a-1", "nowhere"], ["clip_id", "audio"])
    assert rows.column_names == ["clip_id", "audio"]
    assert rows["clip_id"].to_pylist() == ["a-1"]
    assert rows_of(shard, [], ["clip_id"]).num_rows == 0


def test_a_sample_is_drawn_from_all_shards_the_same_each_time() -> None:
    source = world.labelled_clips()
    drawn = source.sample(4)
    assert {(clip_id, key) for _, clip_id, key in drawn} == {("a-0", "a"), ("a-1", "a"), ("b-0", "b"), ("b-1", "b")}
    assert drawn == sorted(drawn) == source.sample(9)
    assert source.sample(2) == drawn[:2]
    assert all(0 <= draw < 1 for draw, _, _ in drawn)


def test_a_sample_of_a_class_has_that_target() -> None:
    source = world.labelled_clips()
    assert {clip_id for _, clip_id, _ in source.sample(9, "Music")} == {"a-1", "b-0"}
    assert [clip_id for _, clip_id, _ in source.sample(9, "dog")] == ["a-0"]
    with pytest.raises(ValueError, match="no class 'rain': choose one of Bark, Music, cat, dog"):
        source.sample(1, "rain")
