"""Which of the teachers' classes become classes of the training target."""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from xmodal_kedro.handles import LoadShard, Shards
from xmodal_kedro.params import MergeParams, ModalityParams

logger = logging.getLogger(__name__)


def used_teachers(visual: Shards, audio: Shards, params: MergeParams) -> dict[str, Shards]:
    """The label shards that `params.rule` asks for, by modality."""
    teachers = {"visual": visual, "audio": audio}
    return {name: shards for name, shards in teachers.items() if params.rule in ("union", f"{name}_only")}


def kept_labels(labels: pa.Table, params: ModalityParams) -> pd.DataFrame:
    """A teacher's labels that count: over the threshold, the best few of each clip.

    Returns:
        Columns `clip_id`, `label` (as the teacher spells it), `name` (the label without case, by which classes are
        told apart) and `score`; a clip has each name once, with its best score.
    """
    frame = labels.filter(pc.field("score") >= params.threshold).to_pandas()
    frame = frame.sort_values(["clip_id", "score", "label"], ascending=[True, False, True])
    frame = frame.groupby("clip_id", sort=False).head(params.top_k)
    frame = frame.assign(name=[label.casefold() for label in frame["label"]])
    return frame.drop_duplicates(["clip_id", "name"])


def count_classes(visual: Shards, audio: Shards, params: MergeParams) -> pd.DataFrame:
    """Build the vocabulary in one pass, holding one shard of each teacher at a time.

    A class that both teachers have, by equal names but for case, is one class of modality `both`. Classes of fewer
    than `params.min_clips` clips are left out; the others are numbered in the order of their names.

    Returns:
        The table `label_vocabulary`.

    Raises:
        ValueError: the teachers' shards do not pair up, a shard's counts do not add up, or no class is left; names
            the shard or the fields to change.
    """
    teachers = used_teachers(visual, audio, params)
    require_same_keys({f"{name}_labels": shards for name, shards in teachers.items()})
    clip_count: Counter[str] = Counter()
    spellings: defaultdict[str, set[str]] = defaultdict(set)
    modalities: defaultdict[str, set[str]] = defaultdict(set)
    tallies = {name: Tally() for name in teachers}
    for key in sorted(next(iter(teachers.values()))):
        kept = []
        for modality, shards in teachers.items():
            table = shards[key]()
            tallies[modality].add(f"{modality}_labels {key}", shards[key], table)
            kept.append(kept_labels(table, params.of(modality)).assign(modality=modality))
        found = pd.concat(kept)
        clip_count.update(found.drop_duplicates(["clip_id", "name"])["name"])
        for name, label, modality in found[["name", "label", "modality"]].drop_duplicates().itertuples(index=False):
            spellings[name].add(label)
            modalities[name].add(modality)
    for modality, tally in tallies.items():
        logger.info("%s labels: %s", modality, tally)
    rows = [
        (min(spellings[name]), modalities[name].pop() if len(modalities[name]) == 1 else "both", count)
        for name, count in sorted(clip_count.items())
        if count >= params.min_clips
    ]
    if not rows:
        raise ValueError(_empty(params, tallies, clip_count))
    logger.info(
        "vocabulary: %d classes, %d of fewer than %d clips left out",
        len(rows),
        len(clip_count) - len(rows),
        params.min_clips,
    )
    vocabulary = pd.DataFrame(rows, columns=["name", "modality", "clip_count"])
    vocabulary.insert(0, "index", range(len(rows)))
    return vocabulary


def require_same_keys(shards_by_dataset: Mapping[str, Shards]) -> None:
    """Check that each dataset has every shard.

    Raises:
        ValueError: naming a dataset and the shards it lacks.
    """
    every_key = {key for shards in shards_by_dataset.values() for key in shards}
    for dataset, shards in shards_by_dataset.items():
        missing = sorted(every_key - set(shards))
        if missing:
            others = " or ".join(sorted(set(shards_by_dataset) - {dataset}))
            raise ValueError(
                f"{dataset} lacks {len(missing)} shard(s) that {others} has, such as {missing[0]!r}: run the pipeline "
                f"that makes {dataset} again"
            )


class Tally:
    """Sums over label shards: every clip is labelled, or counted as unlabelled with a reason."""

    def __init__(self) -> None:
        self.clips = 0
        self.labelled = 0
        self.unlabelled: Counter[str] = Counter()

    def add(self, where: str, shard: LoadShard, table: pa.Table) -> None:
        """Add a shard.

        Raises:
            ValueError: naming `where`, if its clips are not its labelled and its unlabelled ones.
        """
        clips, unlabelled = int(shard.metadata["clips"]), json.loads(shard.metadata["unlabelled"])
        labelled = len(table["clip_id"].unique())
        if labelled + sum(unlabelled.values()) != clips:
            raise ValueError(f"{where}: {labelled} labelled clips and {unlabelled} are not {clips}: make it again")
        self.clips += clips
        self.labelled += labelled
        self.unlabelled.update(unlabelled)

    def __str__(self) -> str:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.unlabelled.items()))
        return f"{self.clips} clips = {self.labelled} labelled + {self.unlabelled.total()} unlabelled ({reasons})"


def _empty(params: MergeParams, tallies: Mapping[str, Tally], clip_count: Counter[str]) -> str:
    seen = "; ".join(f"{name}: {tally}" for name, tally in tallies.items())
    best = ", ".join(f"{name!r} in {count} clips" for name, count in clip_count.most_common(3))
    thresholds = ", ".join(f"merge_labels.{name}.threshold ({params.of(name).threshold})" for name in tallies)
    return (
        f"no class is left for the vocabulary ({seen}; classes over the threshold: {len(clip_count)}"
        f"{', most frequent ' + best if best else ''}): lower {thresholds} or merge_labels.min_clips "
        f"({params.min_clips}) in parameters/merge_labels.yml, or add videos"
    )
