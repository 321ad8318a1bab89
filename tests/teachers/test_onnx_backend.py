from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto

from tests.fakes import folder_of
from tests.teachers.fixtures import (
    COLOURS,
    SIDE_PX,
    brightness_card,
    colour_card,
    jpeg,
    loudness_card,
    pitch_card,
    tone,
    write_brightness_teacher,
    write_colour_teacher,
    write_loudness_teacher,
    write_mean_model,
    write_pitch_teacher,
)
from xmodal_kedro.errors import UserError
from xmodal_kedro.teachers.opening import check_teacher, open_teacher, teacher_files
from xmodal_kedro.teachers.protocol import require_scores


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_colour_teacher(tmp_path)
    write_pitch_teacher(tmp_path)
    return tmp_path


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, 3, SIDE_PX, SIDE_PX), np.float32)


@pytest.mark.parametrize("fixed_batch", ["N", 1, 4])
def test_any_number_of_rows_is_scored_whatever_batch_the_file_is_fixed_at(tmp_path: Path, fixed_batch: Any) -> None:
    write_colour_teacher(tmp_path, batch=fixed_batch)
    card = colour_card()
    teacher = open_teacher(card, teacher_files(card, folder_of(tmp_path)), "cpu")
    assert teacher.labels == COLOURS
    rows = images(9)
    np.testing.assert_allclose(teacher.scores(list(rows)), rows.mean(axis=(2, 3)), rtol=1e-5)


def test_a_clip_becomes_rows_as_the_card_says(folder: Path) -> None:
    card = colour_card()
    teacher = open_teacher(card, teacher_files(card, folder_of(folder)), "cpu")
    rows = teacher.rows([jpeg(255, 0, 0), jpeg(0, 0, 255)])
    np.testing.assert_allclose(teacher.scores(rows), [[1, 0, 0], [0, 0, 1]], atol=0.02)
    assert teacher.rows([]) == []


@pytest.mark.parametrize(("layout", "shape"), [("N1FM", (1, 96, 64)), ("NFM", (96, 64))])
def test_patches_come_with_or_without_a_channel(folder: Path, layout: str, shape: tuple[int, ...]) -> None:
    write_mean_model(folder / "pitch.onnx", "patches", shape, list(range(1, len(shape))))
    card = pitch_card(input__layout=layout)
    teacher = open_teacher(card, teacher_files(card, folder_of(folder)), "cpu")
    low, high = (
        teacher.scores(teacher.rows(np.frombuffer(tone(hz), np.int16))).mean(axis=0).argmax() for hz in (300, 5000)
    )
    assert low < 15 and high > 40
    other = "NFM" if layout == "N1FM" else "N1FM"
    with pytest.raises(ValueError, match="correct input.kind, input.layout or input.patch_frames"):
        check_teacher(pitch_card(input__layout=other), folder_of(folder))


def test_windows_of_the_waveform_are_scored_at_the_models_rate(folder: Path) -> None:
    write_loudness_teacher(folder, samples=4000)
    card = loudness_card()
    check_teacher(card, folder_of(folder))
    teacher = open_teacher(card, teacher_files(card, folder_of(folder)), "cpu")
    loud_then_silent = np.concatenate([np.full(16_000, 16_384, np.int16), np.zeros(16_000, np.int16)])
    scores = teacher.scores(teacher.rows(loud_then_silent))
    assert scores.shape == (7, 2)
    np.testing.assert_allclose(scores[:, 0], [0.5, 0.5, 0.5, 0.25, 0, 0, 0], atol=0.01)
    with pytest.raises(ValueError, match="correct input.kind, input.window_s or input.sample_rate_hz"):
        check_teacher(loudness_card(window_s=0.7), folder_of(folder))


@pytest.mark.parametrize("batch", ["N", 2])
def test_a_model_of_half_precision_is_fed_what_one_of_single_is(folder: Path, batch: Any) -> None:
    shape = (3, SIDE_PX, SIDE_PX)
    write_mean_model(folder / "colour.onnx", "input", shape, [2, 3], batch, element=TensorProto.FLOAT16)
    check_teacher(colour_card(), folder_of(folder))
    teacher = open_teacher(colour_card(), teacher_files(colour_card(), folder_of(folder)), "cpu")
    rows = images(3)
    scores = teacher.scores(list(rows))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, rows.mean(axis=(2, 3)), atol=1e-3)


def test_several_threads_of_inference_give_the_same_scores(folder: Path) -> None:
    card = colour_card()
    files = teacher_files(card, folder_of(folder))
    rows = list(images(5))
    one, two = (open_teacher(card, files, "cpu", threads).scores(rows) for threads in (1, 2))
    np.testing.assert_allclose(one, two, rtol=1e-6)


def test_scale_and_activation_of_the_card_are_applied(folder: Path) -> None:
    rows = images(5)
    raw = rows.mean(axis=(2, 3)) * 0.5

    def scores(activation: str) -> np.ndarray:
        card = colour_card(output__scale=0.5, output__activation=activation)
        return open_teacher(card, teacher_files(card, folder_of(folder)), "cpu").scores(list(rows))

    np.testing.assert_allclose(scores("none"), raw, rtol=1e-5)
    np.testing.assert_allclose(scores("sigmoid"), 1 / (1 + np.exp(-raw)), rtol=1e-5)
    np.testing.assert_allclose(scores("softmax"), np.exp(raw) / np.exp(raw).sum(1, keepdims=True), rtol=1e-5)


