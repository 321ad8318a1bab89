"""Training on what a teacher said of views of the clips."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.fakes import MemoryShard, folder_of, shard_of
from tests.teachers.fixtures import pitch_card, write_pitch_teacher
from tests.tones import VOCABULARY, tone_embeddings, tone_params, tone_shards
from tests.training.test_loop import DiesAfter, KilledError
from xmodal_kedro.data.teacher_views import Views
from xmodal_kedro.datasets.checkpoints import CheckpointFolder
from xmodal_kedro.errors import UserError
from xmodal_kedro.features.augment import Augmentation, mixup
from xmodal_kedro.models.card import digest
from xmodal_kedro.params import AudioLabelParams, TrainParams
from xmodal_kedro.teachers.live import LiveTeacher
from xmodal_kedro.teachers.opening import teacher_files
from xmodal_kedro.teachers.views import score_views
from xmodal_kedro.training.augmented import drawn_for
from xmodal_kedro.training.fit import Fitted, fit
from xmodal_kedro.training.learner import Learner
from xmodal_kedro.training.training_data import TrainingData, prepare_training_data

CLIPS, LABELS = tone_shards(duration_s=2.0)
CARD = pitch_card(output__embedding="scores")
TOP_K = 6
LEARNT: dict[str, Any] = {"views_weight": 0.5, "embedding_weight": 0.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("teacher")
    write_pitch_teacher(made)
    return made


@cache
def stored(folder: Path, embeddings: bool = True) -> dict[str, MemoryShard]:
    views = {"count": 3, "clip_s": 0.975, "gain_db": 6.0, "top_k": TOP_K, "seed": 5}
    params = AudioLabelParams.model_validate({"device": "cpu", "embeddings": embeddings, "views": views})
    return {key: shard_of(job) for key, job in score_views(CLIPS, folder_of(folder), CARD, params).items()}


def data_of(folder: Path, params: TrainParams) -> TrainingData:
    return prepare_training_data(CLIPS, LABELS, VOCABULARY, params, views=stored(folder))


def train(folder: Path, params: TrainParams, checkpoints: CheckpointFolder) -> Fitted:
    return fit(data_of(folder, params), params, checkpoints)


@pytest.mark.parametrize("epoch", [0, 3])
def test_the_targets_that_training_reads_are_the_teachers_scores_of_the_samples_that_the_network_hears(
    folder: Path, epoch: int
) -> None:
    files = teacher_files(CARD, folder_of(folder))
    teacher = LiveTeacher(CARD, files, "cpu", 1, 64, 1)
    batches = list(data_of(folder, tone_params(**LEARNT)).train.batches(epoch))
    assert sum(len(batch.clip_ids) for batch in batches) > 20
    for batch in batches:
        assert batch.scores is not None and not batch.is_heard
        scores_BC, embedding_BE = teacher.listen(batch.audio.numpy())
        lowest_B1 = np.sort(scores_BC, axis=1)[:, -TOP_K][:, None]
        wanted_BC = np.where(scores_BC >= lowest_B1, scores_BC, 0)
        np.testing.assert_allclose(batch.scores.numpy(), wanted_BC, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(batch.embeddings["audio"].values_BE.numpy(), embedding_BE, rtol=2e-3, atol=2e-3)
        assert (batch.embeddings["audio"].shares_B1 == 1).all()


def test_epochs_draw_other_views_and_all_of_them(folder: Path) -> None:
    clips = data_of(folder, tone_params(**LEARNT)).train
    heard: dict[str, set[bytes]] = {}
    for epoch in range(12):
        for batch in clips.batches(epoch):
            for clip_id, sound in zip(batch.clip_ids, batch.audio, strict=True):
                heard.setdefault(clip_id, set()).add(sound.numpy().tobytes())
    assert {len(sounds) for sounds in heard.values()} <= {2, 3}
    assert max(map(len, heard.values())) == 3


def test_an_epoch_taken_up_at_a_step_goes_on_with_the_same_views(folder: Path) -> None:
    clips = data_of(folder, tone_params(**LEARNT)).train
    for ours, theirs in zip(clips.batches(2, 2), list(clips.batches(2))[2:], strict=True):
        assert ours.clip_ids == theirs.clip_ids and torch.equal(ours.audio, theirs.audio)
        assert ours.scores is not None and theirs.scores is not None and torch.equal(ours.scores, theirs.scores)


def test_clips_that_are_mixed_have_their_scores_mixed_alike(folder: Path) -> None:
    params = tone_params(mixup_alpha=0.5, **LEARNT)
    data = data_of(folder, params)
    learner = Learner.for_pretraining(params, 3, data.heads(params), 4, torch.device("cpu"))
    batch = next(data.train.batches())
    (part,) = learner._parts(learner.prepare(batch, 0))
    assert batch.scores is not None and part.scores_BS is not None
    draws = drawn_for(batch, Augmentation.of(params), (params.seed, 0))
    assert torch.equal(part.scores_BS, mixup(batch.scores, draws))


def test_validation_hears_the_middle_of_each_clip_and_no_view(folder: Path) -> None:
    plain = prepare_training_data(CLIPS, LABELS, VOCABULARY, tone_params())
    batches = data_of(folder, tone_params(**LEARNT)).validation.batches()
    for ours, theirs in zip(batches, plain.validation.batches(), strict=True):
        assert torch.equal(ours.audio, theirs.audio) and ours.scores is None and ours.embeddings == {}


@pytest.mark.parametrize("step", [2, 6])
def test_a_training_killed_at_a_step_goes_on_to_the_bits_of_an_unbroken_one(
    folder: Path, tmp_path: Path, step: int
) -> None:
    params = tone_params(mixup_alpha=0.3, checkpoint_steps=2, **LEARNT)
    whole = train(folder, params, CheckpointFolder(str(tmp_path / "whole")))
    with pytest.raises(KilledError):
        train(folder, params, DiesAfter(tmp_path / "broken", step))
    resumed = train(folder, params, CheckpointFolder(str(tmp_path / "broken")))
    assert digest(resumed.model.state_dict()) == digest(whole.model.state_dict())


def test_scores_are_learnt_and_their_head_left_behind(folder: Path, tmp_path: Path) -> None:
    params = tone_params(views_weight=1.0, epochs=4)
    data = data_of(folder, params)
    assert data.heads(params).teacher_scores == 64 and data.heads(params).audio_embedding == 0
    fitted = fit(data, params, CheckpointFolder(str(tmp_path)))
    assert fitted.history[-1]["train_loss"] < fitted.history[0]["train_loss"]
    assert not [name for name in fitted.model.state_dict() if "head" in name]


def test_without_a_weight_a_training_is_what_it_is_without_views(folder: Path) -> None:
    params = tone_params(embedding_weight=0.5)
    beside = {"audio": tone_embeddings()}
    plain = prepare_training_data(CLIPS, LABELS, VOCABULARY, params, beside)  # type: ignore[arg-type]
    with_views = prepare_training_data(CLIPS, LABELS, VOCABULARY, params, beside, views=stored(folder))  # type: ignore[arg-type]
    assert plain.fingerprint == with_views.fingerprint and "views_weight" not in params.identity()
    for ours, theirs in zip(with_views.train.batches(1), plain.train.batches(1), strict=True):
        assert torch.equal(ours.audio, theirs.audio) and ours.scores is None


def test_what_is_learnt_from_counts(folder: Path) -> None:
    params = tone_params(views_weight=0.5)
    other = prepare_training_data(CLIPS, LABELS, VOCABULARY, params, views=stored(folder, embeddings=False))
    assert data_of(folder, params).fingerprint != other.fingerprint


def test_views_that_are_not_there_or_do_not_fit_are_refused(folder: Path) -> None:
    def prepare(params: TrainParams, views: dict[str, MemoryShard]) -> TrainingData:
        return prepare_training_data(CLIPS, LABELS, VOCABULARY, params, views=views)

    with pytest.raises(UserError, match=r"train\.views_weight.*teacher_views has no shard shard-00000"):
        prepare(tone_params(views_weight=0.5), {})
    with pytest.raises(UserError, match=r"train\.clip_s is 1\.5.*audio_label\.views\.clip_s"):
        prepare(tone_params(views_weight=0.5, clip_s=1.5), stored(folder))
    with pytest.raises(UserError, match=r"teacher_views holds no embeddings.*audio_label\.embeddings"):
        prepare(tone_params(**LEARNT), stored(folder, embeddings=False))


def test_a_shard_that_lacks_a_clip_or_was_made_otherwise_is_named(folder: Path) -> None:
    table = stored(folder)["shard-00001"]()
    lacking = MemoryShard(table.slice(3))
    with pytest.raises(UserError, match=r"teacher_views of shard-00001 has none of clip-16"):
        Views({**stored(folder), "shard-00001": lacking}).read("shard-00001").of(CLIPS["shard-00001"]()["clip_id"])
    stated = json.loads(stored(folder)["shard-00001"].metadata["views"]) | {"seed": 99}
    other = MemoryShard(table.replace_schema_metadata({"views": json.dumps(stated)}))
    with pytest.raises(UserError, match=r"teacher_views of shard-00001 were made otherwise"):
        Views({**stored(folder), "shard-00001": other}).read("shard-00001")


@pytest.mark.parametrize(
    "change", [{"gain_db": 3.0}, {"noise_db": -10.0}, {"speed_octaves": 0.5}, {"live_teacher": {"enabled": True}}]
)
def test_what_would_have_the_network_hear_something_else_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"train\.views_weight"):
        tone_params(views_weight=0.5, **change)
