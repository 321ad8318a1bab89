from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import onnx
import pyarrow as pa
import pytest
import yaml
from onnx import numpy_helper

from tests.conftest import PROJECT
from tests.fakes import folder_of, shard_of
from tests.teachers.fixtures import clips_shard
from xmodal_kedro.params import AudioTeacherCard, LabelParams, TeacherCard, VisualTeacherCard
from xmodal_kedro.teachers.labelling import label_clips
from xmodal_kedro.teachers.opening import open_teacher, teacher_files


@pytest.fixture(scope="module")
def cards() -> dict[str, TeacherCard]:
    folder = PROJECT / "conf" / "onnx" / "parameters"
    models = {"visual_teacher": VisualTeacherCard, "audio_teacher": AudioTeacherCard}
    return {
        name: model.model_validate(yaml.safe_load((folder / f"{name}.yml").read_text())[name])
        for name, model in models.items()
    }


def sound(path: Path, seconds: float = 4.0) -> bytes:
    resampler = av.AudioResampler("s16", "mono", 16_000)
    with av.open(str(path)) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    pcm = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return pcm[: round(seconds * 16_000)].tobytes()


def first_picture(path: Path) -> bytes:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="bgr24")
    encoded: np.ndarray = cv2.imencode(".jpg", frame)[1]
    return encoded.tobytes()


def labels_by_clip(clips: list[dict[str, Any]], card: TeacherCard, real_data: Path) -> dict[str, list[str]]:
    jobs = label_clips(
        {"shard": clips_shard(clips)}, folder_of(real_data / "teachers"), card, LabelParams(device="cpu")
    )
    table: pa.Table = shard_of(jobs["shard"])()
    found: dict[str, list[str]] = {}
    for row in table.to_pylist():
        found.setdefault(row["clip_id"], []).append(row["label"])
    return found


def test_yamnet_hears_what_esc10_says_is_there(real_data: Path, cards: dict[str, TeacherCard]) -> None:
    heard_as = {"dog": {"Dog", "Bark"}, "rain": {"Rain"}, "crying_baby": {"Crying, sobbing", "Baby cry, infant cry"}}
    lines = (real_data / "esc10" / "meta" / "esc50.csv").read_text().splitlines()[1:]
    files = [(fields[0], fields[3]) for fields in (line.split(",") for line in lines) if fields[3] in heard_as]
    some = [entry for category in heard_as for entry in [pair for pair in files if pair[1] == category][::4]]
    clips = [{"clip_id": name, "audio": sound(real_data / "esc10" / "audio" / name)} for name, _ in some]
    labels = labels_by_clip(clips, cards["audio_teacher"], real_data)
    right = [bool(heard_as[category] & set(labels[name][:3])) for name, category in some]
    assert len(right) == 30
    assert np.mean(right) > 0.7


def test_mobilenet_sees_what_the_videos_show(real_data: Path, cards: dict[str, TeacherCard]) -> None:
    shows = {
        "Synchformer__vggsound_3qesirWAGt4_20000_30000.mp4": "Pomeranian",
        "SpecVQGAN__vggsound_7fRaV39Y-2o_50000_60000.mp4": "valley, vale",
        "VGGSounder__vggsound_m-0pJqpNjft4_000267.mp4": "ox",
    }
    clips = [{"clip_id": name, "frames": [first_picture(real_data / "videos" / name)] * 2} for name in shows]
    labels = labels_by_clip(clips, cards["visual_teacher"], real_data)
    assert {name: found[0] for name, found in labels.items()} == shows


def test_mobilenets_scores_are_computed_of_its_embedding(real_data: Path, cards: dict[str, TeacherCard]) -> None:
    card, folder = cards["visual_teacher"], folder_of(real_data / "teachers")
    teacher = open_teacher(card, teacher_files(card, folder), "cpu")
    names = ["VGGSounder__vggsound_m-0pJqpNjft4_000267.mp4", "Synchformer__vggsound_3qesirWAGt4_20000_30000.mp4"]
    rows = [row for name in names for row in teacher.rows([first_picture(real_data / "videos" / name)])]
    embeddings, scores = teacher.embed(rows)  # type: ignore[attr-defined]
    graph = onnx.load(str(real_data / "teachers" / card.weights)).graph
    (last,) = [node for node in graph.node if node.op_type == "Conv"][-1:]
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    logits = embeddings @ held[last.input[1]][:, :, 0, 0].T + held[last.input[2]]
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    assert embeddings.shape == (2, 1280)
    np.testing.assert_allclose(scores, exponents / exponents.sum(1, keepdims=True), atol=1 / 256)
    np.testing.assert_array_equal(scores, teacher.scores(rows))
