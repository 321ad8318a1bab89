"""Search by example: the windows of embedded recordings that are nearest to a sound.

The search is exact. All embeddings are compared, as one matrix on the disk that is mapped into memory: a million
windows take seconds, and no memory of their size.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError

logger = logging.getLogger(__name__)

SHARDS = "embeddings"
"""Folder of the shards, below that of the recordings."""
INDEX = "nearest"
"""Folder beside it, where the matrix is kept from search to search."""
VECTORS, WINDOWS, STATE = "vectors.f32", "windows.arrow", "state.json"
ROWS_AT_A_TIME = 8_192
MAKE = "run the pipeline embed"


class Match(NamedTuple):
    """A window that is near.

    Attributes:
        uri: its recording.
        start_s, end_s: where in it, seconds.
        cosine: of its embedding and the example's, both less the mean of all windows, -1 to 1.
    """

    uri: str
    start_s: float
    end_s: float
    cosine: float


class WindowIndex:
    """The embeddings of all windows of some recordings.

    Args:
        folder: with the matrix and its windows, as `open_index` makes them.
        size: of an embedding.
        mean: of all embeddings, float32 [size].
    """

    def __init__(self, folder: Path, size: int, mean: NDArray[np.float32]) -> None:
        with pa.memory_map(str(folder / WINDOWS)) as source:
            self._windows = pa.ipc.open_file(source).read_all()
        self._vectors_NE = (
            np.memmap(folder / VECTORS, np.float32, "r").reshape(-1, size)
            if len(self._windows)
            else np.zeros((0, size), np.float32)
        )
        self._mean_E = mean

    def __len__(self) -> int:
        return len(self._windows)

    def nearest(self, query_E: NDArray[np.floating], count: int = 20, per_recording: int | None = None) -> list[Match]:
        """The windows nearest to an embedding, the nearest first; of equals, the first of the first recording.

        The measure is that of `neighbours.nearest_sounds`: the cosine between embeddings less their mean, as what all
        sounds of a corpus share does not distinguish them.

        Args:
            query_E: float [size].
            count: how many; fewer where there are no more.
            per_recording: max of one recording; None sets no limit.

        Raises:
            UserError: if the embedding has another size, as that of another network.
        """
        size = self._vectors_NE.shape[1]
        if query_E.shape != (size,):
            raise UserError(
                f"the example's embedding has {query_E.size} numbers, and those of the recordings {size}: load the "
                f"network that embedded them, or {MAKE} with this one"
            )
        cosines_N = self._cosines(query_E.astype(np.float32))
        if per_recording is None:
            rows: Sequence[int] = _best(cosines_N, count)
        else:
            rows = self._few_of_each(np.argsort(-cosines_N, kind="stable"), count, per_recording)
        found = self._windows.take(rows).to_pylist()
        return [Match(**row, cosine=float(cosines_N[at])) for at, row in zip(rows, found, strict=True)]

    def _cosines(self, query_E: NDArray[np.float32]) -> NDArray[np.float32]:
        centred_E = query_E - self._mean_E
        tiny = np.finfo(np.float32).tiny
        unit_E = centred_E / max(float(np.linalg.norm(centred_E)), float(tiny))
        cosines_N = np.empty(len(self._vectors_NE), np.float32)
        for start in range(0, len(cosines_N), ROWS_AT_A_TIME):
            part_NE = self._vectors_NE[start : start + ROWS_AT_A_TIME] - self._mean_E
            lengths_N = np.maximum(np.sqrt(np.einsum("ne,ne->n", part_NE, part_NE)), tiny)
            cosines_N[start : start + ROWS_AT_A_TIME] = (part_NE @ unit_E) / lengths_N
        return cosines_N

    def _few_of_each(self, order_N: NDArray[np.int64], count: int, per_recording: int) -> list[int]:
        recordings = self._windows["uri"].combine_chunks().indices.to_numpy()
        taken: Counter[int] = Counter()
        rows: list[int] = []
        for at in order_N.tolist():
            if len(rows) == count:
                break
            if taken[recordings[at]] < per_recording:
                taken[recordings[at]] += 1
                rows.append(at)
        return rows


def _best(cosines_N: NDArray[np.float32], count: int) -> list[int]:
    """Positions of the highest values in their order, the first of equals first."""
    if count >= len(cosines_N):
        return np.argsort(-cosines_N, kind="stable").tolist()
    least = np.partition(cosines_N, len(cosines_N) - count)[len(cosines_N) - count] if count else np.inf
    candidates = np.flatnonzero(cosines_N >= least)
    order = np.argsort(-cosines_N[candidates], kind="stable")[:count]
    return candidates[order].tolist()


def open_index(within: str | Path) -> WindowIndex:
    """The index of a folder `recordings` of the pipeline `embed`. It is made at first, and again if shards change.

    It is kept in `nearest` there, or for this process alone where that folder cannot be written.

    Args:
        within: the folder, such as `data/07_model_output/vggish_plus/recordings`, or its folder `embeddings`.

    Raises:
        UserError: if there are no embeddings.
    """
    folder = Path(within)
    shards_folder = folder / SHARDS if (folder / SHARDS).is_dir() else folder
    shards = sorted(shards_folder.glob("*.parquet"))
    if not shards:
        raise UserError(f"{within} has no embedded recordings: {MAKE}, and name its folder recordings")
    state = [[shard.name, shard.stat().st_size, shard.stat().st_mtime_ns] for shard in shards]
    kept = shards_folder.parent / INDEX
    if (found := _read(kept, state)) is not None:
        return found
    try:
        partial = Path(tempfile.mkdtemp(prefix=f".{INDEX}-", dir=kept.parent))
    except OSError:
        logger.info("%s cannot be written: the index is made for this process alone", kept.parent)
        own = tempfile.TemporaryDirectory(prefix="xmodal-")
        _OF_THIS_PROCESS.append(own)
        _write(Path(own.name), shards, state)
        return _opened(Path(own.name))
    try:
        _write(partial, shards, state)
        found = _opened(partial)  # stays open, whatever another search puts in its place
        shutil.rmtree(kept, ignore_errors=True)
        with suppress(OSError):  # another search has just put its own there
            partial.rename(kept)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return found


_OF_THIS_PROCESS: list[tempfile.TemporaryDirectory[str]] = []
"""Folders that are removed when Python ends."""


def _read(folder: Path, state: list[list[object]]) -> WindowIndex | None:
    with suppress(OSError, ValueError, KeyError):
        if json.loads((folder / STATE).read_bytes())["shards"] == state:
            return _opened(folder)
    return None


def _opened(folder: Path) -> WindowIndex:
    stated = json.loads((folder / STATE).read_bytes())
    return WindowIndex(folder, stated["size"], np.array(stated["mean"], np.float32))


def _write(folder: Path, shards: Sequence[Path], state: list[list[object]]) -> None:
    """Write the index of all windows into a folder: their embeddings, what they are of, and the embeddings' mean.

    Args:
        state: of the shards, by which a later search knows whether the index is still theirs.

    Raises:
        UserError: if the shards hold no embedding, or those of several networks.
    """
    total_E: NDArray[np.float64] | None = None
    rows = size = 0
    windows = []
    with (folder / VECTORS).open("wb") as stream:
        for batch, vectors_NE in _batches(shards):
            if size and vectors_NE.shape[1] != size:
                raise UserError(f"the embeddings of {shards[0].parent} are of several networks: {MAKE} again")
            size = vectors_NE.shape[1]
            stream.write(vectors_NE.tobytes())
            total_E = vectors_NE.sum(0, dtype=np.float64) + (0 if total_E is None else total_E)
            rows += len(vectors_NE)
            windows.append(batch)
    if total_E is None:
        raise UserError(f"{shards[0].parent} has no embedded window: {MAKE} on recordings that can be decoded")
    table = pa.concat_tables(windows)
    table = table.set_column(0, "uri", table["uri"].combine_chunks().dictionary_encode())
    with pa.OSFile(str(folder / WINDOWS), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    stated = {"shards": state, "size": size, "mean": (total_E / rows).tolist()}
    (folder / STATE).write_text(json.dumps(stated))


def _batches(shards: Sequence[Path]) -> Iterator[tuple[pa.Table, NDArray[np.float32]]]:
    for shard in shards:
        with pq.ParquetFile(shard, memory_map=True, pre_buffer=False) as parquet:
            for batch in parquet.iter_batches(ROWS_AT_A_TIME, columns=["uri", "start_s", "end_s", "embedding"]):
                if len(batch):
                    flat = batch["embedding"].flatten().to_numpy(zero_copy_only=False)
                    columns = pa.Table.from_batches([batch.select(["uri", "start_s", "end_s"])])
                    yield columns, flat.reshape(len(batch), -1)
