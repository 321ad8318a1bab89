"""What a review is worth: a simulated reviewer, who knows the truth, answers the pages of a corpus.

python benchmarks/simulated_review.py [--env ENV] [--budget N] [--rounds N] [--seeds N] [--precision P]

It takes a corpus that was labelled and merged, and whose truth is known, such as that of `kedro run --env sample`.
Nothing of it is changed. Beside the review, as many answers about labels drawn at random.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from machine import table

from xmodal_kedro import settings
from xmodal_kedro.evaluation.representations import LogMelStatistics
from xmodal_kedro.labels.check.meaning import Meaning
from xmodal_kedro.labels.check.truth import classes_in, find_clips, read_truth
from xmodal_kedro.labels.class_map import ClassMap
from xmodal_kedro.labels.plan import used_teachers
from xmodal_kedro.labels.selection import ShardClips, match, read_labels
from xmodal_kedro.params import MergeParams, ReviewParams
from xmodal_kedro.review.draw import draw_questions
from xmodal_kedro.review.embedding import ClipEmbedder
from xmodal_kedro.review.precision import class_precision, precision_thresholds
from xmodal_kedro.review.search import Embed
from xmodal_kedro.review.strata import Strata, pool_of, sample_shard
from xmodal_kedro.review.tables import rows_in
from xmodal_kedro.storage import Shards

PROJECT = Path(__file__).resolve().parents[1]
PAIR = ["clip_id", "name"]
NO_SUSPECTS = pd.DataFrame(columns=["clip_id", "name", "shard", "reason", "suspicion"])


@dataclass(frozen=True)
class Corpus:
    """Labels whose truth is known.

    Attributes:
        pool: `ReviewPool`.
        labels: `clip_id`, `name`, `modality`, `score` and whether it is `right`, of the classes that are asked about.
        embed: gives embeddings of clips.
        fixed: threshold of each modality.
    """

    pool: pd.DataFrame
    labels: pd.DataFrame
    embed: Embed
    fixed: Mapping[str, float]


def answer(corpus: Corpus, asked: pd.DataFrame) -> pd.DataFrame:
    """`ReviewedClips` of somebody who knows the truth; clips of which nothing is known are unsure."""
    known = corpus.labels.drop_duplicates(PAIR)[[*PAIR, "right"]]
    pairs = asked[PAIR].drop_duplicates().merge(known, on=PAIR, how="left")
    said = pairs["right"].map({True: "right", False: "wrong"}).fillna("unsure")
    return pairs[PAIR].assign(answer=said, asked=True, reviewers=1, seconds=0.0)


def review(corpus: Corpus, params: ReviewParams, rounds: int) -> Iterator[pd.DataFrame]:
    """The answers so far after each of so many pages."""
    reviewed = answer(corpus, corpus.pool.iloc[:0])
    shard_of = corpus.pool.drop_duplicates("clip_id")[["clip_id", "shard"]]
    for _ in range(rounds):
        known = reviewed.merge(shard_of, on="clip_id")
        drawn = draw_questions(corpus.pool, known, NO_SUSPECTS, params, corpus.embed)
        reviewed = pd.concat([reviewed, answer(corpus, drawn)], ignore_index=True)
        yield reviewed


def review_at_random(corpus: Corpus, questions: int) -> pd.DataFrame:
    """As many answers about labels that are drawn at random, each as likely as any other."""
    place = (corpus.pool["rank"] + 0.5) / corpus.pool["stratum_clips"]
    ordered = corpus.pool.assign(place=place).sort_values(["place", *PAIR])
    return answer(corpus, ordered.drop_duplicates(PAIR).head(questions))


def targets(corpus: Corpus, thresholds: pd.DataFrame | None) -> tuple[float, float, int]:
    """Precision of the clips and classes that labels name, their share of all that is right, and their number.

    Args:
        thresholds: `PrecisionThresholds`; None for the fixed ones.
    """
    lowest = corpus.labels["modality"].map(corpus.fixed).to_numpy(np.float64)
    if thresholds is not None:
        own = thresholds.assign(threshold=thresholds["threshold"].fillna(np.inf))
        reviewed = corpus.labels.merge(own, on=["name", "modality"], how="left")["threshold"].to_numpy()
        lowest = np.where(np.isnan(reviewed), lowest, reviewed)
    is_kept = corpus.labels["score"].to_numpy(np.float32) >= lowest.astype(np.float32)
    kept = corpus.labels[is_kept].drop_duplicates(PAIR)
    right = corpus.labels.drop_duplicates(PAIR)["right"].sum()
    return float(kept["right"].mean()), float(kept["right"].sum() / right), len(kept)


def compare(corpus: Corpus, params: ReviewParams, rounds: int) -> Iterator[dict[str, Any]]:
    """Precision and recall with fixed thresholds, and with those of a review and of as many answers at random."""
    precision, recall, number = targets(corpus, None)
    yield {"draw": "fixed thresholds", "answers": 0, "precision": precision, "recall": recall, "targets": number}
    for by_review in review(corpus, params, rounds):
        for draw, reviewed in (("review", by_review), ("random", review_at_random(corpus, len(by_review)))):
            found = precision_thresholds(class_precision(corpus.pool, reviewed, params), params)
            precision, recall, number = targets(corpus, found)
            yield {
                "draw": draw,
                "answers": len(reviewed),
                "thresholds": int(found["threshold"].notna().sum()),
                "precision": precision,
                "recall": recall,
                "targets": number,
            }


def known_corpus(env: str, options: dict[str, Any], params: ReviewParams) -> Corpus:
    """The labels of a corpus, of the clips whose truth is known."""
    usual: dict[str, Any] = dict(settings.CONFIG_LOADER_ARGS)
    loader = OmegaConfigLoader(str(PROJECT / "conf"), env=env, runtime_params=options, **usual)
    catalog = DataCatalog.from_config(loader["catalog"], loader.get("credentials"))
    merging = MergeParams.model_validate(loader["parameters"]["merge_labels"])
    tables = catalog.load("candidate_classes"), catalog.load("label_classes")
    clips: Shards = catalog.load("clips")
    meaning = Meaning(*tables, catalog.load("sound_ontology"))
    truth = find_clips(read_truth(catalog.load("truth")), catalog.load("videos"), clips)
    heard = {
        clip: frozenset[str]().union(*map(meaning.heard, classes_in(cell)))
        for clip, cell in zip(truth["clip_id"], truth["heard"], strict=True)
    }
    teachers = used_teachers(catalog.load("visual_labels"), catalog.load("audio_labels"), merging)
    strata = Strata.of(*tables, catalog.load("label_vocabulary"), params)
    samples = {
        key: Made(sample_shard(key, load, {name: shards[key] for name, shards in teachers.items()}, strata))
        for key, load in clips.items()
    }
    pool = pool_of(samples, params.score_bins)  # type: ignore[arg-type]  # `Made` has what is used of a shard
    labels = pd.concat(_labels(clips, teachers, strata.classes), ignore_index=True)
    labels = labels[labels["clip_id"].isin(heard) & labels["name"].isin(pool["name"])]
    right = [
        any(meaning.in_branch(said, true) for said in meaning.heard(name) for true in heard[clip])
        for clip, name in zip(labels["clip_id"], labels["name"], strict=True)
    ]
    fixed = {modality: merging.of(modality).threshold for modality in teachers}
    return Corpus(pool, labels.assign(right=right), ClipEmbedder(clips, LogMelStatistics()), fixed)


@dataclass(frozen=True)
class Made:
    """A table in place of the shard that holds it."""

    rows: Any

    def __call__(self) -> Any:
        return self.rows


def _labels(clips: Shards, teachers: Mapping[str, Shards], classes: ClassMap) -> Iterator[pd.DataFrame]:
    for key, load in clips.items():
        shard = ShardClips.of(load)
        clip_ids = shard.clip_ids.to_numpy(zero_copy_only=False)
        for modality, shards in teachers.items():
            labels = match(read_labels(shards[key], shard, f"{modality}_labels {key}"), classes, modality)
            names = np.array(classes.names, object)[labels.index]
            yield pd.DataFrame(
                {"clip_id": clip_ids[labels.clip], "name": names, "modality": modality, "score": labels.score}
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="sample")
    parser.add_argument("--params", nargs="*", default=[], metavar="KEY=VALUE", help="such as data_root=OUT truth=FILE")
    parser.add_argument("--budget", type=int, default=200, help="clips of a page")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--precision", type=float, default=0.9)
    chosen = parser.parse_args()
    options = dict(option.split("=", 1) for option in chosen.params)
    rows: list[dict[str, Any]] = []
    for seed in range(chosen.seeds):
        params = ReviewParams(budget=chosen.budget, precision=chosen.precision, random_seed=seed)
        corpus = known_corpus(chosen.env, options, params)
        rows += [row | {"row": number} for number, row in enumerate(compare(corpus, params, chosen.rounds))]
    mean = pd.DataFrame(rows).groupby(["row", "draw"]).mean(numeric_only=True).reset_index("draw")
    print(table(["draw", "answers", "thresholds", "precision", "recall", "targets"], _cells(mean)))


def _cells(mean: pd.DataFrame) -> list[list[str]]:
    return [
        [
            row.draw,
            f"{row.answers:.0f}",
            "" if np.isnan(row.thresholds) else f"{row.thresholds:.1f}",
            f"{row.precision:.3f}",
            f"{row.recall:.3f}",
            f"{row.targets:.0f}",
        ]
        for row in rows_in(mean)
    ]


if __name__ == "__main__":
    main()
