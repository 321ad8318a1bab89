from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from tests.fakes import MemoryShard, shard_of
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark, Split, rotate
from xmodal_kedro.evaluation.fine_tune import Start, fine_tune_benchmark, hold_out
from xmodal_kedro.evaluation.representations import random_network
from xmodal_kedro.models.card import make_card
from xmodal_kedro.params import FineTuneParams, TrainParams, VGGishPlusParams
from xmodal_kedro.schemas import BENCHMARK_SOUNDS_ARROW, TransferPredictions

TRAINED = TrainParams(model="vggish_plus", vggish_plus=VGGishPlusParams(width=4), clip_s=1.0)
PARAMS = FineTuneParams(epochs=4, batch_size=8, learning_rate=0.01, scratch_learning_rate=0.01)


def card_and_weights() -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    bare = {"model": "vggish_plus", "classes": ["x", "y", "z"], "training": TRAINED.model_dump(mode="json")}
    network = random_network(bare, 7)
    return make_card(network, bare["classes"], TRAINED, "0" * 32, {"epoch": 0}), network.state_dict()


def tones() -> tuple[Benchmark, dict[str, MemoryShard]]:
    """Low and high tones in four folds."""
    rows, clips = [], []
    for number in range(48):
        category = ("low", "high")[number % 2]
        hz = {"low": 250, "high": 3000}[category] * (1 + number % 5 / 20)
        sound = 8000 * np.sin(2 * np.pi * hz * np.arange(19_200) / 16_000)
        rows.append({"file": f"{number}.wav", "audio": sound.astype("<i2").tobytes(), "rms_dbfs": -15.0})
        clips.append((f"{number}.wav", category, 1 + number // 2 % 4))
    table = pd.DataFrame(clips, columns=["file", "category", "group"])
    benchmark = Benchmark(table, (), rotate(table["group"].to_numpy()), complete=False)
    return benchmark, {"0": MemoryShard(pa.Table.from_pylist(rows, schema=BENCHMARK_SOUNDS_ARROW))}


def jobs(benchmark: Benchmark, sounds: dict[str, MemoryShard], params: FineTuneParams = PARAMS, seed: int = 0) -> dict:
    card, weights = card_and_weights()
    return fine_tune_benchmark(benchmark, sounds, card, weights, params, seed, "cpu")


def test_each_split_is_tuned_from_both_starts_and_names_its_test_clips() -> None:
    benchmark, sounds = tones()
    made = jobs(benchmark, sounds)
    assert list(made) == [f"{name}-0{fold}" for name in ("pretrained", "scratch") for fold in range(1, 5)]
    for key in ("pretrained-02", "scratch-02"):
        reported = TransferPredictions.validate(shard_of(made[key])().to_pandas())
        assert reported["file"].tolist() == benchmark.clips["file"].iloc[benchmark.splits[1].test].tolist()
        assert (reported["truth"] == reported["predicted"]).mean() > 0.9


def test_equal_seeds_tune_alike_and_no_generator_is_left_changed() -> None:
    benchmark, sounds = tones()
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    params = PARAMS.model_copy(update={"epochs": 1})
    once, again = (shard_of(jobs(benchmark, sounds, params)["scratch-01"])() for _ in range(2))
    assert once.equals(again)
    assert torch.equal(torch.rand(1), expected)


def test_what_a_test_clip_is_called_does_not_depend_on_the_others_truths() -> None:
    benchmark, sounds = tones()
    reported = shard_of(jobs(benchmark, sounds)["scratch-01"])()["predicted"].to_pylist()
    spoilt = benchmark.clips.copy()
    spoilt.loc[benchmark.splits[0].test, "category"] = "low"
    again = jobs(Benchmark(spoilt, (), benchmark.splits, complete=False), sounds)
    assert shard_of(again["scratch-01"])()["predicted"].to_pylist() == reported


def test_the_pretrained_start_has_the_trained_weights_but_for_the_head() -> None:
    card, weights = card_and_weights()
    network = Start(card, weights).network(5, seed=0)
    tuned = network.state_dict()
    assert all(torch.equal(tuned[name], weights[name]) for name in weights if not name.startswith("classify."))
    assert tuned["classify.weight"].shape[0] == 5
    scratch = Start(card, None).network(5, seed=0).state_dict()
    assert not torch.equal(scratch["features.0.weight"], weights["features.0.weight"])


def test_a_job_is_another_for_other_parameters_and_scratch_does_not_depend_on_the_weights() -> None:
    benchmark, sounds = tones()
    first = jobs(benchmark, sounds)
    other = jobs(benchmark, sounds, PARAMS.model_copy(update={"epochs": 5}))
    assert all(fingerprint(first[key]) == fingerprint(job) for key, job in jobs(benchmark, sounds).items())
    assert all(fingerprint(first[key]) != fingerprint(job) for key, job in other.items())
    assert len({fingerprint(job) for job in first.values()}) == len(first)
    card, _ = card_and_weights()
    assert Start(card, None).fingerprint == Start(card | {"weights_digest": "other"}, None).fingerprint


@pytest.mark.parametrize("groups", [2, 4, 40])
def test_the_epoch_is_chosen_on_whole_groups_with_every_class(groups: int) -> None:
    rng = np.random.default_rng(0)
    categories, groups_N = np.tile(["a", "b"], 100), rng.integers(groups, size=200)
    held_out = hold_out(categories, groups_N, FineTuneParams(), seed=0)
    assert set(groups_N[held_out]).isdisjoint(groups_N[~held_out])
    assert set(categories[held_out]) == {"a", "b"}
    assert 0.1 < held_out.mean() < 0.6


def test_clips_of_neither_part_take_no_part() -> None:
    benchmark, sounds = tones()
    (split, *_), unused = benchmark.splits, np.arange(48) >= 40
    part = Split(1, split.train[~unused[split.train]], split.test[~unused[split.test]])
    clips = benchmark.clips
    few = {"0": MemoryShard(sounds["0"]().filter(pa.array(~unused)))}
    whole = Benchmark(clips, (), (part,), complete=False)
    reported = [shard_of(jobs(whole, shards)["scratch-01"])() for shards in (sounds, few)]
    assert reported[0].equals(reported[1])
    assert reported[0]["file"].to_pylist() == clips["file"].iloc[part.test].tolist()
