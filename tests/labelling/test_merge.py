from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import MemoryShard
from tests.labelling.fixtures import labels_shard
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.labelling.merge import merge_jobs, split_of
from xmodal_kedro.labelling.vocabulary import count_classes
from xmodal_kedro.params import MergeParams
from xmodal_kedro.schemas import LABELS_ARROW, Labels
from xmodal_kedro.sharding import spread

Corpus = dict[str, dict[str, MemoryShard]]


def merge_params(**changes: object) -> MergeParams:
    teacher = {"threshold": 0.3, "top_k": 2}
    return MergeParams.model_validate({"visual": teacher, "audio": teacher, "min_clips": 1, **changes})


def clips_of(clip_and_video: list[tuple[str, str]]) -> MemoryShard:
    clip_ids, video_ids = zip(*clip_and_video, strict=True) if clip_and_video else ((), ())
    columns = [pa.array(clip_ids, pa.string()), pa.array(video_ids, pa.string())]
    return MemoryShard(pa.table(columns, ["clip_id", "video_id"]))


def near_duplicates(group_of: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({"video_id": list(group_of), "group_id": list(group_of.values())}, dtype=str)


ALONE = near_duplicates({})


def merge(corpus: Corpus, params: MergeParams, found: pd.DataFrame = ALONE) -> tuple[pd.DataFrame, dict[str, pa.Table]]:
    vocabulary = count_classes(corpus["visual"], corpus["audio"], params)
    jobs = merge_jobs(corpus["clips"], corpus["visual"], corpus["audio"], vocabulary, found, params)
    return vocabulary, {key: job() for key, job in jobs.items()}


@pytest.fixture
def corpus() -> Corpus:
    return {
        "clips": {"s": clips_of([("b", "v1"), ("a", "v1"), ("c", "v2")])},
        "visual": {"s": labels_shard([("a", "dog", 0.5), ("a", "Cat", 0.4), ("b", "dog", 0.6)], clips=3)},
        "audio": {"s": labels_shard([("a", "Dog", 0.8)], clips=3)},
    }


def test_each_clip_has_one_row_in_the_order_of_the_clips(corpus: Corpus) -> None:
    vocabulary, tables = merge(corpus, merge_params())
    assert vocabulary["name"].tolist() == ["Cat", "Dog"]
    rows = tables["s"].select(["clip_id", "video_id", "targets", "weights"]).to_pylist()
    assert rows == [
        {"clip_id": "b", "video_id": "v1", "targets": [1], "weights": [1.0]},
        {"clip_id": "a", "video_id": "v1", "targets": [0, 1], "weights": [1.0, 1.0]},
        {"clip_id": "c", "video_id": "v2", "targets": [], "weights": []},
    ]
    assert tables["s"].schema.remove_metadata() == LABELS_ARROW
    assert tables["s"].schema.metadata == {b"clips": b"3", b"targeted": b"2"}


def test_soft_targets_weigh_by_the_better_of_the_two_scores(corpus: Corpus) -> None:
    _, tables = merge(corpus, merge_params(targets="soft"))
    np.testing.assert_allclose(tables["s"]["weights"].to_pylist()[1], [0.4, 0.8])


def test_classes_outside_the_vocabulary_are_no_targets(corpus: Corpus) -> None:
    _, tables = merge(corpus, merge_params(min_clips=2))
    assert tables["s"]["targets"].to_pylist() == [[0], [0], []]


def test_an_ablation_takes_targets_from_one_teacher(corpus: Corpus) -> None:
    _, tables = merge(corpus, merge_params(rule="audio_only"))
    assert tables["s"]["targets"].to_pylist() == [[], [0], []]


@pytest.mark.parametrize("missing", ["clips", "visual", "audio"])
def test_shards_that_do_not_pair_up_are_refused_by_name(corpus: Corpus, missing: str) -> None:
    vocabulary = count_classes(corpus["visual"], corpus["audio"], merge_params())
    corpus[missing] = {}
    name = missing if missing == "clips" else f"{missing}_labels"
    with pytest.raises(ValueError, match=rf"^{name} lacks 1 shard.*'s'.*run the pipeline that makes {name}"):
        merge_jobs(corpus["clips"], corpus["visual"], corpus["audio"], vocabulary, ALONE, merge_params())


def test_a_label_of_an_unknown_clip_is_refused(corpus: Corpus) -> None:
    corpus["clips"] = {"s": clips_of([("a", "v1"), ("c", "v2")])}
    with pytest.raises(ValueError, match="labels of clip 'b'"):
        merge(corpus, merge_params())


def test_a_changed_count_alone_does_not_change_a_shards_fingerprint(corpus: Corpus) -> None:
    vocabulary = count_classes(corpus["visual"], corpus["audio"], merge_params())

    def of(vocabulary: pd.DataFrame) -> str:
        return fingerprint(merge_jobs(*corpus.values(), vocabulary, ALONE, merge_params())["s"])

    assert of(vocabulary) == of(vocabulary.assign(clip_count=99))
    assert of(vocabulary) != of(vocabulary.assign(name=["Cat", "Wolf"]))


def test_about_the_wanted_share_of_videos_is_held_out() -> None:
    videos = [f"{number:032x}" for number in range(4000)]
    held_out = [split_of(video, 0.15) == "validation" for video in videos]
    assert abs(np.mean(held_out) - 0.15) < 0.02
    assert all(split_of(video, 0.3) == "validation" for video, out in zip(videos, held_out, strict=True) if out)


def hex_id(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}".ljust(32, "0")


def corpus_of(videos: list[str], bound: float) -> Corpus:
    """One clip a video, each labelled, in shards as `clip` makes them."""
    shards = spread(dict.fromkeys(videos, 1.0), bound)
    return {
        "clips": {key: clips_of([(video, video) for video in members]) for key, members in shards.items()},
        **{
            teacher: {
                key: labels_shard([(video, "dog", 0.9) for video in members], clips=len(members))
                for key, members in shards.items()
            }
            for teacher in ("visual", "audio")
        },
    }


@settings(deadline=None, max_examples=10)
@given(groups=st.lists(st.integers(0, 6), min_size=2, max_size=12), bound=st.sampled_from([1.0, 4.0, 100.0]))
def test_near_duplicates_fall_on_one_side_and_other_videos_keep_theirs(groups: list[int], bound: float) -> None:
    videos = [hex_id(number) for number in range(len(groups))]
    together = {group: [v for v, g in zip(videos, groups, strict=True) if g == group] for group in set(groups)}
    found = near_duplicates({v: min(held) for held in together.values() if len(held) > 1 for v in held})
    corpus, params = corpus_of(videos, bound), merge_params(validation_fraction=0.5)
    side, side_before = (
        {
            row["video_id"]: row["split"]
            for table in merge(corpus, params, known)[1].values()
            for row in table.to_pylist()
        }
        for known in (found, ALONE)
    )
    for held in together.values():
        assert len({side[video] for video in held}) == 1
        if len(held) == 1:
            assert side[held[0]] == side_before[held[0]]


def test_without_their_group_near_duplicates_would_be_parted() -> None:
    assert len({split_of(hex_id(number), 0.5) for number in range(24)}) == 2


def test_a_new_group_elsewhere_leaves_a_label_shard_as_it_is() -> None:
    videos = [hex_id(number) for number in range(16)]
    corpus, params = corpus_of(videos, 4.0), merge_params()
    vocabulary = count_classes(corpus["visual"], corpus["audio"], params)
    (key, shard), *_ = corpus["clips"].items()
    pair = sorted(shard()["video_id"].to_pylist())[:2]

    def marks(found: pd.DataFrame) -> dict[str, str]:
        return {name: fingerprint(job) for name, job in merge_jobs(*corpus.values(), vocabulary, found, params).items()}

    before, after = marks(ALONE), marks(near_duplicates(dict.fromkeys(pair, pair[0])))
    assert {name for name in before if before[name] != after[name]} == {key}


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    names = {"visual": ["dog", "cat", "drum", "boat"], "audio": ["Dog", "Rain", "DRUM", "Speech"]}
    corpus: Corpus = {"clips": {}, "visual": {}, "audio": {}}
    for shard in range(draw(st.integers(1, 3))):
        key = f"shard-{shard:05d}"
        clip_ids = [f"{shard}-{clip}" for clip in range(draw(st.integers(0, 6)))]
        corpus["clips"][key] = clips_of([(clip_id, f"video {draw(st.integers(0, 5))}") for clip_id in clip_ids])
        for modality, labels in names.items():
            found = draw(st.sets(st.tuples(st.sampled_from(clip_ids), st.sampled_from(labels)))) if clip_ids else set()
            scored = [(*pair, draw(st.floats(0, 1))) for pair in sorted(found)]
            corpus[modality][key] = labels_shard(scored, clips=len(clip_ids))
    return corpus


@settings(deadline=None, max_examples=60)
@given(
    corpus=corpora(),
    rule=st.sampled_from(["union", "visual_only", "audio_only"]),
    targets=st.sampled_from(["hard", "soft"]),
)
def test_merging_obeys_its_laws(corpus: Corpus, rule: str, targets: str) -> None:
    params = merge_params(rule=rule, targets=targets, validation_fraction=0.5)
    try:
        vocabulary, tables = merge(corpus, params)
    except ValueError as error:
        assert "no class is left" in str(error)
        return
    sides: dict[str, set[str]] = {}
    counts = np.zeros(len(vocabulary), int)
    for key, load in corpus["clips"].items():
        frame = tables[key].to_pandas()
        Labels.validate(frame)
        assert frame["clip_id"].tolist() == load()["clip_id"].to_pylist()
        for row in frame.itertuples():
            sides.setdefault(row.video_id, set()).add(row.split)
            assert list(row.targets) == sorted(set(row.targets))
            least = 1 if targets == "hard" else np.float32(0.3)
            assert all(least <= weight <= 1 for weight in row.weights)
            counts[row.targets] += 1
    assert all(len(side) == 1 for side in sides.values())
    assert counts.tolist() == vocabulary["clip_count"].tolist()
    assert vocabulary["index"].tolist() == list(range(len(vocabulary)))
    assert vocabulary["name"].str.casefold().is_monotonic_increasing

    backwards: Any = {name: dict(reversed(shards.items())) for name, shards in corpus.items()}
    vocabulary_again, tables_again = merge(backwards, params)
    pd.testing.assert_frame_equal(vocabulary, vocabulary_again)
    assert all(tables[key].equals(tables_again[key], check_metadata=True) for key in tables)
