"""Which files an ONNX model refers to for data that is not in itself, read without opening the model.

onnxruntime looks for them itself, below the current folder where a model is given as bytes. So what a stranger's model
refers to is found here first: the messages of `onnx.proto` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) are
walked down to every tensor, and no tensor's data is read.
"""

from __future__ import annotations

import mmap
import posixpath
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from xmodal_kedro.errors import UserError
from xmodal_kedro.storage import FileRef, Folder, local_path

MODEL = "model"
FIELDS: dict[str, dict[int, str]] = {
    MODEL: {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
"""Numbers of the fields of each message that may lead to a tensor, and the message that each holds."""
KEY, VALUE = 1, 2
GRAPH, GRAPH_OUTPUT, VALUE_NAME = 7, 12, 1
"""Fields of the model, of a graph, and of what describes a value."""
LOCATION = b"location"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_VARINT_BYTES = 10
MAX_DEPTH = 100
"""That of protobuf's own readers."""
RUNTIME_FORMAT = b"ORTM"
"""At the fifth byte of a model in onnxruntime's own format, which may refer to files too."""


def external_locations(path: str) -> tuple[str, ...]:
    """Locations of all data that the model in a local file keeps outside it, each once, sorted.

    Raises:
        ValueError: it is no ONNX model.
    """
    with Path(path).open("rb") as stream:
        if not stream.read(1):
            raise ValueError("it is empty")
        # It is unmapped with its last view: an error holds views of it in its traceback.
        content = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    if bytes(content[4:8]) == RUNTIME_FORMAT:
        raise ValueError("it is in onnxruntime's own format: save it as ONNX")
    return tuple(sorted(set(_locations(content, MODEL, 0))))


def with_output(model: bytes, tensor: str) -> bytes:
    """An ONNX model with one of its tensors as a further output.

    Protobuf merges messages that follow each other, and appends their repeated fields: so a graph that holds one output
    and no more, put after the model, adds it. Its type is inferred when the model is opened.

    Args:
        model: in ONNX, not in onnxruntime's own format.
        tensor: its name, which is not checked.
    """
    return model + _bytes_field(GRAPH, _bytes_field(GRAPH_OUTPUT, _bytes_field(VALUE_NAME, tensor.encode())))


def file_in_folder(model: str, location: str) -> str | None:
    """The name of an external file, as that of the model relative to their folder; None if it is not inside that.

    Args:
        model: name of the model's file, with forward slashes.
        location: as the model states it, relative to its own folder.
    """
    if not location or "\\" in location or ":" in location or "\0" in location or location.startswith("/"):
        return None
    name = posixpath.normpath(posixpath.join(posixpath.dirname(model), location))
    return None if name.startswith("../") or name in ("..", ".") else name


def external_files(model: FileRef, folder: Folder) -> tuple[FileRef, ...]:
    """The files that a model refers to, each once, in order of their locations.

    Args:
        model: a file of the folder.
        folder: in which they all must be.

    Raises:
        FileNotFoundError: naming a file that is not there.
        UserError: the model is broken, or refers to a file outside the folder.
    """
    return tuple({file.name: file for file in located_files(model, folder).values()}.values())


def located_files(model: FileRef, files: Mapping[str, FileRef]) -> dict[str, FileRef]:
    """The files that a model refers to, by their locations as it states them.

    Args:
        model: one of the files.
        files: by name: a folder, or a teacher's files.

    Raises:
        FileNotFoundError: naming a file that is not there.
        UserError: the model is broken, or refers to a file outside the folder.
    """
    found = {}
    for location in _locations_in(model):
        name = file_in_folder(model.name, location)
        if name is None or (name in files and _leads_outside(files[name])):
            raise UserError(
                f"teacher weights {model.name!r} refer to data in {location!r}, which is not in the teacher's folder: "
                "copy that file beside the model and save the model with its name as location, or take another model"
            )
        if name not in files:
            raise FileNotFoundError(
                f"teacher weights {model.name!r} refer to data in {name!r}, which is not in the teacher's folder: put "
                "it there"
            )
        found[location] = files[name]
    return found


@lru_cache(maxsize=8)
def _locations_in(model: FileRef) -> tuple[str, ...]:
    with model.fetched() as path:
        try:
            return external_locations(path)
        except ValueError as error:
            raise UserError(
                f"teacher weights {model.name!r} cannot be opened as ONNX ({error}): replace the file"
            ) from error


def _leads_outside(file: FileRef) -> bool:
    """Whether a local file is a link to another folder than the one that it is listed in."""
    if (path := local_path(file.path)) is None:
        return False
    folder = Path(path.removesuffix(file.name))
    return not Path(path).resolve().is_relative_to(folder.resolve())


def _locations(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise ValueError("its parts are nested too deep")
    for number, content in _fields(message):
        part = FIELDS[kind].get(number)
        if part == "entry":
            yield from _location_of(content)
        elif part is not None:
            yield from _locations(content, part, depth + 1)


def _location_of(entry: memoryview) -> Iterator[str]:
    """The value of an entry whose key is `location`; if a field repeats, every value of it, as readers may differ."""
    fields = [(number, bytes(content)) for number, content in _fields(entry)]
    if (KEY, LOCATION) in fields:
        values = [content for number, content in fields if number == VALUE]
        yield from (value.decode("utf-8", "backslashreplace") for value in values or [b""])


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Numbers and contents of the fields that hold bytes: messages, texts and packed numbers."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        wire = tag & 7
        size = {FIXED64: 8, FIXED32: 4}.get(wire, 0)
        if wire == VARINT:
            _, at = _varint(message, at)
        elif wire == BYTES:
            size, at = _varint(message, at)
            if at + size <= len(message):
                yield tag >> 3, message[at : at + size]
        elif not size:
            raise ValueError("it is no ONNX model")
        at += size
    if at != len(message):
        raise ValueError("it is no whole ONNX model")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for index in range(MAX_VARINT_BYTES):
        if at + index >= len(message):
            raise ValueError("it is no whole ONNX model")
        byte = message[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("it is no ONNX model")


def _bytes_field(number: int, content: bytes) -> bytes:
    return _as_varint(number << 3 | BYTES) + _as_varint(len(content)) + content


def _as_varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
