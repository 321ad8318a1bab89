from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.tones import TONES_HZ, VOCABULARY, clip_ids, tone_params, tone_shards
from tests.training.recorded import recorded_losses
from xmodal_kedro.data.batch import Batch
from xmodal_kedro.data.loader import SOLE_READER, Reader
from xmodal_kedro.datasets.checkpoints import CheckpointFolder
from xmodal_kedro.errors import UserError
from xmodal_kedro.features.augment import Augmentation, mixup
from xmodal_kedro.features.speed import change_speed
from xmodal_kedro.params import TrainParams
from xmodal_kedro.pcm import INT16_FULL_SCALE
from xmodal_kedro.training.augmented import drawn_for, softened
from xmodal_kedro.training.checkpoint import plain_weights
from xmodal_kedro.training.fit import Fitted, fit
from xmodal_kedro.training.learner import Learner
from xmodal_kedro.training.live_teaching import heard
from xmodal_kedro.training.training_data import TrainingData, prepare_training_data

CLIPS, LABELS = tone_shards()
RANDOM: dict[str, Any] = {
    "mixup_alpha": 0.5,
    "gain_db": 6.0,
    "noise_db": 0.0,
    "speed_octaves": 0.5,
    "spec_augment": {"time_masks": 1, "time_frames": 20, "band_masks": 1, "bands": 8},
}


