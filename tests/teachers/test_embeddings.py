from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes import folder_of, shard_of
from tests.teachers.fixtures import clips_shard, pitch_card, tone, write_pitch_teacher
from xmodal_kedro.params import AudioLabelParams, AudioTeacherCard
from xmodal_kedro.schemas import TeacherEmbeddings
from xmodal_kedro.teachers.embeddings import Listening, embed_clips
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
    shard = shard_of(embed_clips(CLIPS, folder_of(folder), card, asks)["shard"])
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


def test_none_are_made_unless_they_are_asked_for(tmp_path: Path, card: AudioTeacherCard) -> None:
    assert embed_clips(CLIPS, folder_of(tmp_path), card, AudioLabelParams()) == {}


def test_a_card_without_an_embedding_cannot_be_asked_for_it(tmp_path: Path, card: AudioTeacherCard) -> None:
    with pytest.raises(ValueError, match=r"names no output\.embedding: name the tensor .* or set audio_label\.embedd"):
        embed_clips(CLIPS, folder_of(tmp_path), pitch_card(), ASKS)


def test_what_the_classes_are_called_and_how_many_go_together_make_no_other_embeddings(card: AudioTeacherCard) -> None:
    def fingerprint_of(card: AudioTeacherCard, **changes: Any) -> str:
        return Listening(card, ASKS.model_copy(update=changes)).fingerprint

    same = [
        fingerprint_of(card.model_copy(update={"ignore": ("band 01",)})),
        fingerprint_of(card, batch_size=5, top_k=1),
    ]
    assert set(same) == {fingerprint_of(card)}
    assert fingerprint_of(pitch_card(output__embedding="scores", input__hop_frames=24)) != fingerprint_of(card)
