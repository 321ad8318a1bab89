"""Clips as Parquet files that the library `datasets` reads with its own types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from xmodal_kedro.exports.clips import SPLITS, ClipSource, LabelledClip
from xmodal_kedro.exports.sound import sound_bytes
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.recipes import recipe
from xmodal_kedro.storage.exported import ExportedFile

GROUP_ROWS = 100
"""Clips of a row group, the unit that is read at once: some 5 MB."""
FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""How `datasets` stores sound and images."""


def schema(names: Sequence[str], frame: bool) -> pa.Schema:
    """Columns, with the types of `datasets` as metadata.

    Args:
        names: of the classes, by index.
        frame: whether there is a column of frames.
    """
    kept = [column for column in _columns(names) if frame or column.name != "image"]
    features = {column.name: column.feature for column in kept}
    fields = [(column.name, column.arrow) for column in kept]
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def schema_features(names: Sequence[str], frame: bool) -> list[dict[str, Any]]:
    """The same types as the head of a data set's card has them."""
    return [{"name": column.name} | column.yaml for column in _columns(names) if frame or column.name != "image"]


class _Column(NamedTuple):
    name: str
    arrow: pa.DataType
    feature: dict[str, Any]
    yaml: dict[str, Any]


def _columns(names: Sequence[str]) -> list[_Column]:
    rate = {"sampling_rate": CLIP_SAMPLE_RATE_HZ}
    by_index = {str(index): name for index, name in enumerate(names)}
    classes = {"names": list(names), "_type": "ClassLabel"}
    return [
        _Column("audio", FILE, {**rate, "_type": "Audio"}, {"dtype": {"audio": rate}}),
        _Column("image", FILE, {"_type": "Image"}, {"dtype": "image"}),
        _Column("labels", pa.list_(pa.int64()), _list_of(classes), {"sequence": {"class_label": {"names": by_index}}}),
        _Column("weights", pa.list_(pa.float32()), _list_of(_value("float32")), {"sequence": "float32"}),
        _plain("clip_id", "string"),
        _plain("uri", "string"),
        _plain("start_s", "float64"),
        _plain("end_s", "float64"),
        _plain("licence", "string"),
    ]


def _plain(name: str, dtype: str) -> _Column:
    return _Column(name, pa.string() if dtype == "string" else pa.float64(), _value(dtype), {"dtype": dtype})


@recipe("huggingface_files", version=1, libraries=("av",))
def huggingface_files(
    key: str, source: ClipSource, names: tuple[str, ...], frame: bool, audio: str
) -> Iterator[ExportedFile]:
    """A Parquet file for each split that has clips in the shard: `train-KEY.parquet`."""
    for split in SPLITS:
        if source.count(split):
            tables = _tables(source.read(split, frame), schema(names, frame), audio)
            yield ExportedFile(f"{split}-{key}.parquet", parquet_pieces(tables, schema(names, frame)))


def parquet_pieces(tables: Iterable[pa.Table], columns: pa.Schema) -> Iterator[bytes]:
    """A Parquet file in pieces, a row group for each table; the columns' metadata is stored."""
    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, "w"), columns, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table, row_group_size=max(len(table), 1))
            yield sink.taken()
    yield sink.taken()


class _Sink:
    """What a Parquet writer writes to; its bytes are taken out piece by piece."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        return len(self._pieces[-1])

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _tables(clips: Iterable[LabelledClip], columns: pa.Schema, audio: str) -> Iterator[pa.Table]:
    left = iter(clips)
    while group := [_row(clip, audio) for clip in islice(left, GROUP_ROWS)]:
        yield pa.Table.from_pylist(group, schema=columns)


def _row(clip: LabelledClip, audio: str) -> dict[str, Any]:
    return clip._asdict() | {
        "audio": {"bytes": sound_bytes(clip.audio, audio), "path": f"{clip.clip_id}.{audio}"},
        "image": {"bytes": clip.frame, "path": f"{clip.clip_id}.jpg"} if clip.frame else None,
        "labels": clip.targets,
    }


def _list_of(feature: dict[str, Any]) -> dict[str, Any]:
    return {"feature": feature, "length": -1, "_type": "Sequence"}  # `List` is known from version 4 on alone


def _value(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "_type": "Value"}
