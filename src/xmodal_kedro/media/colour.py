"""Frames as sRGB pixels, whatever their colours are coded in: high dynamic range, wide gamuts, any matrix and depth."""

from __future__ import annotations

from enum import IntEnum
from functools import cache

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc, Interpolation

SDR_WHITE_NITS = 203.0
"""Luminance of diffuse white in PQ and HLG (ITU-R BT.2408-7, table 1). It becomes the white of the result, nearly."""

OLD_WHITE_NITS = 100.0
"""Where zimg, and FFmpeg's filter `zscale`, put the white of SDR unless options say otherwise."""

NEAR_WHITE, ABOVE_WHITE, MIN_WHITE_SHARE, MAX_ABOVE_SHARE = 0.04, 1.1, 0.005, 0.002
"""A frame is SDR of the latter kind if at least the one share of its pixels are within the first of that white, and at
most the other share exceed the second times it."""

HLG_PEAK_NITS, HLG_GAMMA = 1000.0, 1.2
"""The display that HLG is shown on, and the exponent of its system (ITU-R BT.2100-2, table 5)."""

KNEE, PEAK = 0.85, 1000.0 / SDR_WHITE_NITS
"""Linear levels, diffuse white 1.0: colours below the first are kept, the second becomes the brightest."""

SRGB_GAMMA = 2.2
"""Of the display that the result is for: the pure power nearest to the curves of sRGB and BT.1886."""

MIN_HD_WIDTH, MAX_SD_HEIGHT = 1280, 576
"""Untagged frames of this width or above this height are taken for HD, whose matrix is BT.709, others for BT.601."""


class Matrix(IntEnum):
    """`colorspace` of a frame (ISO/IEC 23091-2, table 4)."""

    BT709 = 1
    FCC = 4
    BT470BG = 5
    SMPTE170M = 6
    SMPTE240M = 7
    BT2020_NCL = 9
    BT2020_CL = 10


MATRICES = {
    Matrix.BT709: Colorspace.ITU709,
    Matrix.FCC: Colorspace.FCC,
    Matrix.BT470BG: Colorspace.ITU601,
    Matrix.SMPTE170M: Colorspace.ITU601,
    Matrix.SMPTE240M: Colorspace.SMPTE240M,
    Matrix.BT2020_NCL: Colorspace.BT2020,
    Matrix.BT2020_CL: Colorspace.BT2020,
}

BT2020_TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]], np.float32
)
"""Linear RGB of BT.2020 to that of BT.709 (ITU-R BT.2407-0, section 2.1)."""
P3_TO_BT709 = np.array(
    [[1.224940, -0.224940, 0.0], [-0.042057, 1.042057, 0.0], [-0.019638, -0.078636, 1.098274]], np.float32
)
"""The same for Display P3 (SMPTE EG 432-1, white D65)."""
BT2020_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)

GAMUTS = {
    ColorPrimaries.BT2020: BT2020_TO_BT709,
    ColorPrimaries.SMPTE431: P3_TO_BT709,
    ColorPrimaries.SMPTE432: P3_TO_BT709,
}
HDR = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)


def bgr_pixels(frame: VideoFrame, width: int, height: int) -> np.ndarray:
    """A frame, scaled, in the colours of sRGB: uint8 [height, width, 3]. What is transparent is on black.

    Frames in YUV are scaled before they are converted, with half the chroma's resolution, as the JPEG has it too. That
    is five times faster than converting first.
    """
    matrix, gamut = _matrix_of(frame), _gamut_of(frame)
    if frame.color_trc in HDR or gamut is not None:
        return _standard_pixels(_scaled(frame, width, height, "rgb48le", matrix), frame.color_trc, gamut)
    if any(component.is_alpha for component in frame.format.components):
        pixels = _scaled(frame, width, height, "bgra", matrix)
        opaque: np.ndarray = (pixels[..., :3] * (pixels[..., 3:] / np.float32(255)) + 0.5).astype(np.uint8)
        return opaque
    if frame.format.name.startswith("yuv"):
        frame = frame.reformat(width, height, "yuv420p", interpolation=Interpolation.AREA, threads=1)
    return _scaled(frame, width, height, "bgr24", matrix)


