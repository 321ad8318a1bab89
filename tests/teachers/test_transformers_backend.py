import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import torch
import transformers

from tests.fakes import folder_of
from tests.teachers.fixtures import (
    COLOURS,
    SOUNDS,
    hearing_card,
    jpeg,
    seeing_card,
    tone,
    write_ast,
    write_vit,
    write_wav2vec2,
)
from xmodal_kedro.params import TeacherCard
from xmodal_kedro.storage import FileRef, Folder
from xmodal_kedro.teachers.opening import check_teacher, open_teacher, teacher_classes, teacher_files
from xmodal_kedro.teachers.preprocess import decode_pictures
from xmodal_kedro.teachers.protocol import Teacher


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teachers")
    write_vit(folder / "vit")
    write_ast(folder / "ast")
    write_wav2vec2(folder / "wav2vec2", sampling_rate=8000)
    return folder


@pytest.fixture
def own(models: Path, tmp_path: Path) -> Path:
    """A copy of the models that a test may spoil."""
    return shutil.copytree(models, tmp_path / "teachers")


def opened(card: TeacherCard, folder: Path) -> Teacher:
    return open_teacher(card, teacher_files(card, folder_of(folder)), "cpu")


def sound(hz: float, seconds: float) -> np.ndarray:
    return np.frombuffer(tone(hz, seconds), np.int16)


def edit(file: Path, **changes: Any) -> None:
    content = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def test_images_score_as_in_the_library(models: Path) -> None:
    jpegs = [jpeg(255, 0, 0), jpeg(0, 90, 255, height=64, width=40)]
    teacher = opened(seeing_card(), models)
    model = transformers.ViTForImageClassification.from_pretrained(models / "vit").eval()
    processor = transformers.ViTImageProcessor.from_pretrained(models / "vit")
    with torch.inference_mode():
        expected = model(**processor(decode_pictures(jpegs), return_tensors="pt")).logits.softmax(1).numpy()
    assert teacher.labels == COLOURS
    np.testing.assert_allclose(teacher.scores(teacher.rows(jpegs)), expected, rtol=1e-4)
    assert np.ptp(expected, axis=0).max() > 0.01
    assert teacher.rows([]) == []


def test_sound_scores_what_the_library_itself_gives_it(models: Path) -> None:
    clip = sound(700, 4)
    teacher = opened(hearing_card(), models)
    model = transformers.ASTForAudioClassification.from_pretrained(models / "ast").eval()
    extractor = transformers.ASTFeatureExtractor.from_pretrained(models / "ast")
    with torch.inference_mode():
        inputs = extractor(clip.astype(np.float32) / 32_768, sampling_rate=16_000, return_tensors="pt")
        expected = model(**inputs).logits.sigmoid().numpy()
    assert teacher.labels == SOUNDS
    np.testing.assert_allclose(teacher.scores(teacher.rows(clip)), expected, rtol=1e-4)


def test_sound_comes_at_the_rate_of_the_models_extractor_in_whole_seconds(models: Path) -> None:
    teacher = opened(hearing_card(weights="wav2vec2"), models)
    (row,) = teacher.rows(sound(1000, 3.2))
    assert row.shape == (4 * 8000,)
    assert np.abs(np.fft.rfft(row)).argmax() / 4 == pytest.approx(1000, abs=1)
    assert [len(teacher.rows(np.zeros(samples, np.int16))[0]) for samples in (0, 1, 16_000)] == [8000] * 3


def test_scores_do_not_depend_on_what_else_is_in_the_batch(models: Path) -> None:
    teacher = opened(hearing_card(weights="wav2vec2"), models)
    rows = [row for seconds in (3.1, 5, 3.9, 0.4) for row in teacher.rows(sound(200 * seconds, seconds))]
    alone = np.concatenate([teacher.scores([row]) for row in rows])
    np.testing.assert_allclose(teacher.scores(rows), alone, atol=1e-5)
    np.testing.assert_allclose(teacher.scores(rows[::-1]), alone[::-1], atol=1e-5)
    assert np.ptp(alone, axis=0).max() > 1e-3


