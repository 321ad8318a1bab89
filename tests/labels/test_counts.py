from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import MemoryShard, shard_of
from tests.labels.merging import audio_classes, corpus_of, merge_params, ontology, visual_classes
from xmodal_kedro.labels.associations import first_bin_within
from xmodal_kedro.labels.class_map import ClassMap
from xmodal_kedro.labels.counts import LabelCounter, survey_jobs
from xmodal_kedro.labels.match import match_classes
from xmodal_kedro.labels.plan import MergePlan
from xmodal_kedro.schemas import LabelCounts

pairs = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5000)), max_size=40)


@given(rounds=st.lists(pairs, max_size=5))
def test_counts_of_several_jobs_are_summed(rounds: list[list[tuple[int, int]]]) -> None:
    jobs = {}
    for number, added in enumerate(rounds):
        counter = LabelCounter()
        for first, second in added:
            counter.add("scores", "audio", np.array([first]), np.array([second]))
        jobs[str(number)] = MemoryShard(counter.table())
    total = LabelCounter.sum_of(jobs)
    counts = zip(*(column.tolist() for column in total.of("scores", "audio")), strict=True)
    expected = Counter(pair for added in rounds for pair in added)
    assert {(first, second): count for first, second, count in counts} == expected
    assert total.by_first("scores", "audio", 31).sum() == sum(expected.values())


def test_a_sum_of_some_kinds_leaves_out_the_others() -> None:
    counter = LabelCounter()
    for what, modality in (("scores", "audio"), ("targets", "visual"), ("targets", "both")):
        counter.add(what, modality, np.array([3, 3, 1]))
    some = LabelCounter.sum_of({"0": MemoryShard(counter.table()), "1": MemoryShard(counter.table())}, ("targets",))
    assert (
        some.by_first("targets", "visual", 4).tolist() == some.by_first("targets", "both", 4).tolist() == [0, 2, 0, 4]
    )
    assert not some.by_first("scores", "audio", 4).any()


@given(by_bin=st.lists(st.integers(0, 9), min_size=1, max_size=20), max_clips=st.integers(0, 60))
def test_the_lowest_bin_within_a_limit_is_found(by_bin: list[int], max_clips: int) -> None:
    cut = first_bin_within(np.array(by_bin), max_clips)
    assert sum(by_bin[cut:]) <= max_clips
    assert cut == 0 or sum(by_bin[cut - 1 :]) > max_clips


def test_shards_are_counted_in_64_groups_and_a_new_shard_changes_one() -> None:
    keys = [f"shard-{number:010b}" for number in range(1024)]
    corpus = corpus_of(
        {key: [(f"{key} clip", key)] for key in keys}, {}, {key: [(f"{key} clip", "Dog", 0.9)] for key in keys}
    )
    params = merge_params()
    classes = ClassMap.of(*match_classes(visual_classes(), audio_classes(), ontology(), params))
    jobs = survey_jobs(*corpus.values(), MergePlan.before_the_survey(classes, params))
    assert len(jobs) == 64
    one = shard_of(jobs["shard-000000"])
    LabelCounts.validate(one().to_pandas())
    counter = LabelCounter.sum_of({"one": one})
    assert counter.by_first("clips", "audio", 5).tolist() == [16, 16, 0, 0, 0]
    assert counter.by_first("clips", "visual", 5).tolist() == [16, 0, 0, 0, 16]
