"""What became of sources that are not embedded to their end."""

from __future__ import annotations

import json
from collections import Counter

import pandas as pd
import pyarrow.compute as pc

from xmodal_kedro.inference.recordings import FAILED_KEY
from xmodal_kedro.schemas import UnheardRecordings
from xmodal_kedro.schemas.networks import EMBEDDED_IN_PART, NO_RECORDING, NOT_EMBEDDED
from xmodal_kedro.storage import LoadShard, Shards

NO_MEDIA = ("not_media",)
"""Reasons of files that nobody would call recordings."""
PHRASES = {
    NO_RECORDING: "not a recording",
    NOT_EMBEDDED: "not embedded",
    EMBEDDED_IN_PART: "embedded in part",
}


def unheard_recordings(shards: Shards) -> pd.DataFrame:
    """`UnheardRecordings`, in order of `uri`.

    Args:
        shards: of `RecordingEmbeddings`. Of those in which something failed, the names of the recordings are read.
    """
    rows = [row for shard in shards.values() for row in _failed(shard)]
    table = pd.DataFrame(rows, columns=list(UnheardRecordings.to_schema().columns)).astype(str)
    return table.sort_values("uri", ignore_index=True)


def describe_unheard(table: pd.DataFrame) -> str:
    """Counts by outcome and reason, such as `1 not a recording (1 not_media), 0 not embedded, 0 embedded in part`."""
    parts = []
    for outcome, phrase in PHRASES.items():
        reasons = Counter(table.loc[table["outcome"] == outcome, "reason"])
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        parts.append(f"{reasons.total()} {phrase}" + (f" ({counts})" if counts else ""))
    return ", ".join(parts)


def _failed(shard: LoadShard) -> list[dict[str, str]]:
    failed = json.loads(shard.metadata[FAILED_KEY])
    if not failed:
        return []
    embedded = set(pc.unique(shard(["uri"])["uri"]).to_pylist())
    return [row | {"outcome": _outcome(row, row["uri"] in embedded)} for row in failed]


def _outcome(row: dict[str, str], in_part: bool) -> str:
    if in_part:
        return EMBEDDED_IN_PART
    return NO_RECORDING if row["reason"] in NO_MEDIA else NOT_EMBEDDED