def test_several_threads_may_prepare_clips_at_once(models: Path) -> None:
    clips = [[jpeg(level, 255 - level, 40)] * 2 for level in range(0, 256, 8)]
    teacher = opened(seeing_card(), models)
    one_by_one = [np.stack(teacher.rows(clip)) for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        at_once = [np.stack(rows) for rows in pool.map(teacher.rows, clips)]
    np.testing.assert_array_equal(at_once, one_by_one)


def test_classes_are_known_from_the_config_alone(own: Path) -> None:
    (own / "vit" / "model.safetensors").write_bytes(b"not even weights")
    assert [named.label for named in teacher_classes(seeing_card(ignore=["green"]), folder_of(own))] == ["red", "blue"]


def test_a_class_list_of_ones_own_may_name_the_classes(own: Path) -> None:
    (own / "names.csv").write_text("mid,display_name\n/m/a,rouge\n/m/b,vert\n/m/c,bleu\n")
    card = seeing_card(labels="names.csv")
    assert opened(card, own).labels == ("rouge", "vert", "bleu")
    assert teacher_classes(card, folder_of(own))[2] == ("bleu", "/m/c")
    (own / "names.csv").write_text("display_name\nrouge\n")
    with pytest.raises(ValueError, match=r"'vit' has 3 classes and 'names.csv' lists 1: name the class list"):
        check_teacher(card, folder_of(own))


def test_the_teachers_folder_may_itself_be_the_models(models: Path) -> None:
    card, folder = seeing_card(weights="."), folder_of(models / "vit")
    check_teacher(card, folder)
    assert opened(card, models / "vit").labels == opened(seeing_card(), models).labels


def test_a_model_counts_by_content_wherever_it_lies(models: Path, own: Path) -> None:
    def fingerprints(folder: Path, weights: str = "vit") -> list[str]:
        files = teacher_files(seeing_card(weights=weights), folder_of(folder))
        return [file.fingerprint for file in files.weights]

    same = fingerprints(models)
    assert same == fingerprints(own) == fingerprints(own / "vit", ".")
    edit(own / "vit" / "preprocessor_config.json", do_normalize=False)
    assert fingerprints(own) != same


def test_a_model_in_remote_storage_is_fetched_to_be_opened(models: Path) -> None:
    fs = fsspec.filesystem("memory")
    files = {}
    for path in sorted((models / "vit").iterdir()):
        fs.pipe_file(f"/hub/vit/{path.name}", path.read_bytes())
        files[f"vit/{path.name}"] = FileRef(f"vit/{path.name}", f"memory://hub/vit/{path.name}", 0, 0)
    card = seeing_card()
    teacher = open_teacher(card, teacher_files(card, Folder("memory://hub", files)), "cpu")
    here = opened(card, models)
    rows = here.rows([jpeg(10, 200, 30)])
    np.testing.assert_array_equal(teacher.scores(rows), here.scores(rows))


@pytest.mark.parametrize(
    ("file", "changes", "complaint"),
    [
        (
            "config.json",
            {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}},
            "config.json of 'vit' asks for code of its own .auto_map., which is never run",
        ),
        ("config.json", {"model_type": "mine"}, "config.json of 'vit' asks for model_type 'mine'; transformers 5"),
        ("config.json", {"model_type": "bert"}, "'vit' is a model of type 'bert', which has no image class"),
        ("config.json", {"id2label": None}, r"does not name its classes one by one \(id2label\): name a class list"),
        ("config.json", {"id2label": {"0": "a", "2": "b"}}, "does not name its classes one by one"),
        ("config.json", {"hidden_size": 64}, r"'vit' cannot be opened as an image classifier \(RuntimeError"),
        (
            "preprocessor_config.json",
            {"size": {"height": 16, "width": 16}},
            r"'vit' cannot score a blank clip \(ValueError.*\): correct .*preprocessor_config.json",
        ),
    ],
)
def test_a_config_that_does_not_fit_is_refused_before_any_clip(
    own: Path, file: str, changes: dict[str, Any], complaint: str
) -> None:
    edit(own / "vit" / file, **changes)
    with pytest.raises(ValueError, match=complaint) as refusal:
        check_teacher(seeing_card(), folder_of(own))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("lost", "complaint"),
    [
        ("config.json", "model 'vit' has no config.json: name the folder"),
        ("preprocessor_config.json", "model 'vit' has no preprocessor_config.json: save the model's processor"),
        ("model.safetensors", "model 'vit' has no model.*safetensors: save it with save_pretrained"),
    ],
)
def test_a_model_that_is_not_whole_is_refused(own: Path, lost: str, complaint: str) -> None:
    (own / "vit" / lost).unlink()
    with pytest.raises(ValueError, match=complaint):
        check_teacher(seeing_card(), folder_of(own))


