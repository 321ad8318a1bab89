from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes import folder_of, shard_of
from tests.teachers.fixtures import clips_shard, pitch_card, tone, write_pitch_teacher
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.errors import UserError
from xmodal_kedro.features.views import cut, view_of
from xmodal_kedro.params import AudioLabelParams, AudioTeacherCard
from xmodal_kedro.schemas import TeacherViews
from xmodal_kedro.teachers.opening import open_teacher, teacher_files
from xmodal_kedro.teachers.views import score_views

SOUNDS = {f"clip {number}": tone(hz, 2.0) for number, hz in enumerate([300, 2_000, 5_000, 700])} | {
    "short": tone(900, 0.5)
}
CLIPS = {
    "shard": clips_shard([{"clip_id": name, "audio": sound} for name, sound in SOUNDS.items()]),
    "empty": clips_shard([]),
}


def asks(count: int = 3, **changes: Any) -> AudioLabelParams:
    views = {"count": count, "clip_s": 1.0, "gain_db": 6.0, "top_k": 5, "seed": 7}
    of_label = {name: changes.pop(name) for name in ("embeddings", "inference_threads") if name in changes}
    return AudioLabelParams.model_validate({"device": "cpu", "views": views | changes, **of_label})


def card() -> AudioTeacherCard:
    return pitch_card(output__embedding="scores")


def test_the_scores_of_a_view_are_those_of_its_samples(tmp_path: Path) -> None:
    write_pitch_teacher(tmp_path)
    jobs = score_views(CLIPS, folder_of(tmp_path), card(), asks(embeddings=True))
    table = TeacherViews.validate(shard_of(jobs["shard"])().to_pandas())
    assert list(zip(table["clip_id"], table["view"], strict=True)) == [
        (name, number) for name in SOUNDS for number in range(3)
    ]
    teacher = open_teacher(card(), teacher_files(card(), folder_of(tmp_path)), "cpu")
    for row in table.itertuples():
        audio = np.frombuffer(SOUNDS[row.clip_id], "<i2")
        view = view_of(row.clip_id, row.view, 7, max(0, len(audio) - 16_000), 6.0)
        embedding, scores = teacher.embed(teacher.rows(cut(audio, 16_000, view)))  # type: ignore[attr-defined]
        mean = scores.mean(0)
        assert len(row.classes) == 5
        np.testing.assert_allclose(row.scores, np.sort(mean)[::-1][:5], rtol=1e-5)
        np.testing.assert_allclose(mean[row.classes], row.scores, rtol=1e-5)
        wanted = np.concatenate([embedding.mean(0), embedding.max(0)])
        np.testing.assert_allclose(np.frombuffer(row.embedding, "<f2"), wanted, rtol=2e-3)


def test_a_shard_states_how_its_views_were_made(tmp_path: Path) -> None:
    write_pitch_teacher(tmp_path)
    jobs = score_views(CLIPS, folder_of(tmp_path), card(), asks())
    stated = {"count": 3, "clip_s": 1.0, "gain_db": 6.0, "seed": 7}
    made = {name: shard_of(job) for name, job in jobs.items()}
    assert json.loads(made["shard"].metadata["views"]) == stated | {"classes": 64, "embedding_size": 0}
    assert json.loads(made["empty"].metadata["views"]) == stated | {"classes": 0, "embedding_size": 0}
    assert made["empty"]().num_rows == 0
    assert set(made["shard"]()["embedding"].to_pylist()) == {b""}


def test_a_teacher_of_fewer_classes_gives_all_of_them(tmp_path: Path) -> None:
    write_pitch_teacher(tmp_path)
    shard = shard_of(score_views(CLIPS, folder_of(tmp_path), card(), asks(1, top_k=1_000))["shard"])
    assert {len(scores) for scores in shard()["scores"].to_pylist()} == {64}


def test_none_are_made_unless_they_are_asked_for(tmp_path: Path) -> None:
    assert score_views(CLIPS, folder_of(tmp_path), card(), AudioLabelParams()) == {}


def test_views_are_other_shards_for_what_they_depend_on_and_not_for_the_pace(tmp_path: Path) -> None:
    write_pitch_teacher(tmp_path)

    def made_by(params: AudioLabelParams) -> str:
        return fingerprint(score_views(CLIPS, folder_of(tmp_path), card(), params)["shard"], {})

    same = made_by(asks())
    assert made_by(asks(inference_threads=2)) == same
    others = [asks(2), asks(seed=8), asks(gain_db=0.0), asks(top_k=4), asks(clip_s=1.5), asks(embeddings=True)]
    assert len({same, *map(made_by, others)}) == 1 + len(others)


def test_a_contrastive_teacher_is_refused() -> None:
    of = AudioTeacherCard.model_validate(
        {"backend": "contrastive", "weights": "clap", "classes": {"dog": "a dog", "cat": "a cat"}}
    )
    with pytest.raises(UserError, match=r"audio_label\.views\.count.*contrastive"):
        score_views(CLIPS, folder_of(Path("nowhere")), of, asks())


def test_an_embedding_that_the_card_does_not_name_cannot_be_kept(tmp_path: Path) -> None:
    write_pitch_teacher(tmp_path)
    with pytest.raises(UserError, match=r"audio_label\.embeddings.*output\.embedding"):
        score_views(CLIPS, folder_of(tmp_path), pitch_card(), asks(embeddings=True))
