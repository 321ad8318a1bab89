"""Image-text and audio-text models through the library's own loading code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from tests.fakes import folder_of
from tests.teachers.contrastive import write_clap, write_clip, write_siglip
from tests.teachers.fixtures import jpeg, seeing_card, tone, write_vit
from xmodal_kedro.errors import UserError
from xmodal_kedro.params import AudioTeacherCard, TeacherCard, VisualTeacherCard
from xmodal_kedro.teachers.contrastive_backend import ContrastiveTeacher
from xmodal_kedro.teachers.opening import check_teacher, open_teacher, teacher_classes, teacher_files
from xmodal_kedro.teachers.preprocess import decode_pictures, resample, to_float

CLASSES = {"red": ["a photo of red"], "dog": ["a dog", "a picture of a dog"]}
BACKGROUND = ["a photo", "green"]


RED = {"red": CLASSES["red"]}


def card(name: str, **changes: Any) -> TeacherCard:
    fields = {"backend": "contrastive", "weights": name, "classes": CLASSES, "background": BACKGROUND, **changes}
    return (AudioTeacherCard if name == "clap" else VisualTeacherCard).model_validate(fields)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contrastive")
    write_clip(folder / "clip")
    write_siglip(folder / "siglip")
    write_clap(folder / "clap")
    write_vit(folder / "vit")
    return folder


def opened(of: TeacherCard, folder: Path) -> ContrastiveTeacher:
    teacher = open_teacher(of, teacher_files(of, folder_of(folder)), "cpu")
    assert isinstance(teacher, ContrastiveTeacher)
    return teacher


@pytest.mark.parametrize(("name", "padding"), [("clip", True), ("siglip", "max_length")])
def test_similarities_to_frames_are_those_of_the_library(models: Path, name: str, padding: Any) -> None:
    frames = [jpeg(255, 0, 0), jpeg(0, 90, 255, height=64, width=40)]
    teacher = opened(card(name, classes=RED), models)
    model = transformers.AutoModel.from_pretrained(models / name).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(models / name)
    processor = transformers.AutoImageProcessor.from_pretrained(models / name)
    texts = ["a photo of red", "a photo", "green"]
    with torch.inference_mode():
        limit = {"max_length": 12} if padding == "max_length" else {}
        tokens = tokenizer(texts, padding=padding, return_tensors="pt", **limit)
        known = {name: tokens[name] for name in ("input_ids", "attention_mask") if name in tokens}
        pixels = processor(decode_pictures(frames), input_data_format="channels_last", return_tensors="pt")
        logits = model(pixel_values=pixels["pixel_values"], **known).logits_per_image.numpy()
    if name == "siglip":
        logits = logits - model.logit_bias.item()  # the same for all prompts: it falls out of the softmax
    rows = teacher.rows(frames)
    np.testing.assert_allclose(teacher.scores(rows)[:, 0], torch.tensor(logits).softmax(1)[:, 0], rtol=1e-3)
    assert teacher.rows([]) == []
    assert teacher.labels == ("red",)


def test_similarities_to_audio_are_those_of_the_library(models: Path) -> None:
    clip = np.frombuffer(tone(700, 3), np.int16)
    teacher = opened(card("clap", classes=RED), models)
    model = transformers.ClapModel.from_pretrained(models / "clap").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(models / "clap")
    extractor = transformers.ClapFeatureExtractor.from_pretrained(models / "clap")
    with torch.inference_mode():
        tokens = tokenizer(["a photo of red", "a photo", "green"], padding=True, return_tensors="pt")
        audio = extractor(resample(to_float(clip), 48_000), sampling_rate=48_000, return_tensors="pt")
        logits = model(
            input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, input_features=audio["input_features"]
        ).logits_per_audio
    np.testing.assert_allclose(teacher.scores(teacher.rows(clip))[:, 0], logits.softmax(1)[:, 0], rtol=1e-3)


@pytest.mark.parametrize("name", ["clip", "clap"])
def test_embeddings_do_not_depend_on_the_batch(models: Path, name: str) -> None:
    teacher = opened(card(name), models)
    clips: list[Any] = (
        [np.frombuffer(tone(300 * seconds, seconds), np.int16) for seconds in (3.1, 5, 0.4)]
        if name == "clap"
        else [[jpeg(255, 0, 0)], [jpeg(0, 255, 9), jpeg(9, 9, 9)]]
    )
    rows = [row for clip in clips for row in teacher.rows(clip)]
    alone = np.concatenate([teacher.embed([row]) for row in rows])
    np.testing.assert_allclose(teacher.embed(rows), alone, atol=1e-5)
    np.testing.assert_allclose(teacher.embed(rows[::-1]), alone[::-1], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1, rtol=1e-5)


def test_classes_come_from_the_card_without_weights(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "clip", tmp_path / "clip")
    (tmp_path / "clip" / "model.safetensors").write_bytes(b"not even weights")
    named = teacher_classes(card("clip", ignore=["red"]), folder_of(tmp_path))
    assert [of.label for of in named] == ["dog"]


def test_a_processor_saved_with_its_tokenizer_is_found(models: Path, tmp_path: Path) -> None:
    whole = shutil.copytree(models / "clip", tmp_path / "clip")
    processor = json.loads((whole / "preprocessor_config.json").read_text())
    (whole / "preprocessor_config.json").unlink()
    (whole / "processor_config.json").write_text(
        json.dumps({"image_processor": processor, "processor_class": "CLIPProcessor"})
    )
    frames = [jpeg(255, 0, 0)]
    one, other = opened(card("clip"), models), opened(card("clip"), tmp_path)
    np.testing.assert_array_equal(one.rows(frames)[0], other.rows(frames)[0])


@pytest.mark.parametrize("weights", ["vit", "clap", "clip"])
def test_a_model_of_another_kind_is_refused_by_name(models: Path, tmp_path: Path, weights: str) -> None:
    folder = shutil.copytree(models / weights, tmp_path / weights)
    if weights == "vit":
        shutil.copy(models / "clip" / "tokenizer.json", folder)
    of = card("clip", weights=weights) if weights != "clip" else card("clap", weights=weights)
    with pytest.raises(UserError, match=f"'{weights}'.*contrastive"):
        check_teacher(of, folder_of(tmp_path), "cpu")


def test_a_text_model_is_refused_as_an_image_teacher(tmp_path: Path) -> None:
    config = transformers.BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    transformers.BertModel(config).save_pretrained(tmp_path / "bert")
    (tmp_path / "bert" / "tokenizer.json").write_text("{}")
    (tmp_path / "bert" / "preprocessor_config.json").write_text("{}")
    with pytest.raises(UserError, match="'bert'.*type 'bert'.*image-text"):
        check_teacher(card("clip", weights="bert"), folder_of(tmp_path), "cpu")


def test_a_model_without_its_tokenizer_is_refused(models: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models / "clip", tmp_path / "clip")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UserError, match="'clip' has no tokenizer"):
        check_teacher(card("clip"), folder_of(tmp_path), "cpu")


def test_a_prompt_that_is_too_long_is_named(models: Path) -> None:
    of = card("clip", classes={"red": ["red " * 20]})
    with pytest.raises(UserError, match="red red.*22 tokens.*12"):
        check_teacher(of, folder_of(models), "cpu")


def test_weights_without_a_text_part_are_refused(models: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(models / "clip", tmp_path / "clip")
    tensors = load_file(folder / "model.safetensors")
    save_file({name: of for name, of in tensors.items() if "text" not in name}, folder / "model.safetensors")
    with pytest.raises(UserError, match="'clip' lack"):
        check_teacher(card("clip"), folder_of(tmp_path), "cpu")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"classes": {}}, "contrastive.*0 classes"),
        ({"classes": {"red": []}}, "'red' has no prompt"),
        ({"classes": {"red": None}}, "'red' has no prompt"),
        ({"classes": {"red": [" "]}}, "'red' has no prompt"),
        ({"classes": {"red": ["a dog"], "dog": ["A  dog"]}}, "'A  dog'.*'red'.*'dog'"),
        ({"classes": {"red": ["a dog"]}, "background": ["a dog"]}, "'a dog'.*'red'.*'background'"),
    ],
)
def test_wrong_classes_are_refused_by_name(changes: dict[str, Any], names: str) -> None:
    with pytest.raises(ValueError, match=names):
        card("clip", **changes)


def test_classes_with_another_backend_are_refused() -> None:
    with pytest.raises(ValueError, match="transformers.*2 classes"):
        seeing_card(classes=CLASSES)


def test_a_background_prompt_that_a_class_has_is_left_out_of_the_general_list(models: Path) -> None:
    of = card("clip", background=[], classes={"picture": ["a photo"]})
    assert len(opened(of, models).prompts.background_PE) == 11


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_gives_nearly_the_same_embeddings(models: Path) -> None:
    rows = opened(card("clip"), models).rows([jpeg(200, 30, 60)])
    on_cuda = open_teacher(card("clip"), teacher_files(card("clip"), folder_of(models)), "cuda")
    assert isinstance(on_cuda, ContrastiveTeacher)
    assert float(on_cuda.embed(rows)[0] @ opened(card("clip"), models).embed(rows)[0]) > 0.99
