import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from tests.teachers.fixtures import jpeg, tone
from xmodal_kedro.params import ImageInput, LogMelInput, WaveformInput
from xmodal_kedro.teachers.preprocess import clip_rows, image_batch, log_mel_batch, window_batch


def test_uint8_images_are_rgb_as_decoded() -> None:
    batch = image_batch([jpeg(250, 10, 20)], ImageInput(kind="image", layout="NHWC", dtype="uint8"))
    assert batch.shape == (1, 224, 224, 3)
    assert batch.dtype == np.uint8
    np.testing.assert_allclose(batch[0, 100, 100], (250, 10, 20), atol=3)


def test_float_images_are_standardised_per_channel_in_channels_first_layout() -> None:
    spec = ImageInput(kind="image", mean=(0.5, 0.25, 0), std=(0.5, 0.25, 2))
    batch = image_batch([jpeg(255, 0, 255), jpeg(0, 0, 0)], spec)
    assert batch.shape == (2, 3, 224, 224)
    assert batch.dtype == np.float32
    np.testing.assert_allclose(batch[:, :, 5, 5], [[1, -1, 0.5], [-1, -1, 0]], atol=0.03)


@pytest.mark.parametrize(("height", "width"), [(120, 90), (90, 120), (300, 1000), (34, 38), (64, 64)])
def test_the_centre_square_is_taken_after_scaling_the_short_side(height: int, width: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    cv2.circle(image, (width // 2, height // 2), min(height, width) // 6, (255, 255, 255), -1)
    encoded = cv2.imencode(".png", image)[1].tobytes()
    batch = image_batch([encoded], ImageInput(kind="image", layout="NHWC", dtype="uint8", resize_px=64, crop_px=48))
    rows, columns = np.nonzero(batch[0, :, :, 0] > 127)
    assert batch.shape == (1, 48, 48, 3)
    assert abs(rows.mean() - 23.5) < 2 and abs(columns.mean() - 23.5) < 2
    assert abs(len(rows) - np.pi * (64 / 6) ** 2) < 80


def test_a_picture_that_cannot_be_decoded_is_named_by_position() -> None:
    with pytest.raises(ValueError, match="frame 1 of 9 bytes cannot be decoded"):
        image_batch([jpeg(0, 0, 0), b"no jpeg.."], ImageInput(kind="image"))


def test_a_crop_larger_than_the_scaled_picture_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"crop_px \(224\) exceeds input.resize_px \(128\)"):
        ImageInput(kind="image", resize_px=128)


def test_sound_is_cut_into_overlapping_patches_with_the_tone_in_its_band() -> None:
    patches = log_mel_batch(np.frombuffer(tone(1000), np.int16), LogMelInput(kind="log_mel"))
    assert patches.shape == (7, 1, 96, 64)
    assert patches.dtype == np.float32
    mel = 1127 * np.log1p(np.array([125, 1000, 7500]) / 700)
    band = (mel[1] - mel[0]) / (mel[2] - mel[0]) * 65 - 1
    assert abs(patches.mean(axis=(0, 1, 2)).argmax() - band) <= 1


@pytest.mark.parametrize("samples", [0, 1, 399, 15_599, 15_600])
def test_sound_shorter_than_a_patch_is_padded_to_one(samples: int) -> None:
    patches = log_mel_batch(np.full(samples, 99, np.int16), LogMelInput(kind="log_mel", log_offset=0.001))
    assert patches.shape == (1, 1, 96, 64)
    assert np.isfinite(patches).all()


def test_the_channel_of_patches_is_left_out_where_the_card_says_so() -> None:
    sound = np.frombuffer(tone(1000), np.int16)
    with_channel = log_mel_batch(sound, LogMelInput(kind="log_mel"))
    without = log_mel_batch(sound, LogMelInput(kind="log_mel", layout="NFM"))
    np.testing.assert_array_equal(without, with_channel[:, 0])


def test_sound_is_cut_into_windows_in_full_scale() -> None:
    sound = np.arange(-32_768, 32_768, 2, dtype=np.int16)
    windows = window_batch(sound, WaveformInput(kind="waveform", window_s=0.5, hop_s=0.3))
    assert windows.shape == (6, 8000)
    assert windows.dtype == np.float32
    np.testing.assert_array_equal(windows[1], sound[4800:12_800] / 32_768)


@pytest.mark.parametrize("samples", [0, 1, 7999, 8000, 8001])
def test_sound_shorter_than_a_window_is_padded_to_one(samples: int) -> None:
    windows = window_batch(np.full(samples, 99, np.int16), WaveformInput(kind="waveform", window_s=0.5))
    assert windows.shape == (1, 8000)
    assert np.count_nonzero(windows) == min(samples, 8000)


def test_sound_is_resampled_to_the_models_rate() -> None:
    sound = np.frombuffer(tone(1000), np.int16)
    (window,) = window_batch(sound, WaveformInput(kind="waveform", sample_rate_hz=32_000, window_s=4))
    assert window.shape == (128_000,)
    assert np.abs(np.fft.rfft(window)).argmax() / 4 == pytest.approx(1000, abs=1)
    assert window.std() == pytest.approx((sound / 32_768).std(), rel=1e-3)


def test_a_clip_has_a_row_of_each_picture_patch_or_window() -> None:
    sound = np.frombuffer(tone(1000), np.int16)
    assert [row.shape for row in clip_rows([jpeg(0, 0, 0)] * 2, ImageInput(kind="image"))] == [(3, 224, 224)] * 2
    assert clip_rows([], ImageInput(kind="image")) == []
    assert [row.shape for row in clip_rows(sound, LogMelInput(kind="log_mel"))] == [(1, 96, 64)] * 7
    assert [row.shape for row in clip_rows(sound, WaveformInput(kind="waveform"))] == [(15_360,)] * 7
