"""Candidate pairs of videos that may hold one recording: an out-of-core search for common keys.

DuckDB sorts keys and counts votes, which do not fit in memory. The work grows with the number of keys, not with its
square, even if a key is frequent: videos that share a key are paired only with the next few. A recording that a
thousand videos hold becomes a chain of pairs, not a million pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.dedup.agreement import VideoSignature
from xmodal_kedro.dedup.audio_fingerprint import FLAT, HOP_S, probes
from xmodal_kedro.params import NearDuplicateParams

PICTURE_BLOCKS = [np.uint64(0xFFFF << shift) for shift in (0, 16, 32, 48)]
"""Frame hashes are looked up by every pair of their four blocks of 16 bits. They are found if the other two blocks hold
all errors (multi-index hashing: M. Norouzi, A. Punjani, D. J. Fleet, CVPR 2012)."""
MAX_PICTURE_BITS = 6
"""Two frames vote if their hashes differ by at most so many bits."""
NO_PICTURE = 0
BIN_HOPS = 4
"""Votes for an offset are counted in bins of twice this width, about 0.2 s, that overlap by half."""
MAX_FRAME_ERROR_HOPS = round(4 / HOP_S)
"""Max error of a frame's time: a frame that two encodings share may be shown for seconds."""
ROWS_AT_A_TIME = 1 << 16
KEYS_ARROW = pa.schema([("key", pa.uint64()), ("video", pa.int64()), ("place", pa.int32()), ("picture", pa.uint64())])
"""A word of audio, or two blocks of the hash `picture`; the video's number; the first hop at which it has the key."""
VOTES_ARROW = pa.schema(
    [("a", pa.int64()), ("b", pa.int64()), ("place", pa.int32()), ("bin", pa.int32()), ("heard", pa.bool_())]
)
KEYS_IN_ORDER = "SELECT key, video, place, picture FROM keys ORDER BY key, video"
CANDIDATES = """
    SELECT a, b, heard, bin, place FROM (
        SELECT a, b, true AS heard, bin, min(place) AS place, count(*) AS votes
        FROM (SELECT DISTINCT a, b, place, unnest([bin, bin + 1]) AS bin FROM votes WHERE heard)
        GROUP BY a, b, bin
        HAVING votes >= 2
        QUALIFY row_number() OVER (PARTITION BY a, b ORDER BY votes DESC, bin) <= 3
        UNION ALL
        SELECT a, b, false AS heard, arg_min(bin, (place, bin)) AS bin, min(place) AS place, count(*) AS votes
        FROM votes WHERE NOT heard
        GROUP BY a, b
    )
    ORDER BY a, b, heard DESC, votes DESC, bin
"""


class CandidatePair(NamedTuple):
    """A pair of videos to compare, as numbers, and the position and offsets: see `agreement.agreement`."""

    a: int
    b: int
    around: int
    offsets: range


def video_keys(video: VideoSignature, number: int, params: NearDuplicateParams) -> pa.RecordBatch:
    """Keys of a video: one in `params.keep_one_in` of the probes of its words, and blocks of its frame hashes.

    Whether a probe is kept depends on the probe alone, so that copies keep the same ones.

    Args:
        number: the video's number.

    Returns:
        Rows of `KEYS_ARROW`, each key once, with its first occurrence.
    """
    keys_N8 = probes(video.words, video.weak_bits)
    kept_N8 = (_scatter(keys_N8) % params.keep_one_in == 0) & (keys_N8 != FLAT)
    masks_6 = np.array([~(one | other) for one, other in combinations(PICTURE_BLOCKS, 2)])
    keys_P6 = video.picture_hashes[:, None] | masks_6
    keys = np.concatenate([keys_N8[kept_N8].astype(np.uint64), keys_P6.ravel()])
    frame_hops = np.repeat(np.rint(video.picture_times_s / HOP_S), masks_6.size)
    places = np.concatenate([video.at[np.nonzero(kept_N8)[0]], frame_hops])
    pictures = np.repeat(video.picture_hashes, masks_6.size)
    pictures = np.concatenate([np.full(keys.size - pictures.size, NO_PICTURE, np.uint64), pictures])
    keys, first = np.unique(keys, return_index=True)
    columns = [keys, np.full(keys.size, number), places[first].astype(np.int32), pictures[first]]
    return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=KEYS_ARROW)


def find_candidates(
    keys: Iterable[pa.RecordBatch], folder: Path, params: NearDuplicateParams
) -> Iterator[CandidatePair]:
    """Pairs of videos with two common words of audio at one offset, or a common frame; in order of their numbers.

    Args:
        keys: rows of `KEYS_ARROW`, each key of a video once.
        folder: an empty folder for temporary files.
        params: `near_duplicates`; `memory_mb` limits DuckDB's memory.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{params.memory_mb}MB",
        "temp_directory": str(folder),
        "threads": 1,
        "preserve_insertion_order": False,
    }
    with duckdb.connect(str(folder / "keys.duckdb"), config=settings) as database:
        _store(database, "keys", pa.RecordBatchReader.from_batches(KEYS_ARROW, keys))
        with database.cursor() as reading:
            in_order = reading.sql(KEYS_IN_ORDER).to_arrow_reader(ROWS_AT_A_TIME)
            votes = _votes(in_order, params.neighbours)
            _store(database, "votes", pa.RecordBatchReader.from_batches(VOTES_ARROW, votes))
        for batch in database.sql(CANDIDATES).to_arrow_reader(ROWS_AT_A_TIME):
            for row in batch.to_pylist():
                first = (row["bin"] - 1) * BIN_HOPS
                slack = 0 if row["heard"] else MAX_FRAME_ERROR_HOPS
                offsets = range(first - slack, first + 2 * BIN_HOPS + slack)
                yield CandidatePair(row["a"], row["b"], row["place"], offsets)


def _store(database: duckdb.DuckDBPyConnection, table: str, rows: pa.RecordBatchReader) -> None:
    database.register("incoming", rows)
    database.execute(f"CREATE TABLE {table} AS SELECT * FROM incoming")
    database.unregister("incoming")


def _votes(keys: Iterable[pa.RecordBatch], neighbours: int) -> Iterator[pa.RecordBatch]:
    """A vote for the offset between each occurrence of a key and each of the next `neighbours` ones.

    Args:
        keys: rows of `KEYS_ARROW`, in order of key and video.
    """
    held = KEYS_ARROW.empty_table()
    for batch in keys:
        fresh = held.num_rows
        held = pa.concat_tables([held, pa.Table.from_batches([batch])])
        key, video, place, picture = (column.to_numpy() for column in held.columns)
        for step in range(1, neighbours + 1):
            later = np.arange(max(fresh, step), key.size)
            later = later[key[later] == key[later - step]]
            later = later[np.bitwise_count(picture[later] ^ picture[later - step]) <= MAX_PICTURE_BITS]
            earlier = later - step
            bins = (place[later] - place[earlier]) // BIN_HOPS
            columns = [video[earlier], video[later], place[earlier], bins, picture[later] == NO_PICTURE]
            yield pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=VOTES_ARROW)
        held = held.slice(max(0, held.num_rows - neighbours)).combine_chunks()


def _scatter(keys: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Uniformly distributed hashes of keys (multiplicative hashing)."""
    return (keys * np.uint32(2_654_435_761)) >> np.uint32(16)
