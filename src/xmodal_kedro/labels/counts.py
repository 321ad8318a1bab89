"""Counting labels over many shards: one job for each group of shards, in memory that does not grow with the group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xmodal_kedro.errors import UserError
from xmodal_kedro.labels.class_map import Indices
from xmodal_kedro.labels.plan import (
    AUDIO,
    VISUAL,
    ClipTargets,
    MergePlan,
    agreed,
    is_counted_by_survey,
    selected_labels,
    stored_labels,
    supported,
    targets_of,
    under_rate,
    used_teachers,
)
from xmodal_kedro.labels.selection import Selected, ShardClips, StoredLabels, groups, pairs, starts_of
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import LABEL_COUNTS_ARROW, UNLABELLED_REASONS
from xmodal_kedro.storage import LoadShard, ShardJobs, Shards

ALL, LABELLED, COMPARED = 0, 1, 2
"""Values of `first` in the rows `clips`: all clips, clips with a label, and clips with selected labels of both
modalities. From 3 on: clips without a label by reason, in the order of `UNLABELLED_REASONS`."""

GIVEN_BY = {VISUAL: "visual", AUDIO: "audio", VISUAL | AUDIO: "both"}
SECOND_BITS = 32
"""Two numbers are counted as one: the second takes the lower 32 bits."""
GROUP_KEY_LENGTH = len("shard-") + 6
"""Shards whose keys share this prefix are counted by one job. There are at most 64 groups, so the sums stay few, and a
new video makes one job count a 64th of the corpus again."""

Group = Mapping[str, tuple[LoadShard, dict[str, LoadShard]]]
"""By the key of a shard: its clips, and its labels by modality."""


class SparseCounts:
    """How often each number occurs; numbers that never occur take no memory."""

    def __init__(self) -> None:
        self._values = np.zeros(0, np.int64)
        self._counts = np.zeros(0, np.int64)
        self._waiting: list[tuple[Indices, Indices]] = []
        self._waiting_length = 0

    def add(self, values: Indices, counts: Indices) -> None:
        """Add `counts` occurrences of each of `values`."""
        self._waiting.append((values, counts))
        self._waiting_length += len(values)
        if self._waiting_length > max(1 << 16, len(self._values)):
            self._settle()

    def items(self) -> tuple[Indices, Indices]:
        """The values, ascending, and how often each occurred."""
        self._settle()
        return self._values, self._counts

    def _settle(self) -> None:
        values = np.concatenate([self._values, *(values for values, _ in self._waiting)])
        counts = np.concatenate([self._counts, *(counts for _, counts in self._waiting)])
        order, starts = groups(values)
        self._values, self._counts = values[order[starts]], np.add.reduceat(counts[order], starts)
        self._waiting, self._waiting_length = [], 0


class LabelCounter:
    """Counts by kind, modality and two numbers; as a table, `LabelCounts`."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, str], SparseCounts] = defaultdict(SparseCounts)

    @classmethod
    def sum_of(cls, shards: Shards, kinds: Sequence[str] | None = None) -> LabelCounter:
        """The sum of the counts of many jobs: of these kinds alone, or of all. Pairs are most of what there is."""
        total = cls()
        for key in sorted(shards):
            table = shards[key]()
            if kinds is not None:
                table = table.filter(pc.is_in(table["what"], pa.array(kinds, pa.string())))
            names = pc.binary_join_element_wise(table["what"], table["modality"], " ").dictionary_encode()
            coded = names.unify_dictionaries().combine_chunks()
            coded = coded if isinstance(coded, pa.DictionaryArray) else coded.combine_chunks()
            first, second, count = (table[name].to_numpy() for name in ("first", "second", "count"))
            for code, kind in enumerate(coded.dictionary.to_pylist()):
                chosen = coded.indices.to_numpy() == code
                what, modality = kind.split(" ")
                total.add(what, modality, first[chosen], second[chosen], count[chosen])
        return total

    def add(
        self, what: str, modality: str, first: Indices, second: Indices | None = None, counts: Indices | None = None
    ) -> None:
        """Count pairs of numbers. `second` defaults to 0, and `counts` to 1 each."""
        values = first << SECOND_BITS if second is None else first << SECOND_BITS | second
        if counts is None:
            values = np.sort(values)
            starts = starts_of(values)
            values, counts = values[starts], np.diff(starts, append=len(values))
        self._counts[what, modality].add(values, counts)

    def add_number(self, what: str, modality: str, first: int, count: int) -> None:
        """Add one count."""
        self.add(what, modality, np.array([first]), counts=np.array([count]))

    def of(self, what: str, modality: str) -> tuple[Indices, Indices, Indices]:
        """The pairs of numbers that occur, ascending, and how often each does."""
        values, counts = self._counts[what, modality].items()
        return values >> SECOND_BITS, values & ((1 << SECOND_BITS) - 1), counts

    def by_first(self, what: str, modality: str, length: int) -> Indices:
        """Counts by the first number only [length]."""
        first, _, counts = self.of(what, modality)
        return np.bincount(first, counts, length).astype(np.int64)

    def table(self) -> pa.Table:
        """All counts, in an order that does not depend on the order of adding."""
        parts = [LABEL_COUNTS_ARROW.empty_table()]
        for what, modality in sorted(self._counts):
            first, second, counts = self.of(what, modality)
            texts = [pa.repeat(text, len(first)) for text in (what, modality)]
            parts.append(pa.table([*texts, first, second, counts], schema=LABEL_COUNTS_ARROW))
        return pa.concat_tables(parts).combine_chunks()


