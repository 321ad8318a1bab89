"""The visual teacher's embedding as a target of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.tones import VOCABULARY, frame_embeddings, has_frames, tone_embeddings, tone_params, tone_shards
from tests.training.test_live_teaching import ToneTeacher
from tests.training.test_loop import DiesAfter, KilledError
from xmodal_kedro.data.batch import Batch
from xmodal_kedro.data.teacher_embeddings import EmbeddingTargets
from xmodal_kedro.datasets.checkpoints import CheckpointFolder
from xmodal_kedro.features.augment import Draws
from xmodal_kedro.models.card import digest
from xmodal_kedro.params import TrainParams
from xmodal_kedro.training.augmented import drawn_for, mixed
from xmodal_kedro.training.fit import Fitted, fit, train_network
from xmodal_kedro.training.learner import Learner
from xmodal_kedro.training.live_teaching import heard
from xmodal_kedro.training.training_data import TrainingData, prepare_training_data

CLIPS, LABELS = tone_shards()
STORED = {"audio": tone_embeddings(), "visual": frame_embeddings()}
LEARNT = {"visual_embedding_weight": 0.7, "embedding_weight": 0.5}
CPU = torch.device("cpu")


def data_of(params: TrainParams, **options: Any) -> TrainingData:
    return prepare_training_data(CLIPS, LABELS, VOCABULARY, params, STORED, **options)


def learner_of(params: TrainParams) -> Learner:
    return Learner.for_pretraining(params, 3, data_of(params).heads(params), 4, CPU)


def train(params: TrainParams, checkpoints: CheckpointFolder) -> Fitted:
    return fit(data_of(params), params, checkpoints)


def gradients(params: TrainParams, batch: Batch, shares_B1: Tensor | None = None) -> dict[str, Tensor]:
    """Of the loss of one step, by weight, where each clip has the share of a visual embedding that is given."""
    learner = learner_of(params)
    if shares_B1 is not None:
        visual = batch.embeddings["visual"]._replace(shares_B1=shares_B1)
        batch = replace(batch, embeddings={**batch.embeddings, "visual": visual})
    learner.step(learner.prepare(batch, 0), 0, 0.0)
    return {name: weight.grad for name, weight in learner.model.named_parameters() if weight.grad is not None}


def first_batch(params: TrainParams) -> Batch:
    return next(data_of(params).train.batches())


def test_a_batch_without_frames_gives_the_visual_head_no_gradient_and_all_others_what_labels_give() -> None:
    params = tone_params(gradient_clip=None, **LEARNT)
    batch = first_batch(params)
    none = gradients(params, batch, torch.zeros(len(batch.clip_ids), 1))
    assert not none["visual_head.weight"].any() and not none["visual_head.bias"].any()
    without = tone_params(gradient_clip=None, embedding_weight=0.5)
    for name, gradient in gradients(without, first_batch(without)).items():
        torch.testing.assert_close(none[name], gradient)
    assert gradients(params, batch)["visual_head.weight"].any()


def test_what_stands_in_the_place_of_a_missing_embedding_changes_nothing() -> None:
    params = tone_params(**LEARNT)
    batch = first_batch(params)
    values_BE, shares_B1 = batch.embeddings["visual"]
    spoilt_BE = torch.where(shares_B1 > 0, values_BE, 1_000).half()
    spoilt = replace(batch, embeddings={**batch.embeddings, "visual": EmbeddingTargets(spoilt_BE, shares_B1)})
    for name, gradient in gradients(params, batch).items():
        assert torch.equal(gradients(params, spoilt)[name], gradient), name


def test_the_order_of_the_clips_changes_no_gradient_of_a_head() -> None:
    params = tone_params(gradient_clip=None, **LEARNT)
    batch = first_batch(params)
    turned = replace(
        batch,
        audio=batch.audio.flip(0),
        targets=batch.targets.flip(0),
        clip_ids=batch.clip_ids[::-1],
        embeddings={
            name: EmbeddingTargets(*(of.flip(0) for of in targets)) for name, targets in batch.embeddings.items()
        },
    )
    in_order = gradients(params, batch)
    for name, gradient in gradients(params, turned).items():
        # Below the heads, rounding may change which of two equal numbers a maximum is taken from.
        if "head" in name or "classify" in name:
            assert float((gradient - in_order[name]).norm()) <= 1e-4 * float(in_order[name].norm()), name


def test_the_loss_is_the_squared_error_of_standardised_numbers_over_the_clips_with_frames() -> None:
    params = tone_params(visual_embedding_weight=0.7)
    batch = first_batch(params)
    learner = learner_of(params)
    prepared = learner.prepare(batch, 0)
    (part,) = learner._parts(prepared)
    values_BE, shares_B1 = part.embeddings["visual"]
    loss = float(learner._summed_loss(part).detach())
    with torch.no_grad():
        output = learner.model(part.log_mel_BFM)
    statistics = data_of(params).heads(params).visual_embedding
    assert statistics is not None
    wanted_BE = (values_BE - torch.from_numpy(statistics.mean_E)) / torch.from_numpy(statistics.std_E)
    by_clip_B = (output.embeddings["visual"] - wanted_BE).square().mean(1)
    with_frames_B = torch.tensor([has_frames(clip_id) for clip_id in batch.clip_ids])
    assert torch.equal(with_frames_B, shares_B1[:, 0] > 0) and 0 < with_frames_B.sum() < len(with_frames_B)
    labels = float(learner._loss(output.logits_BC, part.targets_BC))
    assert loss == pytest.approx(labels + 0.7 * float(by_clip_B[with_frames_B].sum()), rel=1e-4)


def draws_of(shares: list[float], partners: list[int]) -> Draws:
    nothing = torch.zeros(len(shares), 0, 2, dtype=torch.int64)
    level_B1 = torch.ones(len(shares), 1)
    share_B1 = torch.tensor(shares)[:, None]
    return Draws(share_B1, torch.tensor(partners), nothing, nothing, level_B1, level_B1, level_B1.long(), level_B1)


def test_of_two_mixed_clips_those_that_have_an_embedding_give_the_target_by_their_share() -> None:
    values_BE = torch.tensor([[1.0, 2.0], [5.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    shares_B1 = torch.tensor([[1.0], [1.0], [0.0], [0.0]])
    draws = draws_of([0.75, 0.25, 0.6, 0.9], [1, 2, 0, 3])
    mixed_BE, mixed_B1 = mixed(EmbeddingTargets(values_BE, shares_B1), draws)
    torch.testing.assert_close(mixed_B1[:, 0], torch.tensor([1.0, 0.25, 0.4, 0.0]))
    torch.testing.assert_close(mixed_BE, torch.tensor([[2.0, 1.5], [5.0, 0.0], [1.0, 2.0], [0.0, 0.0]]))


def test_with_a_teacher_in_the_loop_the_visual_target_is_mixed_as_the_sound_is() -> None:
    params = tone_params(mixup_alpha=0.5, live_teacher={"enabled": True}, **LEARNT)
    data = data_of(params, teacher=ToneTeacher())
    plain = list(data.train.batches(1, 0))
    taught = list(heard(data.train.batches(1, 0), ToneTeacher(), params, 4))
    learner = learner_of(params)
    for step, (batch, read) in enumerate(zip(taught, plain, strict=True), start=4):
        targets = read.embeddings["visual"]
        wanted = mixed(
            targets._replace(values_BE=targets.values_BE.float()),
            drawn_for(read, learner.augmentation, (params.seed, step)),
        )
        assert all(map(torch.equal, batch.embeddings["visual"], wanted))
        assert batch.embeddings["audio"].values_BE.shape[1] == ToneTeacher.embedding_size


def test_it_is_learnt_and_its_head_left_behind(tmp_path: Path) -> None:
    params = tone_params(epochs=4, visual_embedding_weight=1.0)
    errors = []
    for epochs in (1, 4):
        shorter = params.model_copy(update={"epochs": epochs})
        data = data_of(shorter)
        network = train_network(data, shorter, CheckpointFolder(str(tmp_path / str(epochs))))
        errors.append(network.history[-1]["train_loss"])
    assert errors[1] < errors[0]
    assert not [name for name in network.weights if "visual" in name or "standardise" in name]
    assert json.loads(json.dumps(network.card))["training"]["visual_embedding_weight"] == 1.0


@pytest.mark.parametrize("step", [2, 6])
def test_a_training_killed_at_a_step_goes_on_to_the_bits_of_an_unbroken_one(tmp_path: Path, step: int) -> None:
    params = tone_params(mixup_alpha=0.3, checkpoint_steps=2, **LEARNT)
    whole = train(params, CheckpointFolder(str(tmp_path / "whole")))
    with pytest.raises(KilledError):
        train(params, DiesAfter(tmp_path / "broken", step))
    resumed = train(params, CheckpointFolder(str(tmp_path / "broken")))
    assert digest(resumed.model.state_dict()) == digest(whole.model.state_dict())
    assert resumed.history == whole.history


def test_without_a_weight_a_training_is_to_the_bit_what_it_is_without_visual_embeddings(tmp_path: Path) -> None:
    params = tone_params(embedding_weight=0.5)
    without = prepare_training_data(CLIPS, LABELS, VOCABULARY, params, {"audio": tone_embeddings()})
    plain = fit(without, params, CheckpointFolder(str(tmp_path / "plain")))
    beside = train(params, CheckpointFolder(str(tmp_path / "beside")))
    assert digest(plain.model.state_dict()) == digest(beside.model.state_dict())
    assert without.fingerprint == data_of(params).fingerprint
    assert "visual_embedding_weight" not in params.identity()


def test_several_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    params = tone_params(epochs=1, mixup_alpha=0.3, batch_size=16, **LEARNT)
    one = train(params, CheckpointFolder(str(tmp_path / "one")))
    two = train(params.model_copy(update={"devices": 2}), CheckpointFolder(str(tmp_path / "two")))
    for row, other in zip(one.history, two.history, strict=True):
        assert row["train_loss"] == pytest.approx(other["train_loss"], rel=1e-3)
