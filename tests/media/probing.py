"""Rows of probed files, and files edited by hand."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.media.synthetic import CODINGS
from xmodal_kedro.media.probe import probe_row
from xmodal_kedro.params import IngestParams
from xmodal_kedro.storage import FileRef

PARAMS = IngestParams()
MOV = CODINGS[1]


def file_at(path: Path | str, size_bytes: int = 1) -> FileRef:
    return FileRef(str(path).rpartition("/")[2], str(path), size_bytes, 0)


def row_of(path: Path, **params) -> dict:
    return probe_row(file_at(path), IngestParams(**params))


def reason_of(path: Path, **params) -> str:
    return row_of(path, **params)["reason"]


def edited(path: Path, old: bytes, new: bytes) -> Path:
    """Replace the only occurrence of some bytes in a file by as many others."""
    content = path.read_bytes()
    assert content.count(old) == 1
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new))
    return path


def with_declared_duration(path: Path, duration_ms: float) -> Path:
    """Write another duration into the header of a Matroska file (element 0x4489, a float of 8 bytes)."""
    content = bytearray(path.read_bytes())
    struct.pack_into(">d", content, content.index(b"\x44\x89\x88") + 3, duration_ms)
    path.write_bytes(content)
    return path
