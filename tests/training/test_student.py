from __future__ import annotations

import copy

import torch

from tests.tones import tone_params
from xmodal_kedro.models import build
from xmodal_kedro.training.student import Heads, Student


def student() -> Student:
    return Student(build("vggish_plus", 3, tone_params().vggish_plus), Heads(4))


def test_without_a_teacher_s_embedding_there_is_no_head() -> None:
    alone = Student(build("vggish_plus", 3, tone_params().vggish_plus))
    assert all(name.startswith("backbone.") for name in alone.state_dict())
    assert alone(torch.zeros(2, 96, 64)).embeddings == {}


def test_a_checkpoint_of_version_0_1_has_the_head_under_its_old_name() -> None:
    source, restored = student(), copy.deepcopy(student())
    old = {name.replace("teacher_head.", "tell."): weight for name, weight in source.state_dict().items()}
    assert "tell.weight" in old
    restored.load_state_dict(old)
    assert torch.equal(restored.teacher_head.weight, source.teacher_head.weight)  # type: ignore[union-attr]
