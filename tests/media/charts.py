"""A chart of colours, coded in the ways of cameras and masters: as frames, and read back from images."""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np

BT709, BT601, SMPTE240M, BT2020_NCL = 1, 5, 7, 9
"""`colorspace` of a frame."""
SDR, PQ, HLG = 1, 16, 18
"""`color_trc` of a frame."""
BT709_PRIMARIES, BT2020_PRIMARIES, P3_PRIMARIES = 1, 9, 12
LIMITED, FULL = 1, 2

ROWS, COLUMNS, PATCH = 6, 8, 24

RGB_TO_XYZ = {
    BT709_PRIMARIES: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    BT2020_PRIMARIES: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    P3_PRIMARIES: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
"""Chromaticities x, y of red, green and blue; white is D65."""
WHITE_XY = (0.3127, 0.3290)


def chart() -> np.ndarray:
    """Greys, primaries and 34 other colours: uint8 [ROWS, COLUMNS, 3], RGB."""
    colours = np.random.default_rng(3).integers(0, 256, (ROWS, COLUMNS, 3))
    colours[0] = np.linspace(0, 255, COLUMNS)[:, None]
    colours[1, :6] = 255 * np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1]])
    return colours.astype(np.uint8)


def enlarged(colours: np.ndarray, patch: int = PATCH) -> np.ndarray:
    return np.kron(colours, np.ones((patch, patch, 1), colours.dtype))


def patches(rgb: np.ndarray) -> np.ndarray:
    """Mean colour of the middle of each patch: float [ROWS, COLUMNS, 3]."""
    row, column = rgb.shape[0] / ROWS, rgb.shape[1] / COLUMNS
    return np.array(
        [
            [
                rgb[int((y + 0.3) * row) : int((y + 0.7) * row), int((x + 0.3) * column) : int((x + 0.7) * column)]
                .reshape(-1, 3)
                .mean(0)
                for x in range(COLUMNS)
            ]
            for y in range(ROWS)
        ]
    )


def coded(
    rgb: np.ndarray, pixels: str, matrix: int, transfer: int = SDR, primaries: int = BT709_PRIMARIES, full: bool = False
) -> av.VideoFrame:
    """A frame with its tags, from RGB that is coded already: uint8 or uint16 [height, width, 3]."""
    source = av.VideoFrame.from_ndarray(rgb, format="rgb24" if rgb.dtype == np.uint8 else "rgb48le")
    frame = source.reformat(format=pixels, dst_colorspace=matrix, dst_color_range=FULL if full else LIMITED)
    frame.colorspace, frame.color_trc, frame.color_primaries = matrix, transfer, primaries
    frame.color_range = FULL if full else LIMITED
    return frame


def to_xyz(primaries: int) -> np.ndarray:
    """Matrix from linear RGB to XYZ, from the chromaticities (SMPTE RP 177-1993)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in RGB_TO_XYZ[primaries]]).T
    white = np.array([WHITE_XY[0] / WHITE_XY[1], 1, (1 - sum(WHITE_XY)) / WHITE_XY[1]])
    return columns * np.linalg.solve(columns, white)


def in_gamut(rgb: np.ndarray, primaries: int, curve: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Linear RGB of other primaries, float, of uint8 pixels in BT.709."""
    change = np.linalg.inv(to_xyz(primaries)) @ to_xyz(BT709_PRIMARIES)
    return np.maximum(curve(rgb / 255) @ change.T, 0)


def srgb_curve(signal: np.ndarray) -> np.ndarray:
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def bt1886_curve(signal: np.ndarray) -> np.ndarray:
    return signal**2.4


def pq_signal(nits: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084, equation 5.2."""
    power = (nits / 10_000) ** (2610 / 16384)
    signal: np.ndarray = ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    return signal


def hlg_signal(nits: np.ndarray) -> np.ndarray:
    """ITU-R BT.2100-2, table 5, for a display of 1000 nits."""
    display = nits / 1000
    luminance = np.maximum(display @ [0.2627, 0.6780, 0.0593], 1e-9)[..., None]
    scene = display * luminance ** (1 / 1.2 - 1)
    upper = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.minimum(np.where(scene <= 1 / 12, np.sqrt(3 * scene), upper), 1)


def sixteen_bits(signal: np.ndarray) -> np.ndarray:
    return (65535 * np.clip(signal, 0, 1) + 0.5).astype(np.uint16)
