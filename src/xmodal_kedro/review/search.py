"""Clips that are worth a look for another reason than chance: contradictory, near to confirmed ones, or diverse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Embed = Callable[[pd.DataFrame], Mapping[str, NDArray[np.float32]]]
"""Embeddings by clip, for a table with `clip_id` and `shard`."""
EMBEDDED_PER_CLIP = 8
"""Clips that are embedded for each one that is wanted: enough to choose from, in seconds."""
CONFIRMED_PER_CLASS = 8
"""Confirmed clips of a class that others are compared with."""


@dataclass(frozen=True)
class Found:
    """A clip and a class to ask about."""

    clip_id: str
    name: str
    drawn: str


def search(candidates: pd.DataFrame, confirmed: pd.DataFrame, count: int, embed: Embed) -> Iterator[Found]:
    """Clips in turn: the most contradictory, the nearest to confirmed ones, and diverse ones.

    Where one of the three has no more, the others go on. A clip may come more than once.

    Args:
        candidates: rows of `ReviewPool`.
        confirmed: columns `clip_id`, `name`, `shard` of clips in which a class was found right.
        count: how many clips are wanted; it bounds how many are embedded.
    """
    shortlist = _shortlist(candidates, count * EMBEDDED_PER_CLIP)
    known = confirmed.sort_values(["name", "clip_id"]).groupby("name").head(CONFIRMED_PER_CLASS)
    embedding_of = embed(pd.concat([shortlist[["clip_id", "shard"]], known[["clip_id", "shard"]]]))
    return _in_turn(
        [
            contradictory(candidates),
            nearest(shortlist, known, embedding_of),
            diverse(shortlist, known["clip_id"].unique(), embedding_of),
        ]
    )


def contradictory(candidates: pd.DataFrame) -> Iterator[Found]:
    """Clips and classes by the difference of both teachers' scores, classes in turn.

    A teacher that did not name the class scored it 0. Classes that just one of the teachers has contradict nothing.
    """
    by_class = candidates.groupby("name")["modality"].nunique()
    of_both = candidates[candidates["name"].isin(by_class.index[by_class == 2])]
    scores = of_both.pivot_table(index=["name", "clip_id"], columns="modality", values="score", aggfunc="max")
    if scores.empty:
        return iter(())
    difference = (scores["visual"].fillna(0) - scores["audio"].fillna(0)).abs().rename("difference").reset_index()
    ordered = difference.sort_values(["difference", "clip_id"], ascending=[False, True])
    return _found(_by_class(ordered), "contradictory")


def nearest(
    shortlist: pd.DataFrame, confirmed: pd.DataFrame, embedding_of: Mapping[str, NDArray[np.float32]]
) -> Iterator[Found]:
    """Clips of a class by their distance to the nearest of its confirmed clips, classes in turn."""
    ordered: dict[str, list[str]] = {}
    for name, rows in shortlist.groupby("name"):
        right = confirmed.loc[confirmed["name"] == name, "clip_id"].tolist()
        if right:
            clip_ids = sorted(set(rows["clip_id"]) - set(right))
            distance_C = _to_nearest(embedding_of, clip_ids, right)
            ordered[str(name)] = [clip_ids[at] for at in np.argsort(distance_C, kind="stable")]
    return _found(ordered, "nearest")


def diverse(
    shortlist: pd.DataFrame, known: Iterable[str], embedding_of: Mapping[str, NDArray[np.float32]]
) -> Iterator[Found]:
    """Clips each as far as possible from all before it (Gonzalez, "Clustering to minimize the maximum intercluster
    distance", Theoretical Computer Science 38, 1985), with the class of their highest score.

    Args:
        known: clips from which the first one is far. Without any it is the first of the draw.
    """
    best = shortlist.sort_values(["score", "name"], ascending=[False, True]).drop_duplicates("clip_id")
    name_of = dict(zip(best["clip_id"], best["name"], strict=True))
    clip_ids = list(dict.fromkeys(shortlist["clip_id"]))
    if not clip_ids:
        return
    embedding_CE = np.stack([embedding_of[clip_id] for clip_id in clip_ids])
    distance_C = np.full(len(clip_ids), np.inf)
    for clip_id in known:
        distance_C = np.minimum(distance_C, np.linalg.norm(embedding_CE - embedding_of[clip_id], axis=1))
    for _ in clip_ids:
        at = int(np.argmax(distance_C))
        yield Found(clip_ids[at], name_of[clip_ids[at]], "diverse")
        distance_C = np.minimum(distance_C, np.linalg.norm(embedding_CE - embedding_CE[at], axis=1))
        distance_C[at] = -1.0


def _shortlist(candidates: pd.DataFrame, count: int) -> pd.DataFrame:
    """The rows of `count` clips: the first of the draw of each stratum, then the second, and so on."""
    ordered = candidates.assign(
        turn=candidates.groupby(["name", "modality", "bin"])["rank"].rank(method="first")
    ).sort_values(["turn", "name", "modality", "bin"], ignore_index=True)
    chosen = ordered["clip_id"].drop_duplicates().head(count)
    return ordered[ordered["clip_id"].isin(chosen)].drop(columns="turn")


def _to_nearest(
    embedding_of: Mapping[str, NDArray[np.float32]], clip_ids: Sequence[str], others: Sequence[str]
) -> NDArray[np.float32]:
    """Distance of each clip to the nearest of the others [clips]."""
    if not clip_ids:
        return np.zeros(0, np.float32)
    embedding_CE = np.stack([embedding_of[clip_id] for clip_id in clip_ids])
    return np.min([np.linalg.norm(embedding_CE - embedding_of[other], axis=1) for other in others], axis=0)


def _by_class(ordered: pd.DataFrame) -> dict[str, list[str]]:
    return {str(name): rows["clip_id"].tolist() for name, rows in ordered.groupby("name", sort=True)}


def _found(clips_of: Mapping[str, list[str]], drawn: str) -> Iterator[Found]:
    """The first clip of each class, then the second, and so on."""
    return _in_turn(
        [[Found(clip_id, name, drawn) for clip_id in clip_ids] for name, clip_ids in sorted(clips_of.items())]
    )


def _in_turn(several: Sequence[Iterable[Found]]) -> Iterator[Found]:
    return (found for found in chain.from_iterable(zip_longest(*several)) if found is not None)
