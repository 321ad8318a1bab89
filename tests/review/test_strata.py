"""The draw of each stratum is a random order of its clips, whatever shards they are in."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from tests.fakes import shard_of
from tests.review.corpus import CLASSES, VOCABULARY, corpus_of, pool, random_labels
from xmodal_kedro.errors import UserError
from xmodal_kedro.params import ReviewParams
from xmodal_kedro.review import strata
from xmodal_kedro.review.strata import MIDDLE, Strata, sample_jobs
from xmodal_kedro.schemas import ReviewPool, ReviewSamples

CLIPS = [f"clip-{number:03d}" for number in range(120)]
LABELS = random_labels(CLIPS)
PARAMS = ReviewParams(score_bins=4)


def plain_strata(params: ReviewParams) -> dict[tuple[str, str, int], list[str]]:
    """Clips of each stratum in the order of their draw, by plain loops."""
    own = Strata.of(*CLASSES, VOCABULARY, params)
    sound_of = {"dog": "Dog", "drum": "Drum"}
    members: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for modality, by_clip in LABELS.items():
        for clip, scores in by_clip.items():
            for label, score in scores.items():
                if (name := sound_of.get(label, label)) != "statue":
                    members[name, modality, int(score * params.score_bins)].append(clip)
    return {
        (name, modality, bin_): sorted(clips, key=lambda clip: own.draw(modality, clip))
        for (name, modality, bin_), clips in members.items()
    }


@pytest.fixture(autouse=True)
def few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strata, "MAX_DRAWN", 6)
    monkeypatch.setattr(strata, "MAX_SEARCHED", 3)


@pytest.mark.parametrize("shards", [1, 2, 7])
def test_each_stratum_keeps_its_first_clips_and_the_first_of_the_upper_half(shards: int) -> None:
    made = pool(corpus_of(CLIPS, LABELS, shards), PARAMS)
    ReviewPool.validate(made)
    own = Strata.of(*CLASSES, VOCABULARY, PARAMS)
    expected = plain_strata(PARAMS)
    assert {key for key, _ in made.groupby(["name", "modality", "bin"])} == expected.keys()
    for (name, modality, bin_), rows in made.groupby(["name", "modality", "bin"]):
        clips = expected[name, modality, bin_]
        upper = [rank for rank, clip in enumerate(clips) if own.draw(modality, clip) >= MIDDLE]
        ranks = sorted({*range(min(6, len(clips))), *upper[:3]})
        assert rows["rank"].tolist() == ranks
        assert rows["clip_id"].tolist() == [clips[rank] for rank in ranks]
        assert rows["searched"].tolist() == [rank in upper for rank in ranks]
        assert set(rows["stratum_clips"]) == {len(clips)}
        assert ((rows["score"] >= bin_ / 4) & (rows["score"] < (bin_ + 1) / 4)).all()


def test_shards_and_their_order_do_not_matter() -> None:
    whole = pool(corpus_of(CLIPS, LABELS, 1), PARAMS).drop(columns="shard")
    divided = corpus_of(CLIPS[::-1], LABELS, 5)
    divided.clips = dict(reversed(divided.clips.items()))
    pd.testing.assert_frame_equal(whole, pool(divided, PARAMS).drop(columns="shard"))


def test_clips_of_all_strata_are_counted() -> None:
    made = pool(corpus_of(CLIPS, LABELS), PARAMS)
    clips = made.drop_duplicates(["name", "modality", "bin"]).groupby("modality")["stratum_clips"].sum()
    labels = {"audio": sum(map(len, LABELS["audio"].values()))}
    labels["visual"] = sum(len({*scores} - {"statue"}) for scores in LABELS["visual"].values())
    assert clips.to_dict() == labels


def test_a_draw_depends_on_seed_and_modality_and_is_even() -> None:
    first, second = (Strata.of(*CLASSES, VOCABULARY, ReviewParams(random_seed=seed)) for seed in (0, 1))
    draws = {
        key: np.array([own.draw(modality, clip) for clip in CLIPS]) / 2**63
        for key, own, modality in [
            ("first", first, "audio"),
            ("visual", first, "visual"),
            ("second", second, "audio"),
        ]
    }
    assert all(abs(values.mean() - 0.5) < 0.1 for values in draws.values())
    assert all(abs(np.corrcoef(draws["first"], draws[other])[0, 1]) < 0.3 for other in ("visual", "second"))


def test_a_job_depends_on_what_is_asked_and_on_nothing_else() -> None:
    same, other = (ReviewParams(budget=7, even_share=0.5), ReviewParams(random_seed=3))
    prints = [Strata.of(*CLASSES, VOCABULARY, params).fingerprint for params in (ReviewParams(), same, other)]
    assert prints[0] == prints[1] != prints[2]


def test_the_table_of_a_shard_is_as_it_is_described() -> None:
    made = corpus_of(CLIPS, LABELS, 1)
    (job,) = sample_jobs(made.clips, made.labels, Strata.of(*CLASSES, VOCABULARY, PARAMS)).values()
    table = ReviewSamples.validate(shard_of(job)().to_pandas())
    assert not table.duplicated(["name", "modality", "bin"]).any()
    assert all(0 < len(sample) <= clips for sample, clips in zip(table["sample"], table["clips"], strict=True))


def test_a_score_at_the_edge_of_a_bin_is_in_the_upper_one() -> None:
    own = Strata.of(*CLASSES, VOCABULARY, ReviewParams(score_bins=10))
    edges = np.array([number / 10 for number in range(10)] + [1.0], np.float32)
    assert own.bin_of(edges).tolist() == [*range(10), 9]


def test_the_most_frequent_classes_are_asked_about_unless_some_are_named() -> None:
    def asked(**fields: object) -> set[str]:
        own = Strata.of(*CLASSES, VOCABULARY, ReviewParams.model_validate(fields))
        return {own.classes.names[index] for index in own.asked}

    assert asked() == {"Dog", "Drum", "Rain"}
    assert asked(max_classes=2) == {"Dog", "Drum"}
    assert asked(classes=["speech", "Dog", "dog"]) == {"Speech", "Dog"}


def test_a_class_that_nobody_knows_is_refused_with_those_like_it() -> None:
    with pytest.raises(UserError, match=r"review\.classes has 'Dogs', which is no class .*: write 'Dog'"):
        Strata.of(*CLASSES, VOCABULARY, ReviewParams(classes=("Dogs",)))


def test_labels_of_other_clips_are_refused() -> None:
    made = corpus_of(CLIPS, LABELS)
    made.labels["audio"].pop("shard-000001")
    with pytest.raises(UserError, match="audio_labels lacks 1 shard"):
        sample_jobs(made.clips, made.labels, Strata.of(*CLASSES, VOCABULARY, PARAMS))
