"""Small corpora of labels, merged by the pipeline's nodes and, as a reference, by plain loops."""

from __future__ import annotations

import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tests.fakes import MemoryShard, shard_of
from tests.teachers.fixtures import labels_shard
from xmodal_kedro.labels.match import match_classes, split
from xmodal_kedro.params import MergeParams
from xmodal_kedro.pipelines.merge_labels import nodes
from xmodal_kedro.storage import Shards

NOT_REVIEWED = pd.DataFrame(columns=["name", "modality", "wanted", "threshold", "precision", "low", "answered"])
"""`PrecisionThresholds` before there are any."""
Corpus = dict[str, dict[str, MemoryShard]]

SOUNDS = {"dog": ("Dog", ""), "puppy": ("Dog", ""), "drum": ("Drum", ""), "bell": ("Bell", "")}
"""The sounds of visual classes in small corpora; other classes are silent."""
VISUAL = ("dog", "puppy", "drum", "bell", "statue", "rain")
AUDIO = ("Dog", "Bark", "Animal", "Drum", "Rain", "Speech", "Bell")
ONTOLOGY = {"Animal": "", "Dog": "Animal", "Bark": "Dog", "Drum": "", "Rain": "", "Speech": "", "Bell": ""}
"""The parent of each sound."""


def merge_params(**changes: object) -> MergeParams:
    teacher = {"threshold": 0.3, "top_k": 2}
    return MergeParams.model_validate({"visual": teacher, "audio": teacher, "min_clips": 1, **changes})


def visual_classes(sounds: Mapping[str, tuple[str, str]] = SOUNDS, known: bool = True) -> pd.DataFrame:
    rows = [(label, *sounds.get(label, ("", "")), known and label not in sounds) for label in VISUAL]
    return pd.DataFrame(rows, columns=["label", "sound", "audioset_id", "silent"])


def audio_classes() -> pd.DataFrame:
    rows = [(label, label, f"/m/{label.lower()}", False) for label in AUDIO]
    return pd.DataFrame(rows, columns=["label", "sound", "audioset_id", "silent"])


def ontology(parents: Mapping[str, str] = ONTOLOGY) -> pd.DataFrame:
    rows = [
        (f"/m/{name.lower()}", name, f"/m/{above.lower()}" if above else "", False) for name, above in parents.items()
    ]
    return pd.DataFrame(rows, columns=["audioset_id", "name", "parents", "abstract"])


def clips_of(clip_and_video: list[tuple[str, str]]) -> MemoryShard:
    clip_ids, video_ids = zip(*clip_and_video, strict=True) if clip_and_video else ((), ())
    still = pa.array(map(is_still, video_ids), pa.bool_())
    columns = [pa.array(clip_ids, pa.string()), pa.array(video_ids, pa.string()), still]
    return MemoryShard(pa.table(columns, ["clip_id", "video_id", "still_picture"]))


def is_still(video_id: str) -> bool:
    """Whether the clips of a video in small corpora show a still picture: about half of them do."""
    return zlib.crc32(video_id.encode()) % 2 == 1


def corpus_of(
    clips: Mapping[str, list[tuple[str, str]]],
    visual: Mapping[str, list[tuple[str, str, float]]],
    audio: Mapping[str, list[tuple[str, str, float]]],
) -> Corpus:
    """Clips (clip, video) and labels (clip, label, score) by the key of their shard."""
    return {
        "clips": {key: clips_of(rows) for key, rows in clips.items()},
        "visual": {key: labels_shard(visual.get(key, []), clips=len(rows)) for key, rows in clips.items()},
        "audio": {key: labels_shard(audio.get(key, []), clips=len(rows)) for key, rows in clips.items()},
    }


