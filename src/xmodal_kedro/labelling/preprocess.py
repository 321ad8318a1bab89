"""From a clip's stored pictures and sound to what a teacher is fed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from xmodal_kedro.audio.log_mel import MEL_BANDS, LogMel, frame_patches, samples_for_frames
from xmodal_kedro.params import ImageInput, LogMelInput, TeacherInput
from xmodal_kedro.pcm import INT16_FULL_SCALE

Pictures = NDArray[Any]
"""uint8 or float32."""


def image_batch(jpegs: Sequence[bytes], spec: ImageInput) -> Pictures:
    """Decode pictures into one batch.

    The short side is scaled to `spec.resize_px` (area averaging when shrinking, bilinear when growing) and the
    centre square of `spec.crop_px` is taken.

    Args:
        jpegs: encoded pictures, at least one.
        spec: the teacher's input.

    Returns:
        RGB, `uint8` or `float32` as `spec.dtype` says; [batch, height, width, 3] for NHWC, [batch, 3, height, width]
        for NCHW.

    Raises:
        ValueError: naming the position of a picture that cannot be decoded.
    """
    batch_BHWC: Pictures = np.stack([_centre_crop(_decode(jpeg, at), spec) for at, jpeg in enumerate(jpegs)])
    if spec.dtype == "float32":
        mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
        batch_BHWC = (batch_BHWC.astype(np.float32) / np.float32(255) - mean) / std
    return np.ascontiguousarray(batch_BHWC.transpose(0, 3, 1, 2)) if spec.layout == "NCHW" else batch_BHWC


def log_mel_batch(audio_int16: NDArray[np.int16], spec: LogMelInput) -> NDArray[np.float32]:
    """Cut one clip's sound into log-mel patches.

    A clip shorter than a patch is padded with zeros to one; at the end, less than a hop of sound may fall outside
    the last patch.

    Args:
        audio_int16: [samples], 16 kHz mono.
        spec: the teacher's input.

    Returns:
        float32 [patches, 1, patch_frames, 64].
    """
    missing = max(0, samples_for_frames(spec.patch_frames) - len(audio_int16))
    audio_T = np.pad(audio_int16, (0, missing)).astype(np.float32) / np.float32(INT16_FULL_SCALE)
    with torch.inference_mode():
        log_mel_BFM = _log_mel(spec.log_offset)(torch.from_numpy(audio_T)[None])
        patches_BPFM = frame_patches(log_mel_BFM, spec.patch_frames, spec.hop_frames)
    patches: NDArray[np.float32] = patches_BPFM[0, :, None].contiguous().numpy()
    return patches


def blank_batch(spec: TeacherInput) -> NDArray[Any]:
    """A batch of one row of zeros, of the shape and type that the two functions above give."""
    if isinstance(spec, LogMelInput):
        return np.zeros((1, 1, spec.patch_frames, MEL_BANDS), np.float32)
    square = (spec.crop_px, spec.crop_px)
    return np.zeros((1, *square, 3) if spec.layout == "NHWC" else (1, 3, *square), spec.dtype)


def _decode(jpeg: bytes, at: int) -> Pictures:
    picture: Pictures | None = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise ValueError(f"picture {at} of {len(jpeg)} bytes cannot be decoded: make the clips again")
    return picture


def _centre_crop(picture_HWC: Pictures, spec: ImageInput) -> Pictures:
    height, width = picture_HWC.shape[:2]
    scale = spec.resize_px / min(height, width)
    if scale != 1:
        size = (round(width * scale), round(height * scale))
        picture_HWC = cv2.resize(picture_HWC, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = ((side - spec.crop_px) // 2 for side in picture_HWC.shape[:2])
    return picture_HWC[top : top + spec.crop_px, left : left + spec.crop_px]


@lru_cache(maxsize=4)
def _log_mel(log_offset: float) -> LogMel:
    return LogMel(log_offset).eval()
