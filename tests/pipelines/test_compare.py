"""The pipeline `compare`: its labels are those of `merge_labels`, and its trials are what they say."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.fakes import MemoryShard, shard_of
from tests.labels.merging import (
    Corpus,
    audio_classes,
    corpus_of,
    made,
    merge,
    merge_params,
    near_duplicates,
    ontology,
    visual_classes,
)
from tests.reports.pages import without_plotly
from tests.tones import TONES_HZ, VOCABULARY, tone, tone_params, tone_shards
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark, rotate
from xmodal_kedro.evaluation.rule_results import (
    holm,
    rule_gains,
    rule_values,
    summarise_rules,
)
from xmodal_kedro.evaluation.rule_trials import ProbeTask, trial_jobs
from xmodal_kedro.evaluation.rules import of_rule, training_jobs, vocabulary_of
from xmodal_kedro.params import CompareParams, TransferParams
from xmodal_kedro.pipelines.compare import nodes
from xmodal_kedro.reports.compare import CompareReport, plot_rules
from xmodal_kedro.schemas import (
    BENCHMARK_SOUNDS_ARROW,
    RuleGains,
    RuleNetworks,
    RulePredictions,
    RuleResults,
    RuleVocabularies,
)

RULES = ("visual_only", "audio_only", "union", "agreement")


def small_corpus() -> Corpus:
    rng = np.random.default_rng(4)
    clips = {f"shard-{key}": [(f"{key}{clip}", f"v{key}{clip // 2}") for clip in range(8)] for key in range(3)}

    def labels(names: tuple[str, ...]) -> dict[str, list[tuple[str, str, float]]]:
        return {
            key: [(clip, name, float(rng.uniform(0.2, 1))) for clip, _ in rows for name in rng.choice(names, 2, False)]
            for key, rows in clips.items()
        }

    return corpus_of(clips, labels(("dog", "drum", "bell", "statue")), labels(("Dog", "Bark", "Drum", "Rain", "Bell")))


def test_the_labels_of_each_rule_are_those_that_merge_labels_makes() -> None:
    corpus, compare = small_corpus(), CompareParams(rules=RULES)
    params = merge_params(visual_names="sounds", drop_silent=True, min_clips=2, validation_fraction=0.4)
    labels = (corpus["clips"], corpus["visual"], corpus["audio"])
    classes = nodes.match_classes(visual_classes(), audio_classes(), ontology(), params)
    surveys = made(nodes.survey_rules(*labels, *classes, params, compare))
    counts = made(nodes.count_rules(*labels, *classes, surveys, params, compare))
    vocabularies = RuleVocabularies.validate(nodes.choose_classes(*classes, surveys, counts, params, compare))
    groups = near_duplicates({})
    merged = made(nodes.merge_rules(*labels, *classes, surveys, vocabularies, groups, params, compare))
    for rule in RULES:
        expected = merge(corpus, params.model_copy(update={"rule": rule}), groups)
        pd.testing.assert_frame_equal(vocabulary_of(vocabularies, rule), expected.vocabulary)
        assert {key: shard() for key, shard in of_rule(merged, rule).items()} == expected.tables


def test_a_rule_without_classes_is_named() -> None:
    corpus, compare = small_corpus(), CompareParams(rules=("visual_only", "audio_only"))
    params = merge_params(min_clips=1000)
    labels = (corpus["clips"], corpus["visual"], corpus["audio"])
    classes = nodes.match_classes(visual_classes(), audio_classes(), ontology(), params)
    surveys = made(nodes.survey_rules(*labels, *classes, params, compare))
    with pytest.raises(ValueError, match=r"rule visual_only: .*; or take it out of compare.rules"):
        nodes.choose_classes(*classes, surveys, {}, params, compare)


COMPARE = CompareParams(rules=("visual_only", "union"), seeds=2)
NAMED = {"benchmark": "csv", "model": "vggish_plus"}


def question(tones: int = 36) -> ProbeTask:
    """Tones in three folds."""
    rows, clips = [], []
    for number in range(tones):
        category = list(TONES_HZ)[number % 3]
        audio = tone(TONES_HZ[category], 1.2, seed=1000 + number)
        rows.append({"file": f"{number}.wav", "audio": audio.tobytes(), "rms_dbfs": -15.0})
        clips.append((f"{number}.wav", category, 1 + number // 3 % 3))
    table = pd.DataFrame(clips, columns=["file", "category", "group"])
    benchmark = Benchmark(table, (), rotate(table["group"].to_numpy()), complete=True)
    sounds = {"0": MemoryShard(pa.Table.from_pylist(rows, schema=BENCHMARK_SOUNDS_ARROW))}
    return ProbeTask(benchmark, sounds, TransferParams(benchmark="csv", regularisation=(0.01, 0.1), device="cpu"))


def jobs(**changes: Any) -> dict[str, Any]:
    """Trainings on rules that give the same labels, so that only their names differ."""
    clips, labels = tone_shards()
    by_rule = {f"{rule}-{key}": shard for rule in ("visual_only", "union") for key, shard in labels.items()}
    vocabularies = pd.concat([VOCABULARY.assign(rule=rule) for rule in ("visual_only", "union")])
    return training_jobs(clips, by_rule, vocabularies, tone_params(**changes), COMPARE)


@pytest.fixture(scope="module")
def networks() -> dict[str, MemoryShard]:
    return {key: shard_of(job) for key, job in jobs().items()}


@pytest.fixture(scope="module")
def predictions(networks: dict[str, MemoryShard]) -> dict[str, MemoryShard]:
    return {key: shard_of(job) for key, job in trial_jobs(networks, question(), tone_params(), COMPARE).items()}


def told(predictions: dict[str, MemoryShard]) -> pd.DataFrame:
    return pd.concat([shard().to_pandas() for shard in predictions.values()], ignore_index=True)


def test_a_network_is_trained_for_each_rule_and_seed(networks: dict[str, MemoryShard]) -> None:
    assert set(networks) == {f"{rule}-{seed}" for rule in ("visual_only", "union") for seed in (0, 1)}
    for key, network in networks.items():
        (row,) = RuleNetworks.validate(network().to_pandas()).to_dict("records")
        assert f"{row['rule']}-{row['seed']}" == key
        assert json.loads(row["card"])["training"]["seed"] == row["seed"]
    assert networks["union-0"].metadata["classes"] == "3"
    assert float(networks["union-0"].metadata["validation_map"]) > 0.5


def test_each_network_and_the_untrained_one_of_each_seed_call_every_test_clip(
    predictions: dict[str, MemoryShard],
) -> None:
    assert set(predictions) == {f"{rule}-{seed}" for rule in ("untrained", "visual_only", "union") for seed in (0, 1)}
    for shard in predictions.values():
        table = RulePredictions.validate(shard().to_pandas())
        assert sorted(table["file"]) == sorted(question().benchmark.clips["file"])


def test_equal_labels_and_seeds_give_equal_predictions(predictions: dict[str, MemoryShard]) -> None:
    one, other = (predictions[key]().drop_columns(["rule"]) for key in ("visual_only-1", "union-1"))
    assert one.equals(other)


def test_weights_that_are_not_those_of_their_card_are_not_judged(networks: dict[str, MemoryShard]) -> None:
    one, other = (networks[key]() for key in ("union-0", "union-1"))
    mixed = MemoryShard(one.set_column(3, "weights", other["weights"]))
    with pytest.raises(ValueError, match="weights and model card are of different runs"):
        shard_of(trial_jobs({"union-0": mixed}, question(), tone_params(), COMPARE)["union-0"])


def test_a_training_is_another_for_another_seed_and_not_for_what_only_changes_its_pace() -> None:
    first, again = jobs(), jobs()
    assert {key: fingerprint(job) for key, job in first.items()} == {
        key: fingerprint(job) for key, job in again.items()
    }
    assert len({fingerprint(job) for job in first.values()}) == len(first)
    assert fingerprint(jobs(epochs=3)["union-0"]) != fingerprint(first["union-0"])


def test_another_benchmark_is_asked_of_the_same_networks(networks: dict[str, MemoryShard]) -> None:
    one, same, other = (trial_jobs(networks, question(tones), tone_params(), COMPARE) for tones in (36, 36, 27))
    marks = [{key: fingerprint(job) for key, job in found.items()} for found in (one, same, other)]
    assert marks[0] == marks[1]
    assert all(marks[0][key] != marks[2][key] for key in marks[0])
    for key in ("untrained-0", "union-0"):
        assert sorted(shard_of(other[key])()["file"].to_pylist()) == sorted(question(27).benchmark.clips["file"])


def test_results_gains_and_page_agree_with_the_predictions(
    networks: dict[str, MemoryShard], predictions: dict[str, MemoryShard]
) -> None:
    table = told(predictions)
    values = rule_values(table, ["accuracy", "class_accuracy"])
    RuleResults.validate(values.assign(complete=True, **NAMED))
    gains = rule_gains(values, question().benchmark.splits)
    RuleGains.validate(gains.assign(**NAMED))
    accuracy = values[values["metric"] == "accuracy"]
    right = (table["truth"] == table["predicted"]).groupby(table["rule"]).mean()
    assert accuracy.groupby("rule")["value"].mean().to_dict() == pytest.approx(right.to_dict())
    equal = gains[(gains["metric"] == "accuracy") & gains["rule"].isin(["union", "visual_only"])]
    equal = equal[equal["over"].isin(["union", "visual_only"])]
    assert equal["gain"].tolist() == [0.0] and equal["p_value"].tolist() == [1.0]
    metrics = summarise_rules("csv", values, networks)
    assert metrics["csv.union.accuracy"] == pytest.approx(right["union"])
    assert metrics["union.clips"] == float(networks["union-0"].metadata["clips"])
    page = without_plotly(CompareReport("csv", True, values, gains, metrics, plot_rules(values, table)).render())
    assert f"{100 * right['union']:.1f} ±" in page and 'id="rules"' in page


def test_p_values_of_several_pairs_are_adjusted_by_holm() -> None:
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03, 0.5])), [0.09, 0.04, 0.09, 0.5])
    np.testing.assert_allclose(holm(np.array([0.9, 0.8])), [1.0, 1.0])