def test_pickled_weights_are_refused_unopened(own: Path) -> None:
    (own / "vit" / "model.safetensors").rename(own / "vit" / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"only pytorch_model.bin, which may hold code and is never opened: save it"):
        check_teacher(seeing_card(), folder_of(own))


def test_a_missing_part_of_weights_in_several_files_is_named(own: Path) -> None:
    transformers.ViTForImageClassification.from_pretrained(own / "vit").save_pretrained(
        own / "parts", max_shard_size="20kB"
    )
    shutil.copy(own / "vit" / "preprocessor_config.json", own / "parts")
    check_teacher(seeing_card(weights="parts"), folder_of(own))
    lost = sorted((own / "parts").glob("model-*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(ValueError, match=f"'parts' has no {lost.name}, which model.safetensors.index.json names"):
        check_teacher(seeing_card(weights="parts"), folder_of(own))


def test_weights_without_a_classifier_are_refused(own: Path) -> None:
    body = transformers.ViTForImageClassification.from_pretrained(own / "vit").vit
    body.config.architectures = ["ViTForImageClassification"]
    body.save_pretrained(own / "vit")
    with pytest.raises(ValueError, match="lack classifier.bias and 1 more that a classifier needs"):
        check_teacher(seeing_card(), folder_of(own))


def test_broken_weights_are_refused_in_one_line(own: Path) -> None:
    (own / "vit" / "model.safetensors").write_bytes(b"no safetensors at all")
    with pytest.raises(ValueError, match=r"'vit' cannot be opened as an image classifier .*: replace") as refusal:
        check_teacher(seeing_card(), folder_of(own))
    assert "\n" not in str(refusal.value)


def test_weights_that_are_no_numbers_are_refused_before_any_clip(own: Path) -> None:
    model = transformers.ViTForImageClassification.from_pretrained(own / "vit")
    model.classifier.bias.data[0] = torch.nan
    model.save_pretrained(own / "vit")
    with pytest.raises(ValueError, match=r"'vit' gives scores that are not numbers \(NaN\): correct the teacher's in"):
        check_teacher(seeing_card(), folder_of(own))


def test_logits_without_an_activation_are_refused(own: Path) -> None:
    with pytest.raises(ValueError, match=r"not 0\.\.1: correct output.scale or output.activation"):
        check_teacher(seeing_card(output={"activation": "none"}), folder_of(own))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_where_there_is_none_is_refused_by_the_field(models: Path) -> None:
    with pytest.raises(
        ValueError, match="audio_label.device or train.live_teacher.device is cuda, but torch finds no CUDA device"
    ):
        check_teacher(hearing_card(), folder_of(models), "cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA")
def test_half_precision_on_cuda_agrees_with_the_cpu(models: Path) -> None:
    card = hearing_card()
    files = teacher_files(card, folder_of(models))
    on_cuda, on_cpu = open_teacher(card, files, "cuda"), open_teacher(card, files, "cpu")
    rows = on_cpu.rows(sound(500, 4))
    np.testing.assert_allclose(on_cuda.scores(rows), on_cpu.scores(rows), atol=0.02)
