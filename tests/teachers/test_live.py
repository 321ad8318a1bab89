from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.fakes import folder_of, shard_of
from tests.teachers.fixtures import clips_shard, hearing_card, pitch_card, tone, write_ast, write_pitch_teacher
from tests.tones import tone_params
from xmodal_kedro.errors import UserError
from xmodal_kedro.params import AudioLabelParams, AudioTeacherCard, TrainParams
from xmodal_kedro.teachers.embeddings import embed_clips
from xmodal_kedro.teachers.live import ROWS_AT_A_TIME, LiveTeacher, live_teacher
from xmodal_kedro.teachers.onnx_backend import OnnxTeacher
from xmodal_kedro.teachers.opening import open_teacher, teacher_files

SOUNDS = [tone(hz) for hz in (300, 2_000, 5_000)]
AUDIO = np.stack([np.frombuffer(sound, np.int16) for sound in SOUNDS])


def params(**changes: Any) -> TrainParams:
    return tone_params(live_teacher={"enabled": True}, **changes)


@pytest.fixture
def card(tmp_path: Path) -> AudioTeacherCard:
    write_pitch_teacher(tmp_path)
    return pitch_card(output__embedding="scores")


def opened(folder: Path, card: AudioTeacherCard, **changes: Any) -> LiveTeacher:
    teacher = live_teacher(card, folder_of(folder), params(**changes))
    assert teacher is not None
    return teacher


def test_it_says_of_a_stored_clip_what_is_stored_of_it(tmp_path: Path, card: AudioTeacherCard) -> None:
    teacher = opened(tmp_path, card, embedding_weight=1.0)
    scores, embeddings = teacher.listen(AUDIO)
    assert scores.shape == (3, teacher.classes) == (3, 64) and embeddings.shape == (3, teacher.embedding_size)
    clips = {"shard": clips_shard([{"audio": sound} for sound in SOUNDS])}
    jobs = embed_clips(clips, {}, folder_of(tmp_path), card, AudioLabelParams(embeddings=True, device="cpu"))
    stored = shard_of(jobs["shard"])()["embedding"].to_pylist()
    np.testing.assert_allclose(embeddings, np.stack([np.frombuffer(of, "<f2") for of in stored]), rtol=2e-3)
    plain = open_teacher(card, teacher_files(card, folder_of(tmp_path)), "cpu")
    for of_clip, audio in zip(scores, AUDIO, strict=True):
        np.testing.assert_allclose(of_clip, plain.scores(plain.rows(audio)).mean(0), rtol=1e-5)


def test_sounds_of_a_batch_do_not_depend_on_each_other(tmp_path: Path, card: AudioTeacherCard) -> None:
    teacher = opened(tmp_path, card, embedding_weight=1.0)
    together = teacher.listen(AUDIO)
    for at in range(3):
        for whole, alone in zip(together, teacher.listen(AUDIO[at : at + 1]), strict=True):
            np.testing.assert_allclose(whole[at], alone[0], rtol=2e-3)


@pytest.mark.parametrize("embedding_weight", [0.0, 1.0])
def test_a_large_batch_is_scored_in_parts(
    tmp_path: Path, card: AudioTeacherCard, monkeypatch: pytest.MonkeyPatch, embedding_weight: float
) -> None:
    teacher = opened(tmp_path, card, embedding_weight=embedding_weight)
    sizes: list[int] = []
    run = OnnxTeacher._run
    monkeypatch.setattr(
        OnnxTeacher,
        "_run",
        lambda self, session, rows, names: sizes.append(len(rows)) or run(self, session, rows, names),
    )
    scores, embeddings = teacher.listen(np.tile(AUDIO, (20, 1)))
    assert len(sizes) > 1 and max(sizes) <= ROWS_AT_A_TIME
    for many, few in zip((scores, embeddings), teacher.listen(AUDIO), strict=True):
        np.testing.assert_allclose(many, np.tile(few, (20, 1)), rtol=2e-3)


