"""Turns a clip's stored frames and audio into inputs of a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.features.framing import samples_for_frames
from xmodal_kedro.features.log_mel import MEL_BANDS, LogMel, frame_patches
from xmodal_kedro.params import ImageInput, LogMelInput, TeacherCard, TeacherInput, WaveformInput
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ, INT16_FULL_SCALE

Clip: TypeAlias = list[bytes] | NDArray[np.int16]
"""The part of a clip that a teacher scores: its frames as JPEGs, or its audio as int16 [samples], 16 kHz mono."""

Images: TypeAlias = NDArray[Any]
"""uint8 or float32."""


def input_of(card: TeacherCard) -> TeacherInput:
    """The input that the card describes.

    Raises:
        UserError: it describes none, as cards of models with their own processor do.
    """
    if card.input is None:
        raise UserError(f"the card of {card.weights!r} has no input: set the teacher's input in its card")
    return card.input


def clip_rows(clip: Clip, spec: TeacherInput) -> list[NDArray[Any]]:
    """Model-ready inputs of a clip: one for each frame, patch or window; none if there are no frames.

    Raises:
        UserError: naming the position of a frame that cannot be decoded.
    """
    if isinstance(spec, ImageInput):
        return list(image_batch(list(clip), spec)) if len(clip) else []
    audio_int16 = np.asarray(clip, np.int16)
    return list(log_mel_batch(audio_int16, spec) if isinstance(spec, LogMelInput) else window_batch(audio_int16, spec))


def image_batch(jpegs: Sequence[bytes], spec: ImageInput) -> Images:
    """Decode frames into one batch.

    The short side is scaled to `spec.resize_px` (area averaging when shrinking, bilinear when growing) and the
    centre square of `spec.crop_px` is taken.

    Args:
        jpegs: encoded frames, at least one.
        spec: the teacher's input.

    Returns:
        RGB, of type `spec.dtype` (`uint8` or `float32`): [batch, height, width, 3] for NHWC, [batch, 3, height, width]
        for NCHW.

    Raises:
        UserError: naming the position of a frame that cannot be decoded.
    """
    batch_BHWC: Images = np.stack([_centre_crop(image, spec) for image in decode_pictures(jpegs)])
    if spec.dtype == "float32":
        mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
        batch_BHWC = (batch_BHWC.astype(np.float32) / np.float32(255) - mean) / std
    return np.ascontiguousarray(batch_BHWC.transpose(0, 3, 1, 2)) if spec.layout == "NCHW" else batch_BHWC


def decode_pictures(jpegs: Sequence[bytes]) -> list[NDArray[np.uint8]]:
    """Decode frames to RGB, uint8 [height, width, 3] each.

    Raises:
        UserError: naming the position of a frame that cannot be decoded.
    """
    return [_decode(jpeg, index) for index, jpeg in enumerate(jpegs)]


def log_mel_batch(audio_int16: NDArray[np.int16], spec: LogMelInput) -> NDArray[np.float32]:
    """Cut a clip's audio into log-mel patches.

    A clip shorter than a patch is padded with zeros to one; at the end, less than a hop of audio may be left out after
    the last patch.

    Args:
        audio_int16: [samples], 16 kHz mono.
        spec: the teacher's input.

    Returns:
        float32 [patches, 1, patch_frames, 64] for the layout N1FM, otherwise [patches, patch_frames, 64]. Overlapping
        patches share memory.
    """
    audio_T = to_float(audio_int16)
    if (missing := samples_for_frames(spec.patch_frames) - len(audio_T)) > 0:
        audio_T = np.pad(audio_T, (0, missing))
    with torch.inference_mode():
        log_mel_BFM = _log_mel(spec.log_offset)(torch.from_numpy(audio_T)[None])
        patches_BPFM = frame_patches(log_mel_BFM, spec.patch_frames, spec.hop_frames)
    patches: NDArray[np.float32] = patches_BPFM[0].numpy()
    return patches[:, None] if spec.layout == "N1FM" else patches


def window_batch(audio_int16: NDArray[np.int16], spec: WaveformInput) -> NDArray[np.float32]:
    """Cut a clip's audio into windows.

    A clip shorter than a window is padded with zeros to one; at the end, less than a hop of audio may be left out after
    the last window.

    Args:
        audio_int16: [samples], 16 kHz mono.
        spec: the teacher's input.

    Returns:
        float32 [windows, samples] in [-1, 1], at `spec.sample_rate_hz`.
    """
    rate_hz = spec.sample_rate_hz or CLIP_SAMPLE_RATE_HZ
    audio_T = resample(to_float(audio_int16), rate_hz)
    length, hop = _window_samples(spec), max(1, round(spec.hop_s * rate_hz))
    padded_T = np.pad(audio_T, (0, max(0, length - len(audio_T))))
    return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(padded_T, length)[::hop])


def to_float(audio_int16: NDArray[np.int16]) -> NDArray[np.float32]:
    """Stored audio as float32 in [-1, 1)."""
    return np.multiply(audio_int16, np.float32(1 / INT16_FULL_SCALE), dtype=np.float32)


def resample(audio_T: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """Audio of a clip at another sample rate, by windowed sinc interpolation (torchaudio's)."""
    if rate_hz == CLIP_SAMPLE_RATE_HZ:
        return audio_T
    from torchaudio.functional import resample as sinc_resample

    with torch.inference_mode():
        resampled: NDArray[np.float32] = sinc_resample(torch.from_numpy(audio_T), CLIP_SAMPLE_RATE_HZ, rate_hz).numpy()
    return resampled


def blank_batch(spec: TeacherInput) -> NDArray[Any]:
    """A batch of one row of zeros, of the shape and type that the functions above return."""
    if isinstance(spec, WaveformInput):
        return np.zeros((1, _window_samples(spec)), np.float32)
    if isinstance(spec, LogMelInput):
        patch = (spec.patch_frames, MEL_BANDS)
        return np.zeros((1, 1, *patch) if spec.layout == "N1FM" else (1, *patch), np.float32)
    square = (spec.crop_px, spec.crop_px)
    return np.zeros((1, *square, 3) if spec.layout == "NHWC" else (1, 3, *square), spec.dtype)


def _window_samples(spec: WaveformInput) -> int:
    return max(1, round(spec.window_s * (spec.sample_rate_hz or CLIP_SAMPLE_RATE_HZ)))


def _decode(jpeg: bytes, index: int) -> NDArray[np.uint8]:
    image: Any = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise UserError(f"frame {index} of {len(jpeg)} bytes cannot be decoded: make the clips again")
    decoded: NDArray[np.uint8] = image
    return decoded


def _centre_crop(image_HWC: Images, spec: ImageInput) -> Images:
    """The square in the middle, after the shorter side is resized: [crop, crop, 3]."""
    height, width = image_HWC.shape[:2]
    scale = spec.resize_px / min(height, width)
    if scale != 1:
        size = (round(width * scale), round(height * scale))
        image_HWC = cv2.resize(image_HWC, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = ((side - spec.crop_px) // 2 for side in image_HWC.shape[:2])
    return image_HWC[top : top + spec.crop_px, left : left + spec.crop_px]


@lru_cache(maxsize=4)
def _log_mel(log_offset: float) -> LogMel:
    return LogMel(log_offset).eval()
