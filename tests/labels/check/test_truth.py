"""What a user knows of recordings becomes what is known of clips, and mistakes are reported."""

from __future__ import annotations

import io
import math

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import MemoryShard
from tests.labels.check.small_corpus import meaning
from xmodal_kedro.errors import UserError
from xmodal_kedro.labels.check.truth import find_clips, read_truth, require_known_classes
from xmodal_kedro.schemas import ClipTruth, Truth

ZEROS, ONES = "0" * 32, "f" * 32
VIDEOS = pd.DataFrame({"uri": ["a/dog.mp4", "b/cat.mp4"], "video_id": [ZEROS, ONES]})


def read(text: str) -> pd.DataFrame:
    """A truth as the catalog reads its file."""
    return read_truth(pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False))


def spans(*rows: tuple[str, float, float]) -> MemoryShard:
    """Clips (video, start, end), named after both."""
    columns = zip(*[(f"{video[0]}@{start:g}", video, start, end) for video, start, end in rows], strict=True)
    return MemoryShard(pa.table(list(map(list, columns)), names=["clip_id", "video_id", "start_s", "end_s"]))


def test_uri_and_class_are_enough_for_whole_recordings() -> None:
    truth = read('uri,heard,licence\na/dog.mp4,"Dog|Chicken, rooster",CC0\nb/cat.mp4,,CC0\n')
    Truth.validate(truth)
    assert truth["heard"].tolist() == ["Dog|Chicken, rooster", ""]
    assert truth["seen"].isna().all()
    assert truth[["start_s", "end_s"]].values.tolist() == [[0, math.inf]] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "uri,class\na,b\n",
            "columns uri, class: call the one of the recordings uri, and the one of their classes heard",
        ),
        ("heard\nDog\n", "call the one of the recordings uri"),
        ("uri,heard\na,Dog\n,Dog\n", "row 2 has no uri"),
        ("uri,heard,start_s\na,Dog,soon\n", "row 1 has a start_s that is no number: write seconds.*'soon'"),
        ("uri,heard,start_s\na,Dog,-1\n", "row 1 starts before 0 s"),
        ("uri,heard,start_s,end_s\na,Dog,1,2\na,Dog,2,2\n", "row 2 does not end after it starts"),
        ("uri,heard\na,Chicken, rooster\n", "put quotes around names that hold commas"),
    ],
)
def test_a_truth_that_cannot_be_read_is_refused_with_its_row_and_the_remedy(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(text)


def test_a_name_that_nobody_knows_is_told_with_its_row_and_what_it_may_mean() -> None:
    truth = read("uri,heard,seen\na,Dog,pug\nb,Dogs|Rain,vase\nc,Kat,\n")
    with pytest.raises(ValueError, match=r"row 2: heard holds 'Dogs'.*1 other name too: 'Kat'.*such as 'Dog'"):
        require_known_classes(truth, meaning())
    require_known_classes(read("uri,heard,seen\na,/m/dog|rain,PUG\n"), meaning())


def test_a_clip_has_the_classes_of_rows_that_lie_in_it() -> None:
    truth = read("uri,start_s,end_s,heard\na/dog.mp4,0,4.3,Dog\na/dog.mp4,4.3,8,Rain\na/dog.mp4,6,6.2,Cat\n")
    shards = {"shard-0": spans((ZEROS, 0, 4), (ZEROS, 4, 8), (ZEROS, 9, 12)), "shard-1": spans((ONES, 0, 4))}
    found = find_clips(truth, VIDEOS, shards)
    ClipTruth.validate(found)
    assert found[["shard", "clip_id", "heard"]].values.tolist() == [
        ["shard-0", "0@0", "Dog"],
        ["shard-0", "0@4", "Rain|Cat"],
    ]


def test_a_short_event_counts_where_half_of_it_is_in_the_clip() -> None:
    truth = read("uri,start_s,end_s,heard\na/dog.mp4,3.875,4.125,Dog\na/dog.mp4,3.95,4.35,Cat\n")
    found = find_clips(truth, VIDEOS, {"shard-all": spans((ZEROS, 0, 4), (ZEROS, 4, 8))})
    assert dict(zip(found["clip_id"], found["heard"], strict=True)) == {"0@0": "Dog", "0@4": "Dog|Cat"}


@given(st.floats(0, 20), st.floats(0.05, 20))
def test_whatever_is_long_and_within_a_clip_counts_there(start_s: float, length_s: float) -> None:
    truth = pd.DataFrame({"uri": ["a/dog.mp4"], "start_s": [start_s], "end_s": [start_s + length_s], "heard": ["Dog"]})
    whole = {"shard-all": spans((ZEROS, 0, 40))}
    assert find_clips(read_truth(truth), VIDEOS, whole)["heard"].tolist() == ["Dog"]


def test_an_empty_cell_is_knowledge_and_a_missing_column_is_none() -> None:
    found = find_clips(read("uri,heard\na/dog.mp4,\n"), VIDEOS, {"shard-all": spans((ZEROS, 0, 4))})
    assert found["heard"].tolist() == [""]
    assert found["seen"].isna().all()


@pytest.mark.parametrize(
    "uri",
    [
        *("a/dog.mp4", "dog.mp4", "/recordings/a/dog.mp4"),
        *("./a/dog.mp4", "C:\\recordings\\a\\dog.mp4", "A/Dog.MP4", " a/dog.mp4\u00a0", "DOG.mp4"),
    ],
)
def test_a_recording_may_be_named_with_more_or_fewer_folders(uri: str) -> None:
    found = find_clips(read(f"uri,heard\n{uri},Dog\n"), VIDEOS, {"shard-all": spans((ZEROS, 0, 4))})
    assert found["video_id"].tolist() == [ZEROS]


def test_no_recording_of_another_folder_is_taken_for_it() -> None:
    with pytest.raises(ValueError, match="truth.* clip.* 'b/dog.mp4'"):
        find_clips(read("uri,heard\nb/dog.mp4,Dog\n"), VIDEOS, {"shard-all": spans((ZEROS, 0, 4))})


def test_recordings_that_are_no_videos_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    truth = read("uri,heard\na/dog.mp4,Dog\nx.mp4,Dog\nx.mp4,Cat\n")
    find_clips(truth, VIDEOS, {"shard-all": spans((ZEROS, 0, 4))})
    assert "1 recording of the truth is no video: 'x.mp4'" in caplog.text


def test_only_shards_that_hold_a_known_recording_are_read() -> None:
    class Unread(MemoryShard):
        def __call__(self, columns: object = None) -> pa.Table:
            raise AssertionError("read")

    other = Unread(pa.table({"clip_id": ["x"]}))
    found = find_clips(read("uri,heard\na/dog.mp4,Dog\n"), VIDEOS, {"shard-0": spans((ZEROS, 0, 4)), "shard-1": other})
    assert len(found) == 1


@pytest.mark.parametrize(("called", "written"), [("a/\u00e9.mp4", "e\u0301.mp4"), ("a/e\u0301.mp4", "A/\u00c9.MP4")])
def test_letters_that_are_composed_in_another_way_are_the_same(called: str, written: str) -> None:
    videos = VIDEOS.assign(uri=[called, "b/cat.mp4"])
    found = find_clips(read(f"uri,heard\n{written},Dog\n"), videos, {"shard-all": spans((ZEROS, 0, 4))})
    assert found["video_id"].tolist() == [ZEROS]


def test_of_two_videos_that_a_name_may_mean_the_exact_one_is_meant_and_else_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    videos = VIDEOS.assign(uri=["a/dog.mp4", "a/DOG.mp4"])
    shards = {"shard-all": spans((ZEROS, 0, 4), (ONES, 0, 4))}
    found = find_clips(read("uri,heard\na/DOG.mp4,Dog\na/Dog.mp4,Cat\n"), videos, shards)
    assert found[["video_id", "heard"]].values.tolist() == [[ONES, "Dog"]]
    assert "1 recording of the truth is no video: 'a/Dog.mp4' (there is 'a/dog.mp4')" in caplog.text


def test_a_name_that_only_looks_like_a_video_is_shown_with_its_code_points(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    truth = read("uri,heard\na/d\u043eg.mp4,Dog\n")
    with pytest.raises(UserError, match=r"such as 'a/d\\u043eg\.mp4', must be"):
        find_clips(truth, VIDEOS, {"shard-all": spans((ZEROS, 0, 4))})
    assert r"'a/d\u043eg.mp4' (there is 'a/dog.mp4')" in caplog.text


def test_columns_may_be_written_with_capitals_and_names_in_any_composition() -> None:
    truth = read("URI, HEARD ,Start_S\na/dog.mp4,Cafe\u0301 ,1\n")
    assert truth[["uri", "start_s", "heard"]].values.tolist() == [["a/dog.mp4", 1.0, "Caf\u00e9"]]
    with pytest.raises(UserError, match="2 columns uri: 'URI', 'Uri'"):
        read("URI,Uri,heard\na,b,Dog\n")