def test_without_a_weight_of_the_embedding_there_is_none(tmp_path: Path, card: AudioTeacherCard) -> None:
    teacher = opened(tmp_path, card)
    assert teacher.embedding_size == 0 and teacher.listen(AUDIO)[1].shape == (3, 0)


def test_a_teacher_of_another_library_is_heard_too(tmp_path: Path) -> None:
    write_ast(tmp_path / "ast")
    scores, _ = opened(tmp_path, hearing_card()).listen(AUDIO[:1])
    assert scores.shape == (1, 3) and 0 <= scores.min() <= scores.max() <= 1


def test_another_process_is_given_it_by_pickle(tmp_path: Path, card: AudioTeacherCard) -> None:
    teacher = opened(tmp_path, card)
    copied = pickle.loads(pickle.dumps(teacher))
    assert copied.fingerprint == teacher.fingerprint
    np.testing.assert_array_equal(copied.listen(AUDIO)[0], teacher.listen(AUDIO)[0])


def test_its_fingerprint_follows_its_files_and_how_it_is_fed(tmp_path: Path, card: AudioTeacherCard) -> None:
    before = opened(tmp_path, card).fingerprint
    assert opened(tmp_path, card.model_copy(update={"ignore": ("band 01",)})).fingerprint == before
    assert opened(tmp_path, pitch_card(output__embedding="scores", input__hop_frames=24)).fingerprint != before


def test_it_is_opened_where_it_is_enabled_alone(tmp_path: Path) -> None:
    assert live_teacher(pitch_card(), folder_of(tmp_path), tone_params()) is None
    with pytest.raises(FileNotFoundError, match=r"pitch\.onnx"):
        live_teacher(pitch_card(), folder_of(tmp_path), params())


def test_an_embedding_that_the_card_does_not_name_cannot_be_learnt(tmp_path: Path, card: AudioTeacherCard) -> None:
    with pytest.raises(UserError, match=r"output\.embedding.*train\.embedding_weight"):
        live_teacher(pitch_card(), folder_of(tmp_path), params(embedding_weight=1.0))


def test_a_contrastive_teacher_is_refused(tmp_path: Path) -> None:
    contrastive = AudioTeacherCard.model_validate(
        {"backend": "contrastive", "weights": "clap", "classes": {"Dog": ["the sound of a dog"]}}
    )
    with pytest.raises(UserError, match=r"contrastive.*train\.live_teacher\.enabled"):
        live_teacher(contrastive, folder_of(tmp_path), params())


def write_level_teacher(folder: Path, factor: float) -> AudioTeacherCard:
    """The pitch teacher, with its logits times a factor as its embedding."""
    write_pitch_teacher(folder)
    model = onnx.load(folder / "pitch.onnx")
    model.graph.node.append(helper.make_node("Mul", ["scores", "factor"], ["levels"]))
    model.graph.initializer.append(helper.make_tensor("factor", TensorProto.FLOAT, [], [factor]))
    model.graph.output.append(helper.make_tensor_value_info("levels", TensorProto.FLOAT, ["N", 64]))
    onnx.save(model, folder / "pitch.onnx")
    return pitch_card(output__embedding="levels")


@pytest.mark.parametrize("factor", [1e6, float("nan")])
def test_an_embedding_that_half_precision_does_not_hold_is_refused_by_the_cards_field(
    tmp_path: Path, factor: float
) -> None:
    card = write_level_teacher(tmp_path, factor)
    with pytest.raises(UserError, match=r"pitch\.onnx.*65504.*output\.embedding"):
        opened(tmp_path, card, embedding_weight=1.0)
    clips = {"shard": clips_shard([{"audio": SOUNDS[0]}])}
    jobs = embed_clips(clips, {}, folder_of(tmp_path), card, AudioLabelParams(embeddings=True, device="cpu"))
    with pytest.raises(UserError, match=r"pitch\.onnx.*65504.*output\.embedding"):
        list(jobs["shard"]())