def near_duplicates(group_of: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({"video_id": list(group_of), "group_id": list(group_of.values())}, dtype=str)


@dataclass(frozen=True)
class Merged:
    """The results of merging a corpus."""

    candidates: pd.DataFrame
    label_classes: pd.DataFrame
    thresholds: pd.DataFrame
    associations: pd.DataFrame
    vocabulary: pd.DataFrame
    dropped: pd.DataFrame
    jobs: dict[str, Any]
    tables: dict[str, pa.Table]

    def named_targets(self) -> dict[str, dict[str, float]]:
        """Weight by class by clip."""
        names = self.vocabulary["name"].tolist()
        return {
            row["clip_id"]: {names[index]: weight for index, weight in zip(row["targets"], row["weights"], strict=True)}
            for table in self.tables.values()
            for row in table.to_pylist()
        }


def merge(
    corpus: Corpus,
    params: MergeParams,
    duplicates: pd.DataFrame | None = None,
    visual: pd.DataFrame | None = None,
    sound_ontology: pd.DataFrame | None = None,
    reviewed: pd.DataFrame | None = None,
) -> Merged:
    """Run the nodes of `merge_labels` one after the other."""
    labels: tuple[Shards, Shards, Shards] = (corpus["clips"], corpus["visual"], corpus["audio"])
    classes = match_classes(
        visual_classes() if visual is None else visual,
        audio_classes(),
        ontology() if sound_ontology is None else sound_ontology,
        params,
    )
    reviewed = NOT_REVIEWED if reviewed is None else reviewed
    survey = made(nodes.survey_labels(*labels, *classes, reviewed, params))
    thresholds, associations, plan = nodes.plan_merge(survey, *classes, reviewed, params)
    counts = made(nodes.count_targets(*labels, plan))
    vocabulary, dropped = nodes.build_vocabulary(survey, counts, plan)
    groups = near_duplicates({}) if duplicates is None else duplicates
    jobs = nodes.merge_shards(*labels, plan, vocabulary, groups)
    tables = {key: shard_of(job)() for key, job in jobs.items()}
    return Merged(*classes, thresholds, associations, vocabulary, dropped, jobs, tables)


def made(jobs: Mapping[str, Any]) -> dict[str, MemoryShard]:
    return {key: shard_of(job) for key, job in jobs.items()}


class PlainMerge:
    """The specification of merging, clip by clip and slow. It uses the matched classes of the code under test."""

    def __init__(self, corpus: Corpus, merged: Merged, params: MergeParams) -> None:
        self.params = params
        candidates = merged.candidates.set_index("index")
        self.name_of = candidates["name"].to_dict()
        self.stands_for = {index: set(map(int, split(text))) for index, text in candidates["stands_for"].items()}
        self.above = {index: set(map(int, split(text))) for index, text in candidates["ancestors"].items()}
        self.silent = candidates["silent"].to_dict()
        self.becomes: dict[tuple[str, str], list[int]] = defaultdict(list)
        for modality, label, index in merged.label_classes[["modality", "label", "index"]].values.tolist():
            self.becomes[modality, label].append(index)
        self.video_of = {
            row["clip_id"]: row["video_id"] for load in corpus["clips"].values() for row in load().to_pylist()
        }
        used = [m for m in ("visual", "audio") if params.rule in ("union", "agreement", f"{m}_only")]
        self.labels = {m: self._best(corpus[m], m) for m in used}

    def _best(self, shards: Mapping[str, MemoryShard], modality: str) -> dict[str, dict[int, float]]:
        scores: dict[str, dict[int, float]] = {clip: {} for clip in self.video_of}
        limits = self.params.of(modality)
        rows = [row for load in shards.values() for row in load().to_pylist()]
        for clip in scores:
            over = [row for row in rows if row["clip_id"] == clip and row["score"] >= np.float32(limits.threshold)]
            for row in sorted(over, key=lambda row: (-row["score"], row["label"]))[: limits.top_k]:
                for index in self.becomes[modality, row["label"]]:
                    scores[clip][index] = max(scores[clip].get(index, 0.0), row["score"])
        return scores

    def targets(self) -> dict[str, dict[str, float]]:
        """Weight by class by clip, before classes with few clips are dropped."""
        labels = {m: self._under_rate(by_clip, self.params.of(m).max_rate) for m, by_clip in self.labels.items()}
        if self.params.rule == "agreement":
            labels = self._agreed(labels, self.params.agreement.associations)
        elif self.params.drop_seen_on_stills and "visual" in labels:
            labels = {**labels, "visual": self._seen_on_no_still(labels)}
        merged = {}
        for clip in self.video_of:
            scores: dict[int, float] = {}
            for by_clip in labels.values():
                for index, score in by_clip[clip].items():
                    for target in {index, *(self.above[index] if self.params.parents else ())}:
                        scores[target] = max(scores.get(target, 0.0), score)
            merged[clip] = {
                self.name_of[index]: score
                for index, score in scores.items()
                if not (self.params.drop_silent and self.silent[index])
            }
        return merged

    def _under_rate(self, labels: dict[str, dict[int, float]], max_rate: float | None) -> dict[str, dict[int, float]]:
        if max_rate is None:
            return labels
        max_clips = round(max_rate * len(self.video_of) - 0.5 + 1e-9)
        kept: dict[str, dict[int, float]] = {clip: {} for clip in labels}
        for index in self.name_of:
            bins = {clip: _bin(clip, scores[index]) for clip, scores in labels.items() if index in scores}
            cuts = [cut for cut in sorted({*bins.values(), 0}) if sum(b >= cut for b in bins.values()) <= max_clips]
            lowest = min(cuts, default=math.inf)
            for clip, score_bin in bins.items():
                if score_bin >= lowest:
                    kept[clip][index] = labels[clip][index]
        return kept

    def _seen_on_no_still(self, labels: dict[str, dict[str, dict[int, float]]]) -> dict[str, dict[int, float]]:
        none: dict[str, dict[int, float]] = {clip: {} for clip in self.video_of}
        heard = self._agreed(labels, associations=False)["visual"] if "audio" in labels else none
        return {clip: heard[clip] if is_still(self.video_of[clip]) else seen for clip, seen in labels["visual"].items()}

    def _agreed(
        self, labels: dict[str, dict[str, dict[int, float]]], associations: bool
    ) -> dict[str, dict[str, dict[int, float]]]:
        both = [clip for clip in self.video_of if all(self.labels[m][clip] for m in self.labels)]
        visual = Counter(v for clip in both for v in self.labels["visual"][clip])
        audio = Counter(a for clip in both for a in self.labels["audio"][clip])
        together = Counter(p for clip in both for p in product(self.labels["visual"][clip], self.labels["audio"][clip]))
        videos = {pair: len({self.video_of[clip] for clip in both if self._has(clip, pair)}) for pair in together}
        rule = self.params.agreement

        def supports(v: int, a: int) -> bool:
            if self.stands_for[v] & self.stands_for[a]:
                return True
            if rule.ancestors and (self.stands_for[v] & self.above[a] or self.above[v] & self.stands_for[a]):
                return True
            pmi = math.log2(together[v, a] * len(both) / (visual[v] * audio[a]))
            return associations and videos[v, a] >= rule.min_videos and pmi >= rule.min_pmi

        kept: dict[str, dict[str, dict[int, float]]] = {m: {clip: {} for clip in self.video_of} for m in labels}
        for clip in self.video_of:
            for v, a in product(labels["visual"][clip], labels["audio"][clip]):
                if supports(v, a):
                    kept["visual"][clip][v] = labels["visual"][clip][v]
                    kept["audio"][clip][a] = labels["audio"][clip][a]
        return kept

    def _has(self, clip: str, pair: tuple[int, int]) -> bool:
        return pair[0] in self.labels["visual"][clip] and pair[1] in self.labels["audio"][clip]


def _bin(clip: str, score: float) -> int:
    return min(int(np.float32(score) * 256), 255) * 16 + (zlib.crc32(clip.encode()) & 15)
