"""Small teachers and clips whose labels can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pyarrow as pa
from onnx import TensorProto, helper

from tests.fakes import MemoryShard
from xmodal_kedro.params import AudioTeacherCard, VisualTeacherCard
from xmodal_kedro.schemas import CLIPS_ARROW, TEACHER_LABELS_ARROW

COLOURS = ("red", "green", "blue")
SIDE_PX = 8


def write_mean_model(
    path: Path, input_name: str, row_shape: tuple[int | str, ...], mean_over: list[int], batch: int | str = "N"
) -> None:
    """An ONNX model whose classes are what is left of its input after a mean over some axes; sizes may be names."""
    classes = next(size for axis, size in enumerate(row_shape, start=1) if axis not in mean_over)
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", [input_name, "axes"], ["scores"], keepdims=0)],
        "mean",
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, [batch, *row_shape])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, classes])],
        [helper.make_tensor("axes", TensorProto.INT64, [len(mean_over)], mean_over)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)


def write_colour_teacher(folder: Path, names: Sequence[str] = COLOURS, batch: int | str = "N") -> None:
    """A picture's score for a colour is how much of it is in there."""
    folder.mkdir(parents=True, exist_ok=True)
    write_mean_model(folder / "colour.onnx", "input", (3, SIDE_PX, SIDE_PX), [2, 3], batch)
    (folder / "colours.txt").write_text("\n".join(names))


def write_pitch_teacher(folder: Path) -> None:
    """A sound's logit for a band is its mean log-mel there."""
    folder.mkdir(parents=True, exist_ok=True)
    write_mean_model(folder / "pitch.onnx", "patches", (1, 96, 64), [1, 2])
    (folder / "pitches.csv").write_text("index,display_name\n" + "".join(f"{i},band {i:02d}\n" for i in range(64)))


def colour_card(**changes: Any) -> VisualTeacherCard:
    """Card of the colour teacher; `input__x` changes a field of its input, `output__x` of its output."""
    image: dict[str, Any] = {
        "kind": "image",
        "resize_px": SIDE_PX,
        "crop_px": SIDE_PX,
        "mean": (0,) * 3,
        "std": (1,) * 3,
    }
    return VisualTeacherCard.model_validate(_card("colour.onnx", "colours.txt", image, changes))


def pitch_card(**changes: Any) -> AudioTeacherCard:
    """Card of the pitch teacher; changes as for `colour_card`."""
    changes = {"output__activation": "sigmoid", **changes}
    return AudioTeacherCard.model_validate(_card("pitch.onnx", "pitches.csv", {"kind": "log_mel"}, changes))


def _card(weights: str, labels: str, teacher_input: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    card: dict[str, Any] = {
        "backend": "onnx",
        "weights": weights,
        "labels": labels,
        "input": teacher_input,
        "output": {},
    }
    for name, value in changes.items():
        section, _, field = name.rpartition("__")
        (card[section] if section else card)[field] = value
    return card


def jpeg(red: int, green: int, blue: int, height: int = 16, width: int = 24) -> bytes:
    """A picture of one colour."""
    encoded: np.ndarray = cv2.imencode(".jpg", np.full((height, width, 3), (blue, green, red), np.uint8))[1]
    return encoded.tobytes()


def tone(hz: float, seconds: float = 4.0) -> bytes:
    """A sine as 16-bit PCM."""
    time_s = np.arange(round(seconds * 16_000)) / 16_000
    return (8000 * np.sin(2 * np.pi * hz * time_s)).astype(np.int16).tobytes()


def clips_shard(clips: Sequence[dict[str, Any]]) -> MemoryShard:
    """Clips with what each dict says; the rest is filled in."""
    rows = []
    for at, clip in enumerate(clips):
        row = {"clip_id": f"clip-{at:03d}", "video_id": f"video-{at:03d}", "audio": tone(1000), "frames": [], **clip}
        seconds = len(row["audio"]) / 32_000
        times = [0.0] * len(row["frames"])
        rows.append(row | {"start_s": 0.0, "end_s": seconds, "audio_rms_dbfs": -15.0, "frame_times_s": times})
    return MemoryShard(pa.Table.from_pylist(rows, schema=CLIPS_ARROW))


def labels_shard(labels: Sequence[tuple[str, str, float]], clips: int) -> MemoryShard:
    """A teacher's labels (clip, label, score) of a shard of so many clips."""
    rows = [dict(zip(("clip_id", "label", "score"), label, strict=True)) for label in labels]
    unlabelled = clips - len({clip_id for clip_id, _, _ in labels})
    metadata = {"clips": str(clips), "unlabelled": f'{{"below_min_score": {unlabelled}, "no_picture": 0}}'}
    return MemoryShard(pa.Table.from_pylist(rows, schema=TEACHER_LABELS_ARROW).replace_schema_metadata(metadata))