def require_same_keys(shards_by_dataset: Mapping[str, Shards]) -> None:
    """Check that each dataset has every shard.

    Raises:
        UserError: naming a dataset and a shard that only it has or lacks.
    """
    having = {name: set(shards) for name, shards in shards_by_dataset.items()}
    for dataset, keys in having.items():
        others = [other for name, other in having.items() if name != dataset]
        if len(others) > 1 and (extra := sorted(keys.difference(*others))):
            raise UserError(
                f"{dataset} has {len(extra)} shard(s) that no other has, such as {extra[0]!r}: run the pipeline "
                f"that makes {dataset} again"
            )
    for dataset, keys in having.items():
        if missing := sorted(set().union(*having.values()) - keys):
            owners = " and ".join(sorted(name for name, other in having.items() if missing[0] in other))
            raise UserError(
                f"{dataset} lacks {len(missing)} shard(s) that {owners} has, such as {missing[0]!r}: run the pipeline "
                f"that makes {dataset} again"
            )


def survey_jobs(clips: Shards, visual: Shards, audio: Shards, plan: MergePlan) -> ShardJobs:
    """One job for each group of shards: the counts that the plan is made from (`survey_shards`).

    Raises:
        UserError: naming the dataset and the shard, where clips and labels do not pair up.
    """
    return _jobs(survey_shards, clips, visual, audio, plan)


def target_jobs(clips: Shards, visual: Shards, audio: Shards, plan: MergePlan) -> ShardJobs:
    """One job for each group of shards: the plan's targets (`count_targets`); none if the survey holds these counts."""
    return {} if is_counted_by_survey(plan.params) else _jobs(count_targets, clips, visual, audio, plan)


@recipe("survey_labels", version=1)
def survey_shards(shards: Group, plan: MergePlan) -> pa.Table:
    """Count, of the labels over the thresholds and among the best of their clips:

    - `clips`: clips by outcome, see `ALL`;
    - `scores`: clips by candidate and bin of its score;
    - `compared`: clips by candidate, of those with labels of both modalities;
    - `pair_clips`, `pair_videos`: clips, and videos, by a visual and an audio candidate in one clip;
    - `targets`: clips by candidate and draw, as targets without limits or agreement, by the modalities that gave them.

    Raises:
        UserError: naming a shard whose labels and clips are not from the same run.
    """
    counter = LabelCounter()
    for key, (load, teachers) in sorted(shards.items()):
        clips = ShardClips.of(load)
        stored = stored_labels(key, clips, teachers)
        labels = selected_labels(stored, plan)
        for modality, selected in labels.items():
            _count_clips(counter, modality, stored[modality], clips)
            counter.add("scores", modality, selected.index, selected.bins(clips))
        if len(labels) == 2:
            _count_pairs(counter, labels["visual"], labels["audio"], clips, plan)
        _count_targets(counter, targets_of(labels, plan), clips, plan)
    return counter.table()


