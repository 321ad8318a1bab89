"""Embedded windows with their sound and a picture, to look at in Embedding Atlas."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import groupby, islice, repeat
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.errors import MachineError
from xmodal_kedro.exports.draw import lots
from xmodal_kedro.exports.sound import flac
from xmodal_kedro.exports.thumbnails import small_frame, small_spectrogram
from xmodal_kedro.media.probe import SourceFile
from xmodal_kedro.media.sandbox.isolation import isolated
from xmodal_kedro.media.sandbox.tasks import glimpses, sound_file
from xmodal_kedro.params import ExportMapParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.reasons import PASSING, MediaError, describe
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import MAP_WINDOWS_ARROW, RECORDING_EMBEDDINGS_ARROW
from xmodal_kedro.storage import PROVISIONAL_KEY, FileRef, LoadShard

logger = logging.getLogger(__name__)

UNTAGGED = "untagged"
ROWS_AT_A_TIME = 64
WINDOWS_AT_A_TIME = 1024
"""Rows that are read at once: 8 MB of embeddings of 2,048 numbers."""
Row = dict[str, Any]


@recipe("map_rows", version=1, libraries=("av", "opencv-python"))
def map_shard(
    windows: LoadShard, share: float, files: Mapping[str, SourceFile], params: ExportMapParams
) -> Iterator[pa.Table]:
    """The windows of a shard that are drawn, one recording after the other.

    Args:
        windows: a shard of `RecordingEmbeddings`.
        share: windows with lots below it are drawn, see `draw`.
        files: the recordings of the shard by `uri`; of one that is missing or cannot be read, rows have no sound.
        params: `export_map`.

    Yields:
        `MapWindows` tables as they fill. The last, empty one is marked provisional where a recording could not be read
        through no fault of its own.

    Raises:
        MachineError: if no decoder process can start, or there is no room for a copy.
    """
    failed: list[MediaError] = []
    drawn = _drawn(windows, share, params.seed)
    with closing(_rows(drawn.drop_columns(["embedding"]).to_pylist(), files, params, failed)) as rows:
        for start in range(0, len(drawn), ROWS_AT_A_TIME):
            embeddings = drawn["embedding"].slice(start, ROWS_AT_A_TIME)
            yield _table(list(islice(rows, len(embeddings))), embeddings)
    is_passing = any(error.reason in PASSING for error in failed)
    metadata = {PROVISIONAL_KEY: "some to be tried again"} if is_passing else None
    yield MAP_WINDOWS_ARROW.empty_table().replace_schema_metadata(metadata)


def _drawn(windows: LoadShard, share: float, seed: int) -> pa.Table:
    """Windows that are drawn, by recording and time. Embeddings stay as they are stored: as lists of Python's numbers
    they would take eight times the memory."""
    tables = [RECORDING_EMBEDDINGS_ARROW.empty_table()]
    with windows.open() as parquet:
        for batch in parquet.iter_batches(WINDOWS_AT_A_TIME):
            table = pa.Table.from_batches([batch]).replace_schema_metadata(None)
            is_drawn = pa.array([value < share for value in lots(table, seed)], pa.bool_())
            tables.append(table.filter(is_drawn))
    return pa.concat_tables(tables).sort_by([("uri", "ascending"), ("start_s", "ascending")])


def _table(rows: list[Row], embeddings: pa.ChunkedArray) -> pa.Table:
    at = MAP_WINDOWS_ARROW.get_field_index("embedding")
    others = pa.Table.from_pylist(rows, schema=MAP_WINDOWS_ARROW.remove(at))
    return others.add_column(at, MAP_WINDOWS_ARROW.field(at), embeddings)


def _rows(
    drawn: Iterable[Row], files: Mapping[str, SourceFile], params: ExportMapParams, failed: list[MediaError]
) -> Generator[Row]:
    for uri, group in groupby(drawn, key=itemgetter("uri")):
        rows = list(group)
        with ExitStack() as stack:
            path = _fetched(files[uri].file, stack, failed) if uri in files else None
            sounds = _as_far_as_possible(_sounds(path, rows, params), failed)
            pictures = _as_far_as_possible(_pictures(path, rows, params), failed)
            for row, sound, picture in zip(rows, sounds, pictures, strict=False):
                yield {
                    **{name: row[name] for name in ("uri", "start_s", "end_s")},
                    **_described(row["tags"]),
                    "audio": {"bytes": flac(sound), "path": "window.flac"} if sound and params.sound else None,
                    "image": _image(picture, sound, params),
                }


def _fetched(file: FileRef, stack: ExitStack, failed: list[MediaError]) -> str | None:
    try:
        return stack.enter_context(file.fetched())
    except MachineError:  # says nothing of the file
        raise
    except Exception as error:  # storage drivers have errors of their own
        logger.warning("%s: %s", file.name, describe(error))
        failed.append(MediaError("unreadable", describe(error)))
        return None


def _as_far_as_possible(items: Iterator[bytes], failed: list[MediaError]) -> Iterator[bytes]:
    """Items as long as they come, then empty ones for ever; what a file did to its decoder is added to `failed`."""
    try:
        yield from items
    except MachineError:  # not the file's fault
        raise
    except MediaError as error:
        failed.append(error)
    except Exception as error:  # a decoder may fail in any way, and must cost only its file
        logger.warning("%s", describe(error), exc_info=True)
        failed.append(MediaError("corrupt", describe(error)))
    yield from repeat(b"")


def _sounds(path: str | None, rows: Sequence[Row], params: ExportMapParams) -> Iterator[bytes]:
    """16-bit PCM of each window."""
    if path and (params.sound or params.thumbnails):
        spans = [(_sample(row["start_s"]), _sample(row["end_s"])) for row in rows]
        limit_s = params.limit_s(Path(path).stat().st_size)
        yield from (part.tobytes() for part in cut(isolated(sound_file, path, timeout_s=limit_s), spans))


def _pictures(path: str | None, rows: Sequence[Row], params: ExportMapParams) -> Iterator[bytes]:
    """A frame near the middle of each window as JPEG; empty where there is none."""
    if path and params.thumbnails:
        times_s = [(row["start_s"] + row["end_s"]) / 2 for row in rows]
        limit_s = params.limit_s(Path(path).stat().st_size)
        yield from isolated(glimpses, path, times_s, params.thumbnail_px, timeout_s=limit_s)


def cut(pieces: Iterable[NDArray[np.int16]], spans: Sequence[tuple[int, int]]) -> Iterator[NDArray[np.int16]]:
    """Parts of audio that comes in pieces; no more is held than the part that is waited for.

    Args:
        pieces: of one recording, in order, of any lengths.
        spans: first sample and end of each part, by their first sample; they may overlap.
    """
    held, first = np.zeros(0, np.int16), 0
    left = iter(pieces)
    for start, end in spans:
        while first + len(held) < end and (piece := next(left, None)) is not None:
            passed = min(max(start - first, 0), len(held))
            held, first = np.concatenate([held[passed:], piece]), first + passed
        yield held[max(start - first, 0) : max(end - first, 0)]


def _sample(time_s: float) -> int:
    return round(time_s * CLIP_SAMPLE_RATE_HZ)


def _described(tags: Sequence[Mapping[str, Any]]) -> Row:
    best = tags[0] if tags else {"name": UNTAGGED, "score": 0.0}
    shown = ", ".join(f"{tag['name']} {tag['score']:.2f}" for tag in tags)
    return {"label": best["name"], "score": best["score"], "tags": shown}


def _image(picture: bytes, sound: bytes, params: ExportMapParams) -> Row | None:
    if not params.thumbnails or not (picture or sound):
        return None
    if picture:
        return {"bytes": small_frame(picture, params.thumbnail_px), "path": "frame.jpg"}
    return {"bytes": small_spectrogram(sound, params.thumbnail_px), "path": "spectrogram.png"}
