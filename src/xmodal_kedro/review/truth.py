"""What reviewers confirmed, as a truth for `label_check`."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from xmodal_kedro.labels.check.truth import SEPARATOR
from xmodal_kedro.labels.class_map import ClassMap
from xmodal_kedro.labels.selection import ShardClips, StoredLabels, match, read_labels, select_best
from xmodal_kedro.params import MergeParams
from xmodal_kedro.review.tables import rows_in
from xmodal_kedro.storage import Shards

COLUMNS = ["uri", "start_s", "end_s", "heard"]


def reviewed_truth(
    reviewed: pd.DataFrame,
    spans: pd.DataFrame,
    videos: pd.DataFrame,
    clips: Shards,
    teachers: Mapping[str, Shards],
    classes: ClassMap,
    params: MergeParams,
) -> pd.DataFrame:
    """The clips of which every label that merging counts was judged, with the classes that were found right.

    A truth says all that is heard. Of a clip that somebody was asked about one class of, nothing is known of its other
    labels: it is left out until all of them are answered with right or wrong. A class that no teacher named, and no
    reviewer added, is taken as not heard.

    Args:
        reviewed: `ReviewedClips`.
        spans: as `find_clips` returns them, of the reviewed clips.
        videos: `Videos`.
        teachers: shards of labels by modality, of those that merging uses.

    Returns:
        Columns `uri`, `start_s`, `end_s`, `heard`, as `label_check` takes them.
    """
    stated = _stated(spans, clips, teachers, classes, params)
    sounds = {name for name, stands_for in zip(classes.names, classes.stands_for, strict=True) if stands_for}
    uri_of = dict(zip(videos["video_id"], videos["uri"], strict=True))
    answers = dict(iter(reviewed.groupby("clip_id")))
    rows = []
    for span in rows_in(spans.sort_values(["video_id", "start_s"])):
        said = answers[span.clip_id]
        judged = set(said.loc[said["answer"].isin(["right", "wrong"]), "name"])
        if span.video_id in uri_of and stated[span.clip_id] <= judged:
            heard = sorted(set(said.loc[said["answer"] == "right", "name"]) & sounds)
            rows.append((uri_of[span.video_id], span.start_s, span.end_s, SEPARATOR.join(heard)))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"uri": "str", "heard": "str"})


def _stated(
    spans: pd.DataFrame, clips: Shards, teachers: Mapping[str, Shards], classes: ClassMap, params: MergeParams
) -> dict[str, set[str]]:
    """By clip, the classes that teachers' labels become which merging counts."""
    stated: dict[str, set[str]] = {clip_id: set() for clip_id in spans["clip_id"]}
    for key in sorted(spans["shard"].unique()):
        shard = ShardClips.of(clips[key])
        clip_ids = shard.clip_ids.to_pylist()
        for modality, shards in teachers.items():
            stored: StoredLabels = read_labels(shards[key], shard, f"{modality}_labels {key}")
            labels = match(select_best(stored, params.of(modality)), classes, modality)
            for clip, index in zip(labels.clip.tolist(), labels.index.tolist(), strict=True):
                if clip_ids[clip] in stated:
                    stated[clip_ids[clip]].add(classes.names[index])
    return stated