@recipe("count_targets", version=1)
def count_targets(shards: Group, plan: MergePlan) -> pa.Table:
    """Count clips by candidate and draw, as targets of the plan, by the modalities that gave them: `targets`."""
    counter = LabelCounter()
    for key, (load, teachers) in sorted(shards.items()):
        clips = ShardClips.of(load, plan.params.drop_seen_on_stills)
        labels = {
            modality: under_rate(selected, modality, clips, plan)
            for modality, selected in selected_labels(stored_labels(key, clips, teachers), plan).items()
        }
        accepted = agreed(labels, supported(labels, len(clips), plan), clips, plan)
        _count_targets(counter, targets_of(accepted, plan), clips, plan)
    return counter.table()


def _jobs(
    function: Callable[[Group, MergePlan], pa.Table], clips: Shards, visual: Shards, audio: Shards, plan: MergePlan
) -> ShardJobs:
    teachers = used_teachers(visual, audio, plan.params)
    require_same_keys({"clips": clips, **{f"{modality}_labels": shards for modality, shards in teachers.items()}})
    groups: defaultdict[str, dict[str, tuple[LoadShard, dict[str, LoadShard]]]] = defaultdict(dict)
    for key, load in clips.items():
        groups[key[:GROUP_KEY_LENGTH]][key] = (load, {name: shards[key] for name, shards in teachers.items()})
    return {group: partial(function, members, plan) for group, members in groups.items()}


def _count_clips(counter: LabelCounter, modality: str, stored: StoredLabels, clips: ShardClips) -> None:
    counter.add_number("clips", modality, ALL, len(clips))
    counter.add_number("clips", modality, LABELLED, len(clips) - sum(stored.unlabelled.values()))
    for number, reason in enumerate(UNLABELLED_REASONS, COMPARED + 1):
        counter.add_number("clips", modality, number, stored.unlabelled[reason])


def _count_pairs(counter: LabelCounter, visual: Selected, audio: Selected, clips: ShardClips, plan: MergePlan) -> None:
    has = {name: np.zeros(len(clips), bool) for name in ("visual", "audio")}
    has["visual"][visual.clip] = True
    has["audio"][audio.clip] = True
    both = has["visual"] & has["audio"]
    counter.add_number("clips", "both", COMPARED, int(both.sum()))
    for modality, selected in (("visual", visual), ("audio", audio)):
        counter.add("compared", modality, selected.index[both[selected.clip]])
    visual_rows, audio_rows = pairs(visual, audio, len(clips))
    counter.add("pair_clips", "both", visual.index[visual_rows], audio.index[audio_rows])
    video = clips.videos.indices.to_numpy().astype(np.int64)
    classes = len(plan.classes)
    pair = visual.index[visual_rows] * classes + audio.index[audio_rows]
    order, starts = groups(video[visual.clip[visual_rows]] * classes**2 + pair)
    once = pair[order[starts]]
    counter.add("pair_videos", "both", once // classes, once % classes)


def _count_targets(counter: LabelCounter, targets: ClipTargets, clips: ShardClips, plan: MergePlan) -> None:
    selected = targets.selected
    is_capped = plan.params.max_clips is not None
    draw = clips.draw_bin[selected.clip] if is_capped else np.zeros(len(selected), np.int64)
    for bits, modality in GIVEN_BY.items():
        chosen = targets.given_by == bits
        counter.add("targets", modality, selected.index[chosen], draw[chosen])
