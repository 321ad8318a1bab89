"""Small teachers and clips whose labels can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pyarrow as pa
import torch
import transformers
from onnx import TensorProto, helper

from tests.fakes import MemoryShard
from xmodal_kedro.params import AudioTeacherCard, VisualTeacherCard
from xmodal_kedro.schemas import CLIPS_ARROW, TEACHER_LABELS_ARROW

COLOURS = ("red", "green", "blue")
SOUNDS = ("Speech", "Music", "Dog")
SMALL_TRANSFORMER: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
SIDE_PX = 8


def write_mean_model(
    path: Path,
    input_name: str,
    row_shape: tuple[int | str, ...],
    mean_over: list[int],
    batch: int | str = "N",
    element: int = TensorProto.FLOAT,
) -> None:
    """An ONNX model whose classes are what is left of its input after a mean over some axes; sizes may be names."""
    classes = next(size for axis, size in enumerate(row_shape, start=1) if axis not in mean_over)
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", [input_name, "axes"], ["scores"], keepdims=0)],
        "mean",
        [helper.make_tensor_value_info(input_name, element, [batch, *row_shape])],
        [helper.make_tensor_value_info("scores", element, [batch, classes])],
        [helper.make_tensor("axes", TensorProto.INT64, [len(mean_over)], mean_over)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)


def write_colour_teacher(folder: Path, names: Sequence[str] = COLOURS, batch: int | str = "N") -> None:
    """The score of a colour is its share of the image."""
    folder.mkdir(parents=True, exist_ok=True)
    write_mean_model(folder / "colour.onnx", "input", (3, SIDE_PX, SIDE_PX), [2, 3], batch)
    (folder / "colours.txt").write_text("\n".join(names))


def write_brightness_teacher(folder: Path, batch: int | str = "N") -> None:
    """The scores of an image are the mean and the maximum of its colours' means, which no output gives."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(
        [
            helper.make_node("Identity", ["input"], ["whole"]),
            helper.make_node("ReduceMean", ["whole", "places"], ["map of means"], keepdims=1),
            helper.make_node("Flatten", ["map of means"], ["means"]),
            helper.make_node("ReduceMean", ["means", "colours"], ["mean"], keepdims=1),
            helper.make_node("ReduceMax", ["means", "colours"], ["most"], keepdims=1),
            helper.make_node("ReduceMax", ["means", "colours"], ["brightest"], keepdims=0),
            helper.make_node("Concat", ["mean", "most"], ["scores"], axis=1),
        ],
        "brightness",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, SIDE_PX, SIDE_PX])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, 2])],
        [
            helper.make_tensor("places", TensorProto.INT64, [2], [2, 3]),
            helper.make_tensor("colours", TensorProto.INT64, [1], [1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "brightness.onnx")
    (folder / "brightness.txt").write_text("bright\nintense")


def write_pitch_teacher(folder: Path) -> None:
    """A sound's logit for a band is its mean log-mel there."""
    folder.mkdir(parents=True, exist_ok=True)
    write_mean_model(folder / "pitch.onnx", "patches", (1, 96, 64), [1, 2])
    (folder / "pitches.csv").write_text("index,display_name\n" + "".join(f"{i},band {i:02d}\n" for i in range(64)))


def write_loudness_teacher(folder: Path, samples: int) -> None:
    """A window's scores are its mean magnitude, and 1 less that."""
    graph = helper.make_graph(
        [
            helper.make_node("Abs", ["waveform"], ["magnitude"]),
            helper.make_node("ReduceMean", ["magnitude", "axes"], ["loud"], keepdims=1),
            helper.make_node("Sub", ["one", "loud"], ["soft"]),
            helper.make_node("Concat", ["loud", "soft"], ["scores"], axis=1),
        ],
        "loudness",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["N", samples])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])],
        [
            helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
            helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "loudness.onnx")
    (folder / "loudness.txt").write_text("loud\nsoft")


def loudness_card(window_s: float = 0.5) -> AudioTeacherCard:
    """Card of the loudness teacher of 4000 samples: half a second at 8 kHz, half overlapping."""
    sound = {"kind": "waveform", "sample_rate_hz": 8000, "window_s": window_s, "hop_s": 0.25}
    return AudioTeacherCard.model_validate(_card("loudness.onnx", "loudness.txt", sound, {}))


def write_vit(folder: Path, names: Sequence[str] = COLOURS, seed: int = 0) -> transformers.ViTForImageClassification:
    """A small vision transformer with random weights, as the library saves it."""
    torch.manual_seed(seed)
    config = transformers.ViTConfig(
        **SMALL_TRANSFORMER, image_size=32, patch_size=8, id2label=dict(enumerate(names)), initializer_range=0.5
    )
    model = transformers.ViTForImageClassification(config).eval()
    model.save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return model


def write_ast(folder: Path, names: Sequence[str] = SOUNDS) -> transformers.ASTForAudioClassification:
    """A small audio spectrogram transformer with random weights, as the library saves it."""
    torch.manual_seed(0)
    config = transformers.ASTConfig(
        **SMALL_TRANSFORMER, max_length=400, num_mel_bins=32, id2label=dict(enumerate(names)), initializer_range=0.5
    )
    model = transformers.ASTForAudioClassification(config).eval()
    model.save_pretrained(folder)
    transformers.ASTFeatureExtractor(max_length=400, num_mel_bins=32).save_pretrained(folder)
    return model


def write_wav2vec2(folder: Path, sampling_rate: int) -> None:
    """A small classifier of sound of any length with random weights, as the library saves it."""
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        **SMALL_TRANSFORMER,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        classifier_proj_size=16,
        id2label=dict(enumerate(SOUNDS)),
        initializer_range=0.5,
    )
    transformers.Wav2Vec2ForSequenceClassification(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=sampling_rate).save_pretrained(folder)


def seeing_card(**changes: Any) -> VisualTeacherCard:
    """Card of a `transformers` image classifier in the folder `vit`."""
    card = {"backend": "transformers", "weights": "vit", "output": {"activation": "softmax"}, **changes}
    return VisualTeacherCard.model_validate(card)


def hearing_card(**changes: Any) -> AudioTeacherCard:
    """Card of a `transformers` audio classifier in the folder `ast`."""
    card = {"backend": "transformers", "weights": "ast", "output": {"activation": "sigmoid"}, **changes}
    return AudioTeacherCard.model_validate(card)


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


def brightness_card(**changes: Any) -> VisualTeacherCard:
    """Card of the brightness teacher; changes as for `colour_card`."""
    return colour_card(weights="brightness.onnx", labels="brightness.txt", **changes)


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
    """JPEG of one colour."""
    encoded: np.ndarray = cv2.imencode(".jpg", np.full((height, width, 3), (blue, green, red), np.uint8))[1]
    return encoded.tobytes()


def tone(hz: float, seconds: float = 4.0) -> bytes:
    """A sine as 16-bit PCM."""
    time_s = np.arange(round(seconds * 16_000)) / 16_000
    return (8000 * np.sin(2 * np.pi * hz * time_s)).astype(np.int16).tobytes()


def clips_shard(clips: Sequence[dict[str, Any]]) -> MemoryShard:
    """Clips with what each dict says; the rest is filled in."""
    rows = []
    for number, clip in enumerate(clips):
        row = {
            "clip_id": f"clip-{number:03d}",
            "video_id": f"video-{number:03d}",
            "audio": tone(1000),
            "frames": [],
            **clip,
        }
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
