"""Nodes of `compare`: from what both teachers said to what networks are worth that believed one, the other, or both."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.params import CompareParams, MergeParams, TrainParams, TransferParams
from xmodal_kedro.storage import DataFrame, Folder, ShardJobs, Shards


def match_classes(
    visual_classes: DataFrame, audio_classes: DataFrame, sound_ontology: DataFrame, merge_labels: MergeParams
) -> tuple[DataFrame, DataFrame]:
    """Find which classes of the teachers are one; that does not depend on the rule."""
    from xmodal_kedro.labels.match import match_classes as match

    return match(visual_classes, audio_classes, sound_ontology, merge_labels)


def survey_rules(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    merge_labels: MergeParams,
    compare: CompareParams,
) -> ShardJobs:
    """Count scores, and classes that occur together, for each rule."""
    from xmodal_kedro.evaluation.rules import jobs_by_rule, merge_params
    from xmodal_kedro.labels.class_map import ClassMap
    from xmodal_kedro.labels.counts import survey_jobs
    from xmodal_kedro.labels.plan import MergePlan

    classes = ClassMap.of(candidate_classes, label_classes)
    plans = {
        rule: MergePlan.before_the_survey(classes, params)
        for rule, params in merge_params(merge_labels, compare).items()
    }
    return jobs_by_rule({rule: survey_jobs(clips, visual_labels, audio_labels, plan) for rule, plan in plans.items()})


def count_rules(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    compare_surveys: Shards,
    merge_labels: MergeParams,
    compare: CompareParams,
) -> ShardJobs:
    """Count the targets that each rule makes, where its survey could not tell them."""
    from xmodal_kedro.evaluation.rules import jobs_by_rule, merge_params
    from xmodal_kedro.labels.class_map import ClassMap
    from xmodal_kedro.labels.counts import target_jobs

    classes = ClassMap.of(candidate_classes, label_classes)
    return jobs_by_rule(
        {
            rule: target_jobs(clips, visual_labels, audio_labels, _plan(rule, compare_surveys, classes, params))
            for rule, params in merge_params(merge_labels, compare).items()
        }
    )


def choose_classes(
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    compare_surveys: Shards,
    compare_target_counts: Shards,
    merge_labels: MergeParams,
    compare: CompareParams,
) -> DataFrame:
    """The vocabulary of each rule, one below the other."""
    import pandas as pd

    from xmodal_kedro.evaluation.rules import merge_params, of_rule, told_of_rule
    from xmodal_kedro.labels.class_map import ClassMap
    from xmodal_kedro.labels.counts import LabelCounter
    from xmodal_kedro.labels.vocabulary import build_vocabulary

    classes, tables = ClassMap.of(candidate_classes, label_classes), []
    for rule, params in merge_params(merge_labels, compare).items():
        survey = LabelCounter.sum_of(of_rule(compare_surveys, rule))
        counted = of_rule(compare_target_counts, rule)
        targets = LabelCounter.sum_of(counted) if counted else survey
        vocabulary, _ = told_of_rule(rule, lambda: build_vocabulary(survey, targets, classes, params))  # noqa: B023
        tables.append(vocabulary.assign(rule=rule))
    return pd.concat(tables, ignore_index=True)


def merge_rules(
    clips: Shards,
    visual_labels: Shards,
    audio_labels: Shards,
    candidate_classes: DataFrame,
    label_classes: DataFrame,
    compare_surveys: Shards,
    compare_vocabularies: DataFrame,
    near_duplicates: DataFrame,
    merge_labels: MergeParams,
    compare: CompareParams,
) -> ShardJobs:
    """Write the training targets of each rule; all rules split the videos alike."""
    from xmodal_kedro.evaluation.rules import jobs_by_rule, merge_params, vocabulary_of
    from xmodal_kedro.labels.class_map import ClassMap
    from xmodal_kedro.labels.merge import merge_jobs

    classes, jobs = ClassMap.of(candidate_classes, label_classes), {}
    for rule, params in merge_params(merge_labels, compare).items():
        plan, vocabulary = _plan(rule, compare_surveys, classes, params), vocabulary_of(compare_vocabularies, rule)
        jobs[rule] = merge_jobs(clips, visual_labels, audio_labels, plan, vocabulary, near_duplicates)
    return jobs_by_rule(jobs)


def _plan(rule: str, surveys: Shards, classes: Any, params: MergeParams) -> Any:
    from xmodal_kedro.evaluation.rules import of_rule
    from xmodal_kedro.labels import associations
    from xmodal_kedro.labels.counts import LabelCounter
    from xmodal_kedro.labels.plan import MergePlan

    survey = LabelCounter.sum_of(of_rule(surveys, rule))
    thresholds = associations.class_thresholds(survey, classes, params)
    return MergePlan.of(classes, params, thresholds, associations.class_associations(survey, classes, params))


def train_rules(
    clips: Shards,
    compare_labels: Shards,
    compare_vocabularies: DataFrame,
    compare_leak_check: dict[str, int],  # so that a leak ends the run before hours of training, not after
    train: TrainParams,
    compare: CompareParams,
) -> ShardJobs:
    """Train a network for each rule and seed; a run that was killed goes on with those it lacks."""
    from xmodal_kedro.evaluation.rules import training_jobs

    return training_jobs(clips, compare_labels, compare_vocabularies, train, compare)


def probe_rules(
    benchmark_files: Folder,
    benchmark_sounds: Shards,
    compare_leak_check: dict[str, int],
    compare_networks: Shards,
    train: TrainParams,
    transfer_eval: TransferParams,
    compare: CompareParams,
) -> ShardJobs:
    """What linear models on the embedding of each network, and of the untrained one, call each test clip."""
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.evaluation.rule_trials import ProbeTask, trial_jobs

    benchmark = read_benchmark(benchmark_files, transfer_eval.benchmark)
    question = ProbeTask(benchmark, benchmark_sounds, transfer_eval)
    return trial_jobs(compare_networks, question, train, compare)


def judge_rules(
    benchmark_files: Folder,
    compare_networks: Shards,
    compare_predictions: Shards,
    train: TrainParams,
    transfer_eval: TransferParams,
) -> tuple[DataFrame, DataFrame, dict[str, float]]:
    """Count what was right, and test every pair of rules: results, gains, and the summary of both."""
    import pandas as pd

    from xmodal_kedro.evaluation.benchmarks.catalogue import CATALOGUE, read_benchmark
    from xmodal_kedro.evaluation.rule_results import rule_gains, rule_values, summarise_rules

    name = transfer_eval.benchmark
    predictions = pd.concat([shard().to_pandas() for shard in compare_predictions.values()], ignore_index=True)
    benchmark = read_benchmark(benchmark_files, name)
    values = rule_values(predictions, CATALOGUE[name].measures)
    gains = rule_gains(values, benchmark.splits)
    named = {"benchmark": name, "model": train.model}
    summary = summarise_rules(name, values, compare_networks)
    return values.assign(complete=benchmark.complete, **named), gains.assign(**named), summary


def plot_rules(compare_results: DataFrame, compare_predictions: Shards) -> Any:
    """What each rule is worth, over all and class by class, as a plotly figure."""
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
    """Which labels to learn from, as one HTML page that needs no network."""
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.reports.compare import CompareReport

    name = transfer_eval.benchmark
    complete = read_benchmark(benchmark_files, name).complete
    return CompareReport(name, complete, compare_results, compare_gains, compare_metrics, rule_accuracies).render()