def test_scores_outside_0_to_1_name_the_output_fields(folder: Path) -> None:
    for wrong in ([[0.5, 1.1]], [[-0.1, 0.5]], [[np.inf, 0]]):
        with pytest.raises(ValueError, match=r"not 0\.\.1: correct output.scale or output.activation"):
            require_scores(np.array(wrong, np.float32), colour_card())
    with pytest.raises(ValueError, match=r"'colour.onnx' gives scores that are not numbers"):
        require_scores(np.array([[0.5, np.nan]], np.float32), colour_card())
    require_scores(np.array([[0, 1]], np.float32), colour_card())


def test_a_teacher_without_the_activation_it_needs_is_refused_before_any_clip(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"scores from -4.* to .*, not 0\.\.1: correct output.scale or output.activ"):
        check_teacher(pitch_card(output__activation="none"), folder_of(folder))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"input__tensor": "picture"}, r"has the inputs \['input'\].*set input.tensor"),
        ({"input__dtype": "uint8"}, r"takes tensor\(float\) and the card says uint8: correct input.dtype"),
        ({"input__layout": "NHWC"}, "correct input.kind, input.layout or input.crop_px"),
        ({"input__resize_px": 32, "input__crop_px": 16}, "correct input.kind, input.layout or input.crop_px"),
        ({"output__tensor": "logits"}, r"no output 'logits', only \['scores'\]: set output.tensor"),
        ({"labels": "pitches.csv"}, r"gives \['N', 3\] and 'pitches.csv' lists 64 classes: name the class list"),
        ({"weights": "colours.txt"}, "weights 'colours.txt' cannot be opened as ONNX"),
        ({"ignore": ["background"]}, r"`ignore` names \['background'\], not in 'colours.txt'"),
    ],
)
def test_a_card_that_does_not_fit_its_files_is_refused_before_any_clip(
    folder: Path, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        check_teacher(colour_card(**changes), folder_of(folder))


@pytest.mark.parametrize("fixed_batch", ["N", 1, 4])
def test_a_tensor_inside_the_model_is_its_embedding_and_leaves_the_scores_as_they_are(
    tmp_path: Path, fixed_batch: Any
) -> None:
    write_brightness_teacher(tmp_path, fixed_batch)
    rows = list(images(5))
    plain, card = brightness_card(), brightness_card(output__embedding="means")
    check_teacher(card, folder_of(tmp_path))
    teacher = open_teacher(card, teacher_files(card, folder_of(tmp_path)), "cpu")
    embeddings, scores = teacher.embed(rows)  # type: ignore[attr-defined]
    np.testing.assert_allclose(embeddings, np.stack(rows).mean(axis=(2, 3)), rtol=1e-5)
    np.testing.assert_array_equal(scores, teacher.scores(rows))
    unasked = open_teacher(plain, teacher_files(plain, folder_of(tmp_path)), "cpu")
    np.testing.assert_array_equal(teacher.scores(rows), unasked.scores(rows))


@pytest.mark.parametrize(
    ("tensor", "complaint"),
    [
        ("nothing", r"brightness\.onnx.*no tensor 'nothing'.*output\.embedding"),
        ("whole", r"'whole' of shape \['batch', 3, 8, 8\].*output\.embedding"),
        ("brightest", r"'brightest' of shape \['batch'\].*output\.embedding"),
    ],
)
def test_an_embedding_that_the_model_does_not_have_is_refused_before_any_clip(
    tmp_path: Path, tensor: str, complaint: str
) -> None:
    write_brightness_teacher(tmp_path)
    with pytest.raises(UserError, match=complaint):
        check_teacher(brightness_card(output__embedding=tensor), folder_of(tmp_path))


def test_a_map_of_one_place_is_an_embedding_too(tmp_path: Path) -> None:
    write_brightness_teacher(tmp_path)
    card = brightness_card(output__embedding="map of means")
    teacher = open_teacher(card, teacher_files(card, folder_of(tmp_path)), "cpu")
    rows = list(images(5))
    np.testing.assert_allclose(
        teacher.embed(rows)[0],  # type: ignore[attr-defined]
        np.stack(rows).mean(axis=(2, 3)),
        rtol=1e-5,
    )


def test_a_class_count_that_the_file_leaves_open_is_checked_by_a_blank_input(folder: Path) -> None:
    write_mean_model(folder / "colour.onnx", "input", ("channels", SIDE_PX, SIDE_PX), [2, 3])
    check_teacher(colour_card(), folder_of(folder))
    (folder / "colours.txt").write_text("red\ngreen")
    with pytest.raises(ValueError, match=r"shape \[1, 3\] for a batch of 1 and 'colours.txt' lists 2 classes"):
        check_teacher(colour_card(), folder_of(folder))


def test_a_sound_card_for_a_picture_model_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"correct input.kind"):
        check_teacher(pitch_card(weights="colour.onnx", input__tensor="input"), folder_of(folder))


@pytest.mark.parametrize("field", ["weights", "labels"])
def test_a_file_that_is_not_in_the_folder_is_named(folder: Path, field: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"has no file 'missing\.bin'"):
        check_teacher(colour_card(**{field: "missing.bin"}), folder_of(folder))


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="this onnxruntime has CUDA")
def test_cuda_without_a_cuda_onnxruntime_is_refused_and_auto_takes_the_cpu(folder: Path) -> None:
    with pytest.raises(ValueError, match="device is cuda, but"):
        check_teacher(colour_card(), folder_of(folder), "cuda")
    check_teacher(colour_card(), folder_of(folder), "auto")


def test_a_teacher_is_opened_once_a_process(folder: Path) -> None:
    card = colour_card()
    files = teacher_files(card, folder_of(folder))
    assert open_teacher(card, files, "cpu") is open_teacher(card, files, "cpu")
