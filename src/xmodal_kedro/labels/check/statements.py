"""Labels of the teachers and training targets, beside the truth of the same clips."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from xmodal_kedro.errors import UserError
from xmodal_kedro.labels.check.meaning import Meaning
from xmodal_kedro.labels.check.truth import classes_in
from xmodal_kedro.params import MergeParams
from xmodal_kedro.storage import Shards

Keys = Callable[[str], Iterable[str]]


@dataclass(frozen=True)
class Statements:
    """Labels of one kind, beside the truth of the same clips; keys are those of `Meaning`.

    Attributes:
        labels: whose they are: `visual`, `audio` or `target`.
        against: the part of the truth that they are compared with: `heard` or `seen`.
        clips: ids of the clips whose truth is known.
        true: `clip_id`, `key`.
        said: `clip_id`, `label`, `key`, `score`, `rank` of the label in its clip, from 1, and `counts`, whether merging
            would take the label for one; a label of several keys has several rows.
        ranked: whether scores and ranks mean something.
    """

    labels: str
    against: str
    clips: list[str]
    true: pd.DataFrame
    said: pd.DataFrame
    ranked: bool


def collect_statements(
    clip_truth: pd.DataFrame,
    visual_labels: Shards,
    audio_labels: Shards,
    labels: Shards,
    label_vocabulary: pd.DataFrame,
    meaning: Meaning,
    params: MergeParams,
) -> list[Statements]:
    """All comparisons with the truth: visual labels with what is seen and heard, the others with what is heard.

    Only shards that hold a clip of `clip_truth` are read.

    Raises:
        UserError: if a shard or a class is missing; names it and the pipeline to run again.
    """
    stated = {
        "visual": read_labels(visual_labels, clip_truth, "visual", params),
        "audio": read_labels(audio_labels, clip_truth, "audio", params),
        "target": read_targets(labels, clip_truth, label_vocabulary),
    }
    found = []
    if clip_truth["heard"].notna().any():
        keys: dict[str, Keys] = {
            "visual": lambda label: meaning.heard_in("visual", label),
            "audio": lambda label: meaning.heard_in("audio", label),
            "target": meaning.heard_as,
        }
        true = true_keys(clip_truth, "heard", meaning.heard)
        found += [state(name, "heard", clip_truth, true, stated[name], keys[name]) for name in stated]
    if clip_truth["seen"].notna().any():
        true = true_keys(clip_truth, "seen", meaning.seen)
        keys_of = partial(meaning.seen_in, keys_seen=set(true["key"]))
        found.insert(0, state("visual", "seen", clip_truth, true, stated["visual"], keys_of))
    return found


def true_keys(clip_truth: pd.DataFrame, aspect: str, keys: Keys) -> pd.DataFrame:
    """`clip_id` and `key` of what is heard or seen."""
    rows = [
        (clip_id, key)
        for clip_id, cell in zip(clip_truth["clip_id"], clip_truth[aspect], strict=True)
        if isinstance(cell, str)
        for name in classes_in(cell)
        for key in sorted(keys(name))
    ]
    return pd.DataFrame(rows, columns=["clip_id", "key"], dtype=object).drop_duplicates(ignore_index=True)


def state(
    labels: str, against: str, clip_truth: pd.DataFrame, true: pd.DataFrame, stated: pd.DataFrame, keys: Keys
) -> Statements:
    """Labels with the keys that the truth has."""
    known = clip_truth.loc[clip_truth[against].notna(), "clip_id"]
    said = stated[stated["clip_id"].isin(known)]
    keys_of = {label: sorted(keys(label)) for label in said["label"].unique()}
    said = said.assign(key=said["label"].map(keys_of)).explode("key", ignore_index=True)
    return Statements(labels, against, list(known), true, said, ranked=labels != "target")


def read_labels(shards: Shards, clip_truth: pd.DataFrame, modality: str, params: MergeParams) -> pd.DataFrame:
    """A teacher's labels of the clips: `clip_id`, `label`, `score`, `rank`, `counts`."""
    wanted = params.of(modality)
    found = _read(shards, clip_truth, f"{modality}_labels", ["clip_id", "label", "score"])
    found["score"] = found["score"].astype("float64")
    found["rank"] = found.groupby("clip_id").cumcount() + 1
    found["counts"] = (found["score"] >= wanted.threshold) & (found["rank"] <= wanted.top_k)
    return found


def read_targets(shards: Shards, clip_truth: pd.DataFrame, label_vocabulary: pd.DataFrame) -> pd.DataFrame:
    """The training targets of the clips, in the same columns; `label` is the name of the class."""
    found = _read(shards, clip_truth, "labels", ["clip_id", "targets", "weights"])
    found = found.explode(["targets", "weights"], ignore_index=True).dropna(subset=["targets"])
    names = dict(zip(label_vocabulary["index"], label_vocabulary["name"], strict=True))
    found["label"] = found["targets"].map(names)
    found["score"] = found["weights"].astype("float64")
    found["rank"] = found.groupby("clip_id").cumcount() + 1
    return found.assign(counts=True)[["clip_id", "label", "score", "rank", "counts"]]


def _read(shards: Shards, clip_truth: pd.DataFrame, dataset: str, columns: list[str]) -> pd.DataFrame:
    tables = []
    for key, rows in clip_truth.groupby("shard", sort=True):
        if key not in shards:
            raise UserError(f"{dataset} lacks the shard {key!r} that clips has: run the pipelines up to merge_labels")
        table = shards[str(key)](columns=columns)
        tables.append(table.filter(pc.is_in(table["clip_id"], value_set=pa.array(rows["clip_id"]))))
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    return frame