@dataclass
class ToneTeacher:
    """Scores three tones by their share of the energy; its embedding is their levels. It keeps what it hears."""

    fingerprint: str = "a teacher"
    classes: int = 3
    embedding_size: int = 3
    sounds: list[np.ndarray] = field(default_factory=list)

    def listen(self, audio_BT: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.sounds.append(audio_BT.copy())
        spectrum_BF = np.abs(np.fft.rfft(audio_BT.astype(np.float32), axis=1))
        at = [round(hz * audio_BT.shape[1] / 16_000) for hz in TONES_HZ.values()]
        level_B3 = np.stack([spectrum_BF[:, place - 1 : place + 2].max(1) for place in at], 1) + 1e-3
        return (level_B3 / level_B3.sum(1, keepdims=True)).astype(np.float32), np.log(level_B3).astype(np.float16)


def live_params(**changes: Any) -> TrainParams:
    return tone_params(live_teacher={"enabled": True, **changes.pop("live", {})}, **changes)


def data_of(params: TrainParams, teacher: ToneTeacher | None = None) -> TrainingData:
    return prepare_training_data(CLIPS, LABELS, VOCABULARY, params, teacher=teacher or ToneTeacher())


def epoch_of(params: TrainParams, teacher: ToneTeacher, reader: Reader = SOLE_READER) -> list[Batch]:
    batches = data_of(params, teacher).train.batches(1, 0, reader)
    with closing(heard(batches, teacher, params, 4)) as made:
        return list(made)


def train(params: TrainParams, folder: Path, teacher: ToneTeacher | None = None) -> Fitted:
    return fit(data_of(params, teacher), params, CheckpointFolder(str(folder)))


def test_the_network_is_given_exactly_what_the_teacher_has_heard() -> None:
    teacher = ToneTeacher()
    for batch, sounds in zip(epoch_of(live_params(**RANDOM), teacher), teacher.sounds, strict=True):
        np.testing.assert_array_equal(batch.audio.numpy(), sounds)
        scores, embeddings = ToneTeacher().listen(sounds)
        assert batch.scores is not None
        np.testing.assert_array_equal(batch.scores.numpy(), scores)
        np.testing.assert_array_equal(batch.embeddings["audio"].values_BE.numpy(), embeddings)


def test_where_nothing_is_random_it_is_the_sound_as_it_is_stored() -> None:
    params = live_params()
    plain = list(data_of(params).train.batches(1, 0))
    for batch, read in zip(epoch_of(params, ToneTeacher()), plain, strict=True):
        assert torch.equal(batch.audio, read.audio) and torch.equal(batch.targets, read.targets)
        assert batch.clip_ids == read.clip_ids


def test_labels_are_mixed_as_the_sound_is() -> None:
    params = live_params(mixup_alpha=0.5)
    plain = list(data_of(params).train.batches(1, 0))
    for step, (batch, read) in enumerate(zip(epoch_of(params, ToneTeacher()), plain, strict=True), start=4):
        draws = drawn_for(read, Augmentation.of(params), (params.seed, step))
        assert torch.equal(batch.targets, mixup(read.targets, draws))
        wanted = mixup(read.audio.float(), draws)
        assert float((batch.audio.float() - wanted).abs().max()) <= 0.51


def test_the_speed_alone_is_changed_before_the_teacher_hears_it() -> None:
    params = live_params(speed_octaves=1.0)
    plain = list(data_of(params).train.batches(1, 0))
    for step, (batch, read) in enumerate(zip(epoch_of(params, ToneTeacher()), plain, strict=True), start=4):
        draws = drawn_for(read, Augmentation.of(params), (params.seed, step))
        wanted = change_speed(read.audio.float() / INT16_FULL_SCALE, draws.speed_B1) * INT16_FULL_SCALE
        assert float((batch.audio.float() - wanted).abs().max()) <= 0.51
        assert not torch.equal(batch.audio, read.audio) and torch.equal(batch.targets, read.targets)


def test_the_speed_is_changed_without_a_teacher_too(monkeypatch: pytest.MonkeyPatch) -> None:
    params = tone_params(speed_octaves=1.0)
    data = prepare_training_data(CLIPS, LABELS, VOCABULARY, params)
    learner = Learner.for_pretraining(params, len(data.classes), data.heads(params), 4, torch.device("cpu"))
    read = next(iter(data.train.batches(0, 0)))
    heard_by_network: list[torch.Tensor] = []
    front_end = learner.log_mel.forward

    def kept(audio_BT: torch.Tensor) -> torch.Tensor:
        heard_by_network.append(audio_BT)
        log_mel_BFM: torch.Tensor = front_end(audio_BT)
        return log_mel_BFM

    monkeypatch.setattr(learner.log_mel, "forward", kept)
    learner.step(learner.prepare(read, 3), 3, 1e-3)
    draws = drawn_for(read, Augmentation.of(params), (params.seed, 3))
    wanted = change_speed(read.audio.float() / INT16_FULL_SCALE, draws.speed_B1)
    torch.testing.assert_close(torch.cat(heard_by_network), wanted, atol=1e-5, rtol=0)


def test_two_processes_hear_the_parts_of_what_one_hears() -> None:
    params = live_params(**RANDOM)
    one = epoch_of(params, ToneTeacher())
    parts = [epoch_of(params, ToneTeacher(), Reader(rank, 2)) for rank in range(2)]
    for whole, *shared in zip(one, *parts, strict=True):
        together = {id_: sound for part in shared for id_, sound in zip(part.clip_ids, part.audio, strict=True)}
        assert sorted(together) == sorted(whole.clip_ids)
        assert all(torch.equal(together[id_], sound) for id_, sound in zip(whole.clip_ids, whole.audio, strict=True))


def test_the_teacher_hears_every_training_clip_once_an_epoch_and_none_for_validation(tmp_path: Path) -> None:
    teacher = ToneTeacher()
    train(live_params(epochs=2), tmp_path, teacher)
    assert sum(map(len, teacher.sounds)) == 2 * len(clip_ids("train", 48))


@pytest.mark.parametrize(("scores", "embedding"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_scores_and_embeddings_are_learnt_and_their_heads_left_behind(
    tmp_path: Path, scores: float, embedding: float
) -> None:
    settings = {"live": {"scores_weight": scores}, "embedding_weight": embedding, "vggish_plus": {"width": 16}}
    fitted = train(live_params(epochs=8, **settings), tmp_path / "live")
    plain = train(tone_params(vggish_plus={"width": 16}), tmp_path / "plain")
    assert plain_weights(fitted.model).keys() == plain_weights(plain.model).keys()
    assert fitted.history[0]["train_loss"] > plain.history[0]["train_loss"]
    assert fitted.history[-1]["train_loss"] < 0.75 * fitted.history[0]["train_loss"]


def test_the_loss_of_scores_is_least_where_the_network_gives_the_same_scores() -> None:
    scores = torch.tensor([[0.9, 0.2], [0.5, 0.01]])
    torch.testing.assert_close(softened(scores, 1.0), scores)
    soft = softened(scores, 2.0)
    torch.testing.assert_close(torch.logit(soft), torch.logit(scores) / 2)
    assert bool(softened(torch.tensor([[0.0, 1.0]]), 4.0).isfinite().all())


class KilledError(Exception):
    pass


class DiesAfter(CheckpointFolder):
    def save(self, step: int, tensors: dict[str, torch.Tensor], state: dict, kept: int) -> None:
        super().save(step, tensors, state, kept)
        if step == 5:
            raise KilledError


def test_a_training_killed_within_an_epoch_goes_on_to_the_bits_of_an_unbroken_one(tmp_path: Path) -> None:
    params = live_params(embedding_weight=0.5, checkpoint_steps=1, report_steps=1, **RANDOM)
    with recorded_losses() as losses:
        unbroken = train(params, tmp_path / "unbroken")
    with pytest.raises(KilledError):
        fit(data_of(params), params, DiesAfter(str(tmp_path / "broken")))
    with recorded_losses() as resumed_losses:
        resumed = train(params, tmp_path / "broken")
    ours, theirs = plain_weights(unbroken.model), plain_weights(resumed.model)
    assert all(torch.equal(weight, theirs[name]) for name, weight in ours.items())
    assert resumed.history == unbroken.history
    assert resumed_losses.items() <= losses.items() and resumed_losses


def test_an_unfinished_training_with_another_teacher_is_refused_by_its_name(tmp_path: Path) -> None:
    params = live_params(checkpoint_steps=1)
    with pytest.raises(KilledError):
        fit(data_of(params), params, DiesAfter(str(tmp_path)))
    with pytest.raises(UserError, match="the audio teacher"):
        train(params, tmp_path, ToneTeacher(fingerprint="another"))


def test_a_training_without_it_is_what_it_was_before_there_was_one() -> None:
    added = {"live_teacher", "gain_db", "noise_db", "speed_octaves"}
    assert added.isdisjoint(tone_params().identity()) and added.isdisjoint(tone_params().described())
    assert {"live_teacher", "device"} <= live_params().described().keys()
    disabled = tone_params(live_teacher={"enabled": False, "threads": 4})
    assert disabled.identity() == tone_params().identity()
    assert live_params().identity() != tone_params().identity()
    assert (
        data_of(live_params()).fingerprint
        != prepare_training_data(CLIPS, LABELS, VOCABULARY, tone_params()).fingerprint
    )


def test_a_teacher_of_whom_nothing_is_learnt_is_refused() -> None:
    with pytest.raises(ValueError, match=r"nothing is learnt from it: set train\.live_teacher\.scores_weight"):
        live_params(live={"scores_weight": 0.0})


def test_fields_of_a_teacher_that_is_not_in_the_loop_change_no_training() -> None:
    disabled = {"enabled": False, "temperature": 2.0, "scores_weight": 0.5}
    assert tone_params(live_teacher=disabled).identity() == tone_params().identity()
    enabled = live_params(live={"temperature": 2.0}).identity()["live_teacher"]
    assert enabled == {"enabled": True, "temperature": 2.0, "scores_weight": 1.0}


@pytest.mark.parametrize(("field", "value"), [("gain_db", 1_000.0), ("live_teacher", {"temperature": 1e-30})])
def test_levels_and_temperatures_that_no_float_holds_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        tone_params(**{field: value})
