from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest

from tests.fakes import MemoryShard, folder_of, shard_of
from tests.teachers.fixtures import (
    brightness_card,
    clips_shard,
    jpeg,
    pitch_card,
    tone,
    write_brightness_teacher,
    write_pitch_teacher,
)
from xmodal_kedro.errors import UserError
from xmodal_kedro.params import AudioLabelParams, AudioTeacherCard, LabelParams, VisualTeacherCard
from xmodal_kedro.schemas import CLIP_EMBEDDINGS_ARROW, TeacherEmbeddings
from xmodal_kedro.storage import Folder
from xmodal_kedro.teachers.embeddings import EmbeddingTask, embed_clips
from xmodal_kedro.teachers.opening import open_teacher, teacher_files

ASKS = AudioLabelParams(embeddings=True, device="cpu")
SOUNDS = {f"clip {number}": tone(hz) for number, hz in enumerate([300, 2_000, 5_000, 700])}
CLIPS = {"shard": clips_shard([{"clip_id": name, "audio": sound} for name, sound in SOUNDS.items()])}


@pytest.fixture
def card(tmp_path: Path) -> AudioTeacherCard:
    write_pitch_teacher(tmp_path)
    return pitch_card(output__embedding="scores")


def embeddings(folder: Path, card: AudioTeacherCard, **changes: Any) -> dict[str, np.ndarray]:
    asks = ASKS.model_copy(update=changes)
    shard = shard_of(embed_clips(CLIPS, {}, folder_of(folder), card, asks)["shard"])
    assert shard.metadata["embedding_size"] == "128"
    rows = TeacherEmbeddings.validate(shard().to_pandas())
    return {row.clip_id: np.frombuffer(row.embedding, "<f2") for row in rows.itertuples()}


def test_an_embedding_is_mean_and_maximum_over_the_windows_of_a_clip(tmp_path: Path, card: AudioTeacherCard) -> None:
    teacher = open_teacher(card, teacher_files(card, folder_of(tmp_path)), "cpu")
    made = embeddings(tmp_path, card)
    assert list(made) == list(SOUNDS)
    for name, sound in SOUNDS.items():
        windows, _ = teacher.embed(teacher.rows(np.frombuffer(sound, "<i2")))  # type: ignore[attr-defined]
        assert len(windows) > 1
        np.testing.assert_allclose(made[name], np.concatenate([windows.mean(0), windows.max(0)]), rtol=2e-3)


@pytest.mark.parametrize("changes", [{"batch_size": 1}, {"batch_size": 7}, {"prepare_threads": 2}])
def test_batches_and_threads_change_nothing(tmp_path: Path, card: AudioTeacherCard, changes: dict[str, int]) -> None:
    plain, other = embeddings(tmp_path, card), embeddings(tmp_path, card, **changes)
    assert plain.keys() == other.keys()
    for name, embedding in plain.items():
        np.testing.assert_allclose(embedding, other[name], rtol=2e-3)


def frames(*colours: tuple[int, int, int]) -> list[bytes]:
    return [jpeg(*colour) for colour in colours]


PICTURES = {
    "one frame": frames((200, 40, 10)),
    "no frame": [],
    "two frames": frames((255, 0, 0), (0, 0, 255)),
    "two more": frames((0, 255, 0), (0, 0, 0)),
}
VIDEO_CLIPS = {
    "shard": clips_shard([{"clip_id": name, "frames": pictures} for name, pictures in PICTURES.items()]),
    "without frames": clips_shard([{"clip_id": "sound alone", "frames": []}]),
}
SEES = LabelParams(embeddings=True, device="cpu")


