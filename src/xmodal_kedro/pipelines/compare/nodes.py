"""Nodes of `compare`: merge, train and probe as in the main pipelines, once for each merge rule."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.params import CompareParams, MergeParams, TrainParams, TransferParams
from xmodal_kedro.storage import DataFrame, Folder, ShardJobs, Shards


def survey_rules(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    precision_thresholds: DataFrame,
    merge_labels: MergeParams,
    compare: CompareParams,
) -> ShardJobs:
    """Count scores and co-occurring classes for each rule."""
    from xmodal_kedro.evaluation.rules import jobs_by_rule, merge_params
    from xmodal_kedro.labels.class_map import ClassMap
    from xmodal_kedro.labels.counts import survey_jobs
    from xmodal_kedro.labels.limits import score_limits
    from xmodal_kedro.labels.plan import MergePlan

    classes, params = ClassMap.of(candidate_classes, label_classes), merge_params(merge_labels, compare)
    limits = score_limits(precision_thresholds, classes, merge_labels)
    plans = {rule: MergePlan.before_the_survey(classes, of_rule, limits) for rule, of_rule in params.items()}
    return jobs_by_rule({rule: survey_jobs(clips, visual_labels, audio_labels, plan) for rule, plan in plans.items()})


def plan_rules(
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    compare_surveys: Shards,
    precision_thresholds: DataFrame,
    merge_labels: MergeParams,
    compare: CompareParams,
) -> dict[str, Any]:
    """The merge plan of each rule."""
    from xmodal_kedro.evaluation.rules import merge_params, of_rule
    from xmodal_kedro.labels.associations import plan_from_survey
    from xmodal_kedro.labels.class_map import ClassMap

    classes, params = ClassMap.of(candidate_classes, label_classes), merge_params(merge_labels, compare)
    return {
        rule: plan_from_survey(of_rule(compare_surveys, rule), classes, of_params, precision_thresholds)[-1]
        for rule, of_params in params.items()
    }


def count_rules(clips: Shards, visual_labels: Shards, audio_labels: Shards, compare_plans: dict[str, Any]) -> ShardJobs:
    """Count the targets of each rule, unless its survey holds these counts."""
    from xmodal_kedro.evaluation.rules import jobs_by_rule
    from xmodal_kedro.labels.counts import target_jobs

    jobs = {rule: target_jobs(clips, visual_labels, audio_labels, plan) for rule, plan in compare_plans.items()}
    return jobs_by_rule(jobs)


def choose_classes(compare_plans: dict[str, Any], compare_surveys: Shards, compare_target_counts: Shards) -> DataFrame:
    """The vocabularies of all rules in one table."""
    import pandas as pd

    from xmodal_kedro.evaluation.rules import naming_rule, of_rule
    from xmodal_kedro.labels.vocabulary import planned_vocabulary

    tables = []
    for rule, plan in compare_plans.items():
        with naming_rule(rule):
            counts = of_rule(compare_target_counts, rule)
            vocabulary, _ = planned_vocabulary(of_rule(compare_surveys, rule), counts, plan)
        tables.append(vocabulary.assign(rule=rule))
    return pd.concat(tables, ignore_index=True)


def merge_rules(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    compare_plans: dict[str, Any],
    compare_vocabularies: DataFrame,
    near_duplicates: DataFrame,
) -> ShardJobs:
    """Write the training targets of each rule; the split of a video is the same for all rules."""
    from xmodal_kedro.evaluation.rules import jobs_by_rule, vocabulary_of
    from xmodal_kedro.labels.merge import merge_jobs

    labels = (clips, visual_labels, audio_labels)
    vocabularies = {rule: vocabulary_of(compare_vocabularies, rule) for rule in compare_plans}
    jobs = {
        rule: merge_jobs(*labels, plan, vocabularies[rule], near_duplicates) for rule, plan in compare_plans.items()
    }
    return jobs_by_rule(jobs)


def train_rules(
    clips: Shards,
    compare_labels: Shards,
    compare_vocabularies: DataFrame,
    compare_leak_check: dict[str, Any],  # a dependency, so that a leak stops the run before hours of training
    train: TrainParams,
    compare: CompareParams,
) -> ShardJobs:
    """Train a network for each rule and seed; a resumed run trains only the missing ones."""
    from xmodal_kedro.evaluation.rules import training_jobs

    return training_jobs(clips, compare_labels, compare_vocabularies, train, compare)


def probe_rules(
    benchmark_files: Folder,
    benchmark_sounds: Shards,
    compare_leak_check: dict[str, Any],
    compare_networks: Shards,
    train: TrainParams,
    transfer_eval: TransferParams,
    compare: CompareParams,
) -> ShardJobs:
    """Predict each test clip by linear probes of each network, and of the untrained one."""
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.evaluation.rule_trials import ProbeTask, trial_jobs

    benchmark = read_benchmark(benchmark_files, transfer_eval.benchmark)
    task = ProbeTask(benchmark, benchmark_sounds, transfer_eval)
    return trial_jobs(compare_networks, task, train, compare)


def judge_rules(
    benchmark_files: Folder,
    compare_networks: Shards,
    compare_predictions: Shards,
    train: TrainParams,
    transfer_eval: TransferParams,
) -> tuple[DataFrame, DataFrame, dict[str, float]]:
    """Evaluate the predictions and test every pair of rules. Returns results, gains, and a summary of both."""
    import pandas as pd

    from xmodal_kedro.evaluation.benchmarks.catalogue import CATALOGUE, read_benchmark
    from xmodal_kedro.evaluation.rule_results import rule_gains, rule_metrics, rule_values

    name = transfer_eval.benchmark
    predictions = pd.concat([shard().to_pandas() for shard in compare_predictions.values()], ignore_index=True)
    benchmark = read_benchmark(benchmark_files, name)
    values = rule_values(predictions, CATALOGUE[name].measures)
    gains = rule_gains(values, benchmark.splits)
    named = {"benchmark": name, "model": train.model}
    summary = rule_metrics(name, values, compare_networks)
    return values.assign(complete=benchmark.complete, **named), gains.assign(**named), summary


def plot_rules(compare_results: DataFrame, compare_predictions: Shards) -> Any:
    """The accuracy of each rule, overall and by class, as a plotly figure."""
    import pandas as pd

    from xmodal_kedro.reports.compare import plot_rules as plot

    predictions = pd.concat([shard().to_pandas() for shard in compare_predictions.values()], ignore_index=True)
    return plot(compare_results, predictions)


def write_compare_report(
    benchmark_files: Folder,
    compare_results: DataFrame,
    compare_gains: DataFrame,
    compare_metrics: dict[str, float],
    rule_accuracies: Any,
    transfer_eval: TransferParams,
) -> str:
    """The comparison of rules as one self-contained HTML page."""
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.reports.compare import CompareReport

    name = transfer_eval.benchmark
    complete = read_benchmark(benchmark_files, name).complete
    return CompareReport(name, complete, compare_results, compare_gains, compare_metrics, rule_accuracies).render()
