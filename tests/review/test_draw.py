"""What is asked next: a function of seed and inputs, even over strata, and never what is answered already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.review.corpus import answers_in, corpus_of, pairs, pool, random_labels
from xmodal_kedro.evaluation.representations import LogMelStatistics
from xmodal_kedro.params import ReviewParams
from xmodal_kedro.review.draw import draw_questions
from xmodal_kedro.review.embedding import ClipEmbedder
from xmodal_kedro.review.questions import questions
from xmodal_kedro.schemas import ReviewQuestions

CLIPS = [f"clip-{number:03d}" for number in range(90)]
LABELS = random_labels(CLIPS)
NOTHING = pd.DataFrame({"clip_id": [], "name": [], "answer": [], "shard": []}, dtype=str)
NO_SUSPECTS = pd.DataFrame(columns=["clip_id", "name", "shard", "reason", "suspicion"])
STRATUM = ["name", "modality", "bin"]


def params(**fields: object) -> ReviewParams:
    return ReviewParams.model_validate({"budget": 20, "score_bins": 4, **fields})


def embed(wanted: pd.DataFrame) -> dict[str, np.ndarray]:
    """Clips on a line, by their number."""
    return {clip: np.array([float(clip[-3:])], np.float32) for clip in wanted["clip_id"]}


POOL = pool(corpus_of(CLIPS, LABELS), params())


def answered(drawn: pd.DataFrame, answer: str = "right") -> pd.DataFrame:
    return drawn[["clip_id", "name"]].assign(answer=answer, shard="shard-000000")


def draw(answers: pd.DataFrame = NOTHING, suspects: pd.DataFrame = NO_SUSPECTS, **fields: object) -> pd.DataFrame:
    return draw_questions(POOL, answers, suspects, params(**fields), embed)


def test_the_budget_is_of_clips_and_each_question_comes_once() -> None:
    drawn = draw()
    assert drawn["clip_id"].nunique() == 20
    assert not drawn.duplicated(["clip_id", "name"]).any()
    assert drawn.loc[drawn["drawn"] == "score", "clip_id"].nunique() == 14


def test_clips_come_one_after_the_other_with_all_their_questions() -> None:
    clips = draw(budget=40)["clip_id"]
    assert (clips != clips.shift()).sum() == clips.nunique() < len(clips)


def depths(asked: set[tuple[str, str]]) -> pd.Series:
    """By stratum, how many of its first clips are among the questions; without those of which all are."""
    run = {}
    for stratum, rows in POOL.groupby(STRATUM):
        is_asked = [(clip, stratum[0]) in asked for clip in rows.sort_values("rank")["clip_id"]]
        if not all(is_asked):
            run[stratum] = is_asked.index(False)
    return pd.Series(run)


def test_strata_are_asked_evenly() -> None:
    """None is drawn from again before the others are as deep."""
    drawn = draw(budget=60, even_share=1.0)
    own = drawn[drawn["drawn"] == "score"].groupby(STRATUM).size()
    assert len(own) == POOL.groupby(STRATUM).ngroups
    assert own.max() <= depths(pairs(drawn)).min() + 1


def test_a_clip_comes_up_when_all_before_it_in_its_stratum_have() -> None:
    drawn = draw(budget=60, even_share=1.0)
    asked: set[tuple[str, str]] = set()
    for _, card in drawn.groupby("clip_id", sort=False):
        first = card.iloc[0]
        rows = POOL[(POOL[STRATUM] == first[STRATUM]).all(axis=1)].sort_values("rank")["clip_id"].tolist()
        before = rows[: rows.index(first["clip_id"])]
        assert {(clip, first["name"]) for clip in before} <= asked
        asked |= pairs(card)


def test_the_next_round_goes_on_where_the_last_one_ended() -> None:
    first = draw(even_share=1.0)
    second = draw(answered(first), even_share=1.0)
    one_by_one = pairs(first), pairs(second)
    assert not one_by_one[0] & one_by_one[1]
    at_once = draw(even_share=1.0, budget=40)
    both = depths(one_by_one[0] | one_by_one[1])
    assert (both - depths(pairs(at_once))).abs().median() <= 1


def test_all_is_asked_in_the_end_and_nothing_twice() -> None:
    answers = NOTHING
    for _ in range(40):
        drawn = draw(answers, budget=30, even_share=1.0)
        if drawn.empty:
            break
        answers = pd.concat([answers, answered(drawn, "wrong")])
    assert not answers.duplicated(["clip_id", "name"]).any()
    assert pairs(answers) == pairs(POOL)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    answers = answered(draw())
    shuffled = POOL.sample(frac=1, random_state=seed), answers.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(
        draw_questions(POOL, answers, NO_SUSPECTS, params(), embed),
        draw_questions(*shuffled, NO_SUSPECTS, params(), embed),
    )


def test_suspicious_questions_come_first_even_if_they_are_answered() -> None:
    known = answered(draw())
    suspects = known.head(3).assign(reason="answer_unlikely", suspicion=[0.6, 0.9, 0.7])
    drawn = draw(known, suspects)
    assert drawn["drawn"].head(3).tolist() == ["suspicious"] * 3
    assert drawn["clip_id"].iloc[0] == known["clip_id"].iloc[1]
    assert drawn["clip_id"].nunique() == 20


def test_suspicious_questions_leave_the_even_draw_its_share() -> None:
    known = answered(draw(budget=60))
    drawn = draw(known, known.assign(reason="reviewers_differ", suspicion=0.5))
    assert (drawn.drop_duplicates("clip_id")["drawn"] == "suspicious").sum() == 3


def test_what_is_not_drawn_by_chance_is_searched_in_the_other_half() -> None:
    drawn = draw(budget=60, even_share=0.3)
    found = drawn[drawn["drawn"].isin(["contradictory", "nearest", "diverse"])]
    lower = POOL[~POOL["searched"]]
    assert len(found) > 20
    assert not pairs(found) & pairs(lower)


def test_the_rest_is_divided_among_the_other_reasons() -> None:
    drawn = draw(answered(draw()), budget=60, even_share=0.3).drop_duplicates("clip_id")
    counts = drawn["drawn"].value_counts()
    assert counts[["contradictory", "nearest", "diverse"]].between(10, 18).all()


def test_without_confirmed_clips_none_is_near_one() -> None:
    assert "nearest" not in set(draw(budget=60, even_share=0.3)["drawn"])


def test_contradictory_clips_are_those_of_which_one_teacher_is_sure_and_the_other_is_not() -> None:
    drawn = draw(budget=40, even_share=0.3)
    scores = POOL.pivot_table(index=["name", "clip_id"], columns="modality", values="score")
    difference = (scores["visual"].fillna(0) - scores["audio"].fillna(0)).abs()
    found = drawn[drawn["drawn"] == "contradictory"]
    assert set(found["name"]) == {"Dog", "Drum"}
    assert difference[pd.MultiIndex.from_frame(found[["name", "clip_id"]])].median() > difference.quantile(0.75)


@pytest.mark.parametrize("shards", [1, 3])
def test_questions_are_the_same_however_clips_are_divided_into_shards(tmp_path: Path, shards: int) -> None:
    def asked(count: int) -> pd.DataFrame:
        corpus = corpus_of(CLIPS, LABELS, count)
        answers = answers_in(tmp_path / "answers", {"a.csv": "clip-001,Dog,right,anna,1\nclip-002,Drum,right,anna,1\n"})
        own = ClipEmbedder(corpus.clips, LogMelStatistics())
        return questions(pool(corpus, params()), answers, NO_SUSPECTS, corpus.clips, params(), own)

    made = asked(shards)
    ReviewQuestions.validate(made)
    pd.testing.assert_frame_equal(made.drop(columns="shard"), asked(2).drop(columns="shard"))
    assert "nearest" in set(made["drawn"])


def test_with_all_answered_there_are_no_questions(tmp_path: Path) -> None:
    corpus = corpus_of(CLIPS[:4], LABELS, 1)
    rows = "".join(f"{clip},{name},wrong,a,1\n" for clip in CLIPS[:4] for name in ("Dog", "Drum", "Rain"))
    answers = answers_in(tmp_path, {"a.csv": rows})
    made = questions(pool(corpus, params()), answers, NO_SUSPECTS, corpus.clips, params(), embed)
    ReviewQuestions.validate(made)
    assert made.empty