def _scaled(frame: VideoFrame, width: int, height: int, pixels: str, matrix: Colorspace) -> np.ndarray:
    area = Interpolation.AREA
    return frame.reformat(width, height, pixels, src_colorspace=matrix, interpolation=area, threads=1).to_ndarray()


def _matrix_of(frame: VideoFrame) -> Colorspace:
    """The matrix between the frame's YUV and RGB, guessed from its primaries or its size where it has no tag."""
    if frame.colorspace in MATRICES:
        return MATRICES[Matrix(frame.colorspace)]
    if frame.color_primaries == ColorPrimaries.BT2020:
        return Colorspace.BT2020
    is_hd = frame.width >= MIN_HD_WIDTH or frame.height > MAX_SD_HEIGHT
    return Colorspace.ITU709 if is_hd else Colorspace.ITU601


def _gamut_of(frame: VideoFrame) -> np.ndarray | None:
    """The matrix from the frame's linear RGB to that of BT.709; None if they are about the same."""
    if frame.color_primaries == ColorPrimaries.UNSPECIFIED:
        wide = frame.colorspace in (Matrix.BT2020_NCL, Matrix.BT2020_CL) or frame.color_trc in HDR
        return BT2020_TO_BT709 if wide else None
    return next((matrix for primaries, matrix in GAMUTS.items() if primaries == frame.color_primaries), None)


def _standard_pixels(rgb: np.ndarray, transfer: int, gamut: np.ndarray | None) -> np.ndarray:
    """sRGB of the frame's RGB: from uint16 [height, width, 3] to uint8 [height, width, 3] in the order BGR."""
    linear = _to_linear(transfer)[rgb]
    if transfer == ColorTrc.ARIB_STD_B67:
        luminance = linear @ BT2020_LUMINANCE
        linear *= np.power(np.maximum(luminance, 1e-6), HLG_GAMMA - 1)[..., None] * (HLG_PEAK_NITS / SDR_WHITE_NITS)
    if gamut is not None:
        linear = linear @ gamut.T
    linear = np.maximum(linear, 0)
    if transfer in HDR:
        brightest = linear.max(2, keepdims=True)
        exposure = _exposure(brightest)
        linear, brightest = linear * exposure, brightest * exposure
        linear *= _compressed(brightest) / np.maximum(brightest, 1e-6)
    levels = np.power(np.minimum(linear[..., ::-1], 1), 1 / SRGB_GAMMA)
    pixels: np.ndarray = (255 * levels + 0.5).astype(np.uint8)
    return pixels


def _exposure(brightest: np.ndarray) -> float:
    """Factor that makes the frame's white 1, given the highest of each pixel's linear components."""
    level = brightest * (SDR_WHITE_NITS / OLD_WHITE_NITS)
    ends_there = np.mean(level > ABOVE_WHITE) < MAX_ABOVE_SHARE
    reaches_it = np.mean(np.abs(level - 1) < NEAR_WHITE) >= MIN_WHITE_SHARE
    return SDR_WHITE_NITS / OLD_WHITE_NITS if ends_there and reaches_it else 1.0


def _compressed(level: np.ndarray) -> np.ndarray:
    """Linear levels, those above the knee compressed so that the peak becomes 1 (Reinhard et al. 2002, equation 4)."""
    above, top = (np.maximum(level, KNEE) - KNEE) / (1 - KNEE), (PEAK - KNEE) / (1 - KNEE)
    compressed: np.ndarray = np.minimum(level, KNEE) + (1 - KNEE) * above * (1 + above / top**2) / (1 + above)
    return compressed


@cache
def _to_linear(transfer: int) -> np.ndarray:
    """Linear level of each 16-bit code, float32 [65536]: diffuse white is 1.0; for HLG, the scene's peak is.

    PQ and HLG after ITU-R BT.2100-2, tables 4 and 5.
    """
    signal = np.arange(65536) / 65535
    if transfer == ColorTrc.SMPTE2084:
        root = np.power(signal, 32 / 2523)
        nits = 10_000 * np.power(np.maximum(root - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * root), 8192 / 1305)
        return (nits / SDR_WHITE_NITS).astype(np.float32)
    if transfer == ColorTrc.ARIB_STD_B67:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
        return scene.astype(np.float32)
    return np.power(signal, SRGB_GAMMA).astype(np.float32)
