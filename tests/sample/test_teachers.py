"""The teachers fit their examples, are not perfect, and train to the same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from xmodal_kedro.params import AudioTeacherCard, SampleParams, VisualTeacherCard
from xmodal_kedro.sample import teachers
from xmodal_kedro.sample.world import AUDIO_CLASSES, SOURCES, UNKNOWN_SOUNDS, VISUAL_CLASSES, unknown_classes
from xmodal_kedro.teachers.preprocess import image_batch
from xmodal_kedro.teachers.sample_backend import SampleTeacher

PARAMETERS = Path(__file__).resolve().parents[2] / "conf" / "sample" / "parameters"


@pytest.fixture
def visual_card() -> VisualTeacherCard:
    return VisualTeacherCard(**yaml.safe_load((PARAMETERS / "visual_teacher.yml").read_text())["visual_teacher"])


@pytest.fixture
def audio_card() -> AudioTeacherCard:
    return AudioTeacherCard(**yaml.safe_load((PARAMETERS / "audio_teacher.yml").read_text())["audio_teacher"])


def test_the_visual_teacher_knows_most_new_pictures(visual_card: VisualTeacherCard) -> None:
    sample = SampleParams(teacher_examples_per_class=8, teacher_steps=60)
    teacher = SampleTeacher(visual_card, teachers.train_visual_teacher(sample, visual_card), VISUAL_CLASSES)
    jpegs, targets = teachers.draw_pictures(sample, range(1000, 1004))
    scores = teacher.scores(image_batch(jpegs, visual_card.input))
    assert scores.shape == targets.shape
    assert scores.sum(1) == pytest.approx(np.ones(len(scores)), abs=1e-5)
    assert np.mean(scores.argmax(1) == targets.argmax(1)) > 0.4


def test_the_audio_teacher_knows_most_new_sounds(audio_card: AudioTeacherCard) -> None:
    sample = SampleParams(teacher_examples_per_class=6, teacher_steps=60)
    teacher = SampleTeacher(audio_card, teachers.train_audio_teacher(sample, audio_card), AUDIO_CLASSES)
    patches, targets = teachers.draw_sounds(sample, range(1000, 1003), audio_card.input)
    scores = teacher.scores(patches)
    assert scores.min() >= 0
    assert scores.max() <= 1
    single = targets.sum(1) == 1
    assert np.mean(scores[single].argmax(1) == targets[single].argmax(1)) > 0.4


def test_training_twice_gives_the_same_bytes_and_leaves_torch_as_it_was(
    visual_card: VisualTeacherCard, audio_card: AudioTeacherCard
) -> None:
    sample = SampleParams(teacher_examples_per_class=4, teacher_steps=3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    first = teachers.train_visual_teacher(sample, visual_card), teachers.train_audio_teacher(sample, audio_card)
    torch.randperm(5)
    again = teachers.train_visual_teacher(sample, visual_card), teachers.train_audio_teacher(sample, audio_card)
    assert first == again
    assert torch.get_num_threads() == threads
    torch.set_rng_state(state)


def test_only_audible_patches_carry_a_class_and_unknown_sounds_none(audio_card: AudioTeacherCard) -> None:
    patches, targets = teachers.draw_sounds(SampleParams(), range(4), audio_card.input)
    assert patches.shape == (len(targets), 1, 96, 64)
    per_class = len(targets) // (len(AUDIO_CLASSES) + len(UNKNOWN_SOUNDS) + 1)
    rain = targets[AUDIO_CLASSES.index("rain") * per_class :][:per_class]
    assert rain[:, AUDIO_CLASSES.index("rain")].all()
    assert not targets[-per_class:].any()


def test_a_teacher_never_names_what_it_does_not_know(
    visual_card: VisualTeacherCard, audio_card: AudioTeacherCard
) -> None:
    sample = SampleParams(teacher_examples_per_class=4, teacher_steps=40, blind_share=1 / 3, deaf_share=1 / 3)
    blind, deaf = unknown_classes(sample)
    assert len(blind) == len(deaf) == 5 and not blind & deaf
    seeing = SampleTeacher(visual_card, teachers.train_visual_teacher(sample, visual_card), VISUAL_CLASSES)
    jpegs, _ = teachers.draw_pictures(sample, range(1000, 1002))
    scores = seeing.scores(image_batch(jpegs, visual_card.input))
    unseen = np.isin(VISUAL_CLASSES, [*blind])
    assert not unseen[scores.argmax(1)].any() and scores[:, ~unseen].max(0).min() > scores[:, unseen].max()
    hearing = SampleTeacher(audio_card, teachers.train_audio_teacher(sample, audio_card), AUDIO_CLASSES)
    patches, _ = teachers.draw_sounds(sample, range(1000, 1002), audio_card.input)
    assert hearing.scores(patches)[:, np.isin(AUDIO_CLASSES, [*deaf])].max() < 0.2


def test_by_itself_a_teacher_knows_all_classes() -> None:
    assert unknown_classes(SampleParams()) == (frozenset(), frozenset())
    assert unknown_classes(SampleParams(deaf_share=1.0)) == (frozenset(), frozenset(SOURCES))
