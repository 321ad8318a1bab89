"""Frames as images: upright, with square pixels, small."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import product
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.media.probing import row_of
from tests.media.synthetic import RATE_HZ, beeps
from xmodal_kedro.media.clip_rows import ClipRow
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.media.frames import Turn, shrunk
from xmodal_kedro.params import ClipParams

ONE = 65536
MATRICES = [
    *((x * ONE, 0, 0, y * ONE) for x, y in product((1, -1), repeat=2)),
    *((0, x * ONE, y * ONE, 0) for x, y in product((1, -1), repeat=2)),
]
"""The eight orientations as a, b, c, d of a display matrix."""
WIDTH, HEIGHT = 96, 64
PICTURE = np.zeros((HEIGHT, WIDTH), np.uint8)
"""White in its top left corner, grey in its bottom left one, black elsewhere."""
PICTURE[: HEIGHT // 3, : WIDTH // 3] = 255
PICTURE[-HEIGHT // 3 :, : WIDTH // 3] = 128


def corners_of(matrix: tuple[int, ...]) -> dict[str, tuple[int, int]]:
    """Where the left and the bottom white corners of the stored frame are seen: row and column, 0 or -1.

    The matrix takes a point (p, q) to (a p + c q, b p + d q), with q downwards.
    """
    a, b, c, d = (np.sign(value) for value in matrix)
    seen = {}
    for name, (p, q) in {"top left": (-1, -1), "bottom left": (-1, 1)}.items():
        x, y = a * p + c * q, b * p + d * q
        seen[name] = (-1 if y > 0 else 0, -1 if x > 0 else 0)
    return seen


def write(
    path: Path, *, matrix: tuple[int, ...] | None = None, aspect: Fraction | None = None, codec="libx264"
) -> Path:
    """4 s of beeps and of the picture."""
    image = np.repeat(PICTURE[..., None], 3, 2)
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=10, width=WIDTH, height=HEIGHT, pix_fmt="yuv420p")
        if matrix:
            a, b, c, d = matrix
            video.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        audio = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        for number in range(40):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p", threads=1)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(video.encode(frame))
        sound = av.AudioFrame.from_ndarray(beeps(4.0)[None], format="flt", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        container.mux(audio.encode(sound) + audio.encode(None) + video.encode(None))
    return path


def first_image(path: Path, short_side_px: int = 256) -> np.ndarray:
    clip = next(clip_file(str(path), "0" * 32, ClipParams(frame_short_side_px=short_side_px)))
    assert isinstance(clip, ClipRow)
    image = cv2.imdecode(np.frombuffer(clip.frames[0], np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    return image


def assert_corners(image: np.ndarray, matrix: tuple[int, ...]) -> None:
    middles = image[np.ix_([image.shape[0] // 8, -image.shape[0] // 8], [image.shape[1] // 8, -image.shape[1] // 8])]
    seen = corners_of(matrix)
    assert middles[seen["top left"]] > 220
    assert 90 < middles[seen["bottom left"]] < 170
    assert np.sort(middles.ravel())[1] < 30


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("matrix", MATRICES, ids=str)
def test_frames_are_turned_and_mirrored_as_their_matrix_says(tmp_path, matrix, suffix):
    path = write(tmp_path / f"turned{suffix}", matrix=matrix)

    image = first_image(path)

    assert image.shape == ((HEIGHT, WIDTH) if matrix[0] else (WIDTH, HEIGHT))
    assert_corners(image, matrix)


@pytest.mark.parametrize("matrix", MATRICES, ids=str)
def test_the_rotation_of_a_mirrored_recording_is_that_after_mirroring(tmp_path, matrix):
    a, b, c, d = (np.sign(value) for value in matrix)
    mirrored = a * d - b * c < 0
    row = row_of(write(tmp_path / "turned.mp4", matrix=matrix))

    upright = np.rot90(PICTURE[:, ::-1] if mirrored else PICTURE, row["rotation_deg"] // 90)
    expected = first_image(tmp_path / "turned.mp4")
    assert upright.shape == expected.shape
    assert np.abs(upright.astype(int) - expected).mean() < 20


def test_a_front_cameras_mirror_is_no_rotation(tmp_path):
    assert row_of(write(tmp_path / "selfie.mp4", matrix=(-ONE, 0, 0, ONE)))["rotation_deg"] == 0


def test_a_frame_without_a_matrix_is_not_turned():
    assert Turn.of(av.VideoFrame(8, 8, "yuv420p")) == Turn()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize(("aspect", "size"), [(Fraction(2), (192, 64)), (Fraction(1, 2), (96, 128)), (None, (96, 64))])
def test_pixels_become_square(tmp_path, aspect, size, suffix):
    path = write(tmp_path / f"wide{suffix}", aspect=aspect)

    assert first_image(path).shape[::-1] == size
    assert first_image(path, 32).shape[::-1] == tuple(round(side * 32 / min(size)) for side in size)


@pytest.mark.parametrize("codec", ["mpeg2video", "mpeg4"])
def test_the_pixels_of_a_stream_without_a_container_aspect_become_square(tmp_path, codec):
    path = write(tmp_path / "wide.ts", aspect=Fraction(32, 27), codec=codec)

    assert first_image(path).shape == (64, 114)


def test_pixels_become_square_before_the_frame_is_turned(tmp_path):
    path = write(tmp_path / "turned.mp4", aspect=Fraction(2), matrix=MATRICES[4])

    assert first_image(path).shape == (192, 64)


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        ((720, 576), Fraction(64, 45), (455, 256)),
        ((720, 480), Fraction(32, 27), (455, 256)),
        ((1440, 1080), Fraction(4, 3), (455, 256)),
        ((720, 480), Fraction(8, 9), (341, 256)),
        ((1920, 1080), None, (455, 256)),
        ((1920, 1080), Fraction(0), (455, 256)),
        ((1920, 1080), Fraction(2000, 1), (455, 256)),
        ((1920, 1080), Fraction(1, 2000), (455, 256)),
        ((100, 50), Fraction(1), (100, 50)),
        ((4000, 2), Fraction(1), (4000, 2)),
    ],
)
def test_the_size_is_that_of_square_pixels(size, aspect, expected):
    assert shrunk(av.VideoFrame(*size, "gray"), aspect, 256) == expected


def test_the_matrix_in_a_file_is_the_one_that_was_meant(tmp_path):
    content = write(tmp_path / "turned.mp4", matrix=MATRICES[1]).read_bytes()

    assert struct.pack(">9i", ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30) in content
