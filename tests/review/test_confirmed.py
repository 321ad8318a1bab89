from __future__ import annotations

import numpy as np
import pandas as pd

from tests.tones import tone_shards
from xmodal_kedro.review.confirmed import confirmed_clips
from xmodal_kedro.schemas import ConfirmedClips

ANSWERS = [
    ("clip-1", "tap", "right"),
    ("clip-1", "dog", "wrong"),
    ("clip-1", "cat", "wrong"),
    ("clip-20", "dog", "right"),
    ("clip-3", "dog", "unsure"),
    ("clip-4", "dog", "conflict"),
    ("gone", "dog", "right"),
]


def test_judged_clips_are_kept_with_their_sound_and_what_is_known() -> None:
    clips, _ = tone_shards()
    reviewed = pd.DataFrame(ANSWERS, columns=["clip_id", "name", "answer"])
    found = ConfirmedClips.validate(confirmed_clips(reviewed, clips))
    assert found[["clip_id", "video_id", "right", "wrong"]].to_numpy().tolist() == [
        ["clip-1", "video-1", "tap", "cat|dog"],
        ["clip-20", "video-20", "dog", ""],
    ]
    stored = {row["clip_id"]: row["audio"] for shard in clips.values() for row in shard().to_pylist()}
    np.testing.assert_array_equal(np.frombuffer(found["audio"][1], "<i2"), np.frombuffer(stored["clip-20"], "<i2"))


def test_without_answers_there_are_no_rows() -> None:
    clips, _ = tone_shards()
    found = confirmed_clips(pd.DataFrame(ANSWERS[:0], columns=["clip_id", "name", "answer"]), clips)
    assert len(ConfirmedClips.validate(found)) == 0


def test_the_order_of_answers_and_shards_does_not_matter() -> None:
    clips, _ = tone_shards()
    reviewed = pd.DataFrame(ANSWERS, columns=["clip_id", "name", "answer"])
    backwards = confirmed_clips(reviewed.iloc[::-1], dict(reversed(clips.items())))
    pd.testing.assert_frame_equal(confirmed_clips(reviewed, clips), backwards)
