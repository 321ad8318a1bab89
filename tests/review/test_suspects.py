"""What is suspicious: conflicts, and what does not fit the other answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from xmodal_kedro.params import ReviewParams
from xmodal_kedro.review.suspects import find_suspects
from xmodal_kedro.schemas import ReviewSuspects

PARAMS = ReviewParams()
CLIPS = 60
GENERATOR = np.random.default_rng(0)
IS_DOG = np.arange(CLIPS) % 2 == 0
EMBEDDING = (np.where(IS_DOG, 2.0, -2.0)[:, None] + GENERATOR.normal(size=(CLIPS, 8))).astype(np.float32)
ANSWERED = 40


def embed(wanted: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
    return {clip: EMBEDDING[int(clip[1:])] for clip in wanted["clip_id"]}


def reviewed(**changed: str) -> pd.DataFrame:
    """Right answers about all but the last clips, except those that are given."""
    rows = [
        (f"c{clip}", "Dog", changed.get(f"c{clip}", "right" if IS_DOG[clip] else "wrong"), True, 1, 1.0)
        for clip in range(ANSWERED)
    ]
    return pd.DataFrame(rows, columns=["clip_id", "name", "answer", "asked", "reviewers", "seconds"])


SPANS = pd.DataFrame(
    {
        "clip_id": [f"c{clip}" for clip in range(CLIPS)],
        "shard": "shard-all",
        "video_id": [f"v{clip // 2}" for clip in range(CLIPS)],
    }
)
POOL = pd.DataFrame(
    {
        "name": "Dog",
        "modality": "audio",
        "bin": 1,
        "low": 0.5,
        "stratum_clips": CLIPS,
        "rank": range(CLIPS),
        "searched": np.arange(CLIPS) >= 30,
        "shard": "shard-all",
        "clip_id": SPANS["clip_id"],
        "score": 0.9,
    }
)


def suspects(table: pd.DataFrame, pool: pd.DataFrame = POOL) -> pd.DataFrame:
    return ReviewSuspects.validate(find_suspects(table, pool, SPANS, embed, PARAMS))


def of(table: pd.DataFrame, reason: str) -> list[str]:
    return table.loc[table["reason"] == reason, "clip_id"].tolist()


def test_an_answer_that_does_not_fit_the_others_is_found() -> None:
    wrong_answers = reviewed(c4="wrong", c7="right")
    assert set(of(suspects(wrong_answers), "answer_unlikely")) == {"c4", "c7"}
    assert of(suspects(reviewed()), "answer_unlikely") == []


def test_labels_that_do_not_fit_are_found_where_nobody_has_answered() -> None:
    found = suspects(reviewed())
    unfit = {f"c{clip}" for clip in range(ANSWERED, CLIPS) if not IS_DOG[clip]}
    assert set(of(found, "label_unlikely")) <= unfit
    assert len(found) > len(unfit) / 2
    assert (found["suspicion"] > 0.5).all()


def test_labels_of_the_half_that_precision_is_estimated_from_are_left_alone() -> None:
    assert of(suspects(reviewed(), POOL.assign(searched=False)), "label_unlikely") == []


def test_questions_on_which_reviewers_differ_come_first() -> None:
    found = suspects(reviewed(c4="wrong", c9="conflict"))
    assert found[["clip_id", "reason", "suspicion"]].iloc[0].tolist() == ["c9", "reviewers_differ", 1.0]


@pytest.mark.parametrize("kept", [0, 1, 8])
def test_few_answers_make_nothing_suspicious(kept: int) -> None:
    assert suspects(reviewed(c0="wrong").head(kept)).empty


def test_the_order_of_answers_does_not_matter() -> None:
    table = reviewed(c4="wrong", c7="right", c9="conflict")
    pd.testing.assert_frame_equal(suspects(table), suspects(table.sample(frac=1, random_state=3)))
    pd.testing.assert_frame_equal(suspects(table), suspects(table, POOL.sample(frac=1, random_state=4)))
