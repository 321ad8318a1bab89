"""Tags of windows and targets of clips, as small shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from tests.fakes import MemoryShard
from xmodal_kedro.schemas import RECORDING_EMBEDDINGS_ARROW


def windows(recordings: Mapping[str, Sequence[Mapping[str, float]]], length_s: float = 4.0) -> MemoryShard:
    """A shard of recordings, each with the tags of its successive windows."""
    rows = [
        {
            "uri": uri,
            "start_s": at * length_s,
            "end_s": (at + 1) * length_s,
            "embedding": [0.5, float(at)],
            "tags": [{"name": name, "score": score} for name, score in tags.items()],
        }
        for uri, of_it in recordings.items()
        for at, tags in enumerate(of_it)
    ]
    return MemoryShard(pa.Table.from_pylist(rows, schema=RECORDING_EMBEDDINGS_ARROW))


NAMES = ("Child speech, kid speaking", '"big" the\tone\nhere"', "rain")
SHARDS = {
    "shard-0": windows(
        {
            "one/a.wav": [{"rain": 0.9, NAMES[0]: 0.6}, {"rain": 0.3}, {}, {"rain": 0.75}],
            "two/a.wav": [{NAMES[1]: 0.5}],
            "quiet.wav": [{"rain": 0.3}, {}],
        }
    ),
    "shard-1": windows({"s3://bucket/../x, y.wav": [{}, {"rain": 1.0}]}),
}
