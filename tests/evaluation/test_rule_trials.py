from __future__ import annotations

import pytest

from tests.evaluation.rule_networks import COMPARE, probe_task
from tests.fakes import MemoryShard, shard_of
from tests.tones import tone_params
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.evaluation.rule_trials import trial_jobs
from xmodal_kedro.schemas import RulePredictions


def test_each_network_and_the_untrained_one_of_each_seed_call_every_test_clip(
    predictions: dict[str, MemoryShard],
) -> None:
    assert set(predictions) == {f"{rule}-{seed}" for rule in ("untrained", "visual_only", "union") for seed in (0, 1)}
    for shard in predictions.values():
        table = RulePredictions.validate(shard().to_pandas())
        assert sorted(table["file"]) == sorted(probe_task().benchmark.clips["file"])


def test_equal_labels_and_seeds_give_equal_predictions(predictions: dict[str, MemoryShard]) -> None:
    one, other = (predictions[key]().drop_columns(["rule"]) for key in ("visual_only-1", "union-1"))
    assert one.equals(other)


def test_weights_that_are_not_those_of_their_card_are_not_judged(networks: dict[str, MemoryShard]) -> None:
    one, other = (networks[key]() for key in ("union-0", "union-1"))
    mixed = MemoryShard(one.set_column(3, "weights", other["weights"]))
    with pytest.raises(ValueError, match="weights and model card are of different runs"):
        shard_of(trial_jobs({"union-0": mixed}, probe_task(), tone_params(), COMPARE)["union-0"])


def test_another_benchmark_is_asked_of_the_same_networks(networks: dict[str, MemoryShard]) -> None:
    one, same, other = (trial_jobs(networks, probe_task(tones), tone_params(), COMPARE) for tones in (36, 36, 27))
    marks = [{key: fingerprint(job) for key, job in found.items()} for found in (one, same, other)]
    assert marks[0] == marks[1]
    assert all(marks[0][key] != marks[2][key] for key in marks[0])
    for key in ("untrained-0", "union-0"):
        assert sorted(shard_of(other[key])()["file"].to_pylist()) == sorted(probe_task(27).benchmark.clips["file"])
