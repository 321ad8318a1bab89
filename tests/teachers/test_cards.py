"""The cards of teachers: which fields each backend needs, and that the ones that come along are sound."""

from __future__ import annotations

from typing import Any

import pytest
from kedro.config import OmegaConfigLoader

from tests.project import PROJECT
from tests.teachers.fixtures import colour_card, hearing_card, pitch_card, seeing_card
from xmodal_kedro import settings
from xmodal_kedro.params import AudioLabelParams, AudioTeacherCard, LabelParams, TeacherCard, VisualTeacherCard


def parameters(env: str) -> dict[str, Any]:
    return OmegaConfigLoader(str(PROJECT / "conf"), env=env, **settings.CONFIG_LOADER_ARGS)["parameters"]


@pytest.mark.parametrize("env", ["base", "sample", "onnx", "paper"])
@pytest.mark.parametrize(("modality", "card"), [("visual", VisualTeacherCard), ("audio", AudioTeacherCard)])
def test_the_cards_of_every_environment_are_whole(env: str, modality: str, card: type[TeacherCard]) -> None:
    stated = parameters(env)
    assert card.model_validate(stated[f"{modality}_teacher"]).weights
    (AudioLabelParams if modality == "audio" else LabelParams).model_validate(stated[f"{modality}_label"])


def test_the_papers_teachers_come_with_their_own_classes_and_processors() -> None:
    visual = VisualTeacherCard.model_validate(parameters("paper")["visual_teacher"])
    audio = AudioTeacherCard.model_validate(parameters("paper")["audio_teacher"])
    assert [card.backend for card in (visual, audio)] == ["transformers"] * 2
    assert [(card.labels, card.input) for card in (visual, audio)] == [(None, None)] * 2
    assert [card.output.activation for card in (visual, audio)] == ["softmax", "sigmoid"]


def test_a_transformers_card_leaves_the_input_to_the_model() -> None:
    with pytest.raises(ValueError, match=r"a transformers model is fed by its own processor: write `input: null`"):
        seeing_card(input={"kind": "image"})
    with pytest.raises(ValueError, match="write `input: null`"):
        hearing_card(input={"kind": "log_mel"})


def test_every_other_card_says_how_it_is_fed_and_what_its_classes_are() -> None:
    with pytest.raises(ValueError, match="the teacher's input is null, which only the backends transformers"):
        colour_card(input=None)
    with pytest.raises(ValueError, match="the teacher's labels is null, which only the backends transformers"):
        pitch_card(labels=None)


def test_a_network_is_named_for_torchvision_and_for_nothing_else() -> None:
    with pytest.raises(ValueError, match="network is '' and its backend torchvision: name a network"):
        colour_card(backend="torchvision")
    with pytest.raises(ValueError, match="network is 'resnet18' and its backend onnx: name a network"):
        colour_card(network="resnet18")


@pytest.mark.parametrize(
    ("classes", "named"),
    [
        ({True: ["a dog"]}, "True"),  # `yes`
        ({100000.0: ["a dog"]}, "100000.0"),  # `1e5`
        ({7: ["a spy"]}, "7"),  # `007`
        ({" ": ["a dog"]}, "' '"),
        ({"dog": ["a dog"], "Dog ": ["a hound"]}, "Dog"),
        ({"dog": [1]}, "dog"),
        ({"dog": [{"a photo": "of a dog"}]}, "dog"),
        ({"dog": {"a": "b"}}, "dog"),
        ({"dog": 5}, "dog"),
        ({"dog": []}, "dog"),
        ("dog [a dog]", "NAME: "),
        (["dog", "cat"], "NAME: "),
    ],
)
def test_classes_that_yaml_reads_as_no_text_are_refused(classes: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        AudioTeacherCard.model_validate({"backend": "contrastive", "weights": "clap", "classes": classes})
    assert "Input should be" not in str(caught.value)


def test_spaces_around_the_name_of_a_class_do_not_count() -> None:
    card = {"backend": "contrastive", "weights": "clap", "classes": {" M\u00e4h drescher\n": "a harvester"}}
    (only,) = AudioTeacherCard.model_validate(card).classes
    assert only.name == "M\u00e4h drescher"
