"""What was heard and seen where."""

from __future__ import annotations

import io

import pandas as pd

from tests.exports import clips as corpus
from tests.teachers.fixtures import labels_shard
from xmodal_kedro.exports.labels_table import COLUMNS, labels_by_recording
from xmodal_kedro.params import MergeParams

PARAMS = MergeParams.model_validate(
    {"visual": {"threshold": 0.4, "top_k": 2}, "audio": {"threshold": 0.5, "top_k": 1}, "min_clips": 1}
)
SEEN = {
    "shard-0": labels_shard(
        [("clip0", "dog", 0.75), ("clip0", "cat", 0.25), ("clip3", 'a "tench", fish', 0.5)], clips=4
    ),
    "shard-1": labels_shard([], clips=1),
}
HEARD = {"shard-0": labels_shard([("clip0", "Bark", 0.5), ("clip0", "Music", 0.9), ("clip1", "Bark", 0.4)], clips=4)}


def table(supporting: tuple[tuple[str, str], ...] = (), **teachers: dict[str, object]) -> pd.DataFrame:
    pieces = labels_by_recording(corpus.clips(), teachers, corpus.VIDEOS, PARAMS, supporting)  # type: ignore[arg-type]
    return pd.read_csv(io.BytesIO(b"".join(pieces)))


def test_labels_that_count_are_listed_by_recording_and_time() -> None:
    found = table(visual=SEEN, audio=HEARD)
    assert tuple(found.columns) == COLUMNS
    assert found.values.tolist() == [
        ["b, c.mp4", 1.0, 5.0, "visual", 'a "tench", fish', 0.5, "seen", False],
        ["trip/0001.mp4", 0.0, 4.0, "visual", "dog", 0.75, "seen", False],
        ["trip/0001.mp4", 0.0, 4.0, "audio", "Music", 0.9, "heard", False],
    ]


def test_a_teacher_that_labelled_nothing_is_left_out() -> None:
    assert set(table(visual={}, audio=HEARD)["modality"]) == {"audio"}
    assert table(visual={}, audio={}).empty


def test_a_label_is_seen_and_heard_where_a_counting_one_of_the_other_teacher_supports_it() -> None:
    found = table((("dog", "Music"), ("cat", "Bark")), visual=SEEN, audio=HEARD)
    assert found.set_index("label")["evidence"].to_dict() == {
        'a "tench", fish': "seen",
        "dog": "seen and heard",
        "Music": "seen and heard",
    }
    # A bark counts for nothing there: it is not among the best.
    assert set(table((("dog", "Bark"),), visual=SEEN, audio=HEARD)["evidence"]) == {"seen", "heard"}