@pytest.mark.parametrize("changes", [{}, {"batch_size": 1}, {"prepare_threads": 2}])
def test_a_visual_embedding_is_the_mean_over_the_frames_of_a_clip_that_has_some(
    tmp_path: Path, changes: dict[str, int]
) -> None:
    write_brightness_teacher(tmp_path)
    of = brightness_card(output__embedding="means")
    jobs = embed_clips(VIDEO_CLIPS, {}, folder_of(tmp_path), of, SEES.model_copy(update=changes))
    shard, empty = (shard_of(jobs[name]) for name in VIDEO_CLIPS)
    assert (shard.metadata["embedding_size"], empty.metadata["embedding_size"]) == ("3", "0")
    assert empty().num_rows == 0
    made = {row.clip_id: np.frombuffer(row.embedding, "<f2") for row in shard().to_pandas().itertuples()}
    assert list(made) == ["one frame", "two frames", "two more"]
    for name, embedding in made.items():
        pictures = [cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR_RGB) for picture in PICTURES[name]]
        wanted = np.mean([picture.mean((0, 1)) / 255 for picture in pictures], axis=0)
        np.testing.assert_allclose(embedding, wanted, atol=0.01)


def test_a_contrastive_teachers_embedding_is_the_mean_of_those_that_it_labels_by() -> None:
    rows = {"one": [[0.6, 0.8]], "two": [[1.0, 0.0], [0.0, 1.0]]}
    stored = pa.Table.from_pylist(
        [{"clip_id": name, "embedding": np.array(of, "<f2").tobytes()} for name, of in rows.items()],
        CLIP_EMBEDDINGS_ARROW,
    ).replace_schema_metadata({"embedding_size": "2"})
    of = VisualTeacherCard.model_validate(
        {"backend": "contrastive", "weights": "clip", "classes": {"dog": "a dog", "cat": "a cat"}}
    )
    jobs = embed_clips(VIDEO_CLIPS, {"shard": MemoryShard(stored)}, Folder("nowhere", {}), of, SEES)
    shard = shard_of(jobs["shard"])
    assert shard.metadata["embedding_size"] == "2"
    made = {row.clip_id: np.frombuffer(row.embedding, "<f2") for row in shard().to_pandas().itertuples()}
    np.testing.assert_allclose(np.stack(list(made.values())), [[0.6, 0.8], [0.5, 0.5]], atol=1e-3)
    assert list(made) == ["one", "two"]
    assert embed_clips(VIDEO_CLIPS, {}, Folder("nowhere", {}), of, LabelParams()) == {}


def test_a_visual_card_without_an_embedding_cannot_be_asked_for_it(tmp_path: Path) -> None:
    write_brightness_teacher(tmp_path)
    with pytest.raises(UserError, match=r"visual_label\.embeddings is true.*visual teacher's card.*output\.embedding"):
        embed_clips(VIDEO_CLIPS, {}, folder_of(tmp_path), brightness_card(), SEES)


def test_none_are_made_unless_they_are_asked_for(tmp_path: Path, card: AudioTeacherCard) -> None:
    assert embed_clips(CLIPS, {}, folder_of(tmp_path), card, AudioLabelParams()) == {}


def test_a_card_without_an_embedding_cannot_be_asked_for_it(tmp_path: Path, card: AudioTeacherCard) -> None:
    with pytest.raises(ValueError, match=r"names no output\.embedding: name the tensor .* or set audio_label\.embedd"):
        embed_clips(CLIPS, {}, folder_of(tmp_path), pitch_card(), ASKS)


def test_what_the_classes_are_called_and_how_many_go_together_make_no_other_embeddings(card: AudioTeacherCard) -> None:
    def fingerprint_of(card: AudioTeacherCard, **changes: Any) -> str:
        return EmbeddingTask(card, ASKS.model_copy(update=changes)).fingerprint

    same = [
        fingerprint_of(card.model_copy(update={"ignore": ("band 01",)})),
        fingerprint_of(card, batch_size=5, top_k=1),
    ]
    assert set(same) == {fingerprint_of(card)}
    assert fingerprint_of(pitch_card(output__embedding="scores", input__hop_frames=24)) != fingerprint_of(card)
