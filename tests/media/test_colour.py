"""Frames of any coding have the colours that they had in SDR."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.media.charts import (
    BT601,
    BT709,
    BT709_PRIMARIES,
    BT2020_NCL,
    BT2020_PRIMARIES,
    HLG,
    P3_PRIMARIES,
    PQ,
    SMPTE240M,
    bt1886_curve,
    chart,
    coded,
    enlarged,
    hlg_signal,
    in_gamut,
    patches,
    pq_signal,
    sixteen_bits,
    srgb_curve,
)
from tests.media.synthetic import RATE_HZ, beeps
from xmodal_kedro.media.clip_rows import ClipRow
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.media.colour import bgr_pixels
from xmodal_kedro.params import ClipParams

CHART = enlarged(chart())
SIGNALS = {PQ: pq_signal, HLG: hlg_signal}
UNTAGGED = 2


def off_by(frame: av.VideoFrame, expected: np.ndarray | None = None) -> float:
    """Mean difference of the patches' colours from the chart's, of 255."""
    found = patches(bgr_pixels(frame, 96, 72)[..., ::-1])
    return float(np.abs(found - (chart() if expected is None else expected)).mean())


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [BT601, BT709, SMPTE240M, BT2020_NCL])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p", "yuv420p10le", "yuv422p12le", "nv12", "p010le"])
def test_matrix_and_range_are_those_of_the_tags(pixels, matrix, full):
    assert off_by(coded(CHART, pixels, matrix, full=full)) < 2


def test_the_old_formats_of_full_range_are_read():
    assert off_by(coded(CHART, "yuvj420p", BT601, full=True)) < 2


@pytest.mark.parametrize(("matrix", "patch", "pixels"), [(BT601, 24, "yuv420p"), (BT709, 160, "yuv420p10le")])
def test_the_matrix_of_untagged_frames_is_that_of_their_size(matrix, patch, pixels):
    frame = coded(enlarged(chart(), patch), pixels, matrix)
    frame.colorspace, frame.color_primaries, frame.color_trc = UNTAGGED, UNTAGGED, UNTAGGED

    assert off_by(frame) < 2


@pytest.mark.parametrize("pixels", ["rgb24", "bgr0", "gbrp", "gbrp10le", "gbrp12le", "rgb48le", "rgba", "yuva420p"])
def test_every_kind_of_colour_pixels_gives_the_colours(pixels):
    assert off_by(av.VideoFrame.from_ndarray(CHART, format="rgb24").reformat(format=pixels, threads=1)) < 2


@pytest.mark.parametrize("pixels", ["gray", "gray10le", "gray12le", "gray16le", "ya8", "monob", "rgb555le", "rgb8"])
def test_every_other_kind_of_pixels_gives_an_image(pixels):
    grey = np.repeat(CHART[:24].mean(2, keepdims=True).astype(np.uint8), 3, 2)
    image = bgr_pixels(av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format=pixels, threads=1), 96, 12)

    assert image.shape == (12, 96, 3)
    levels = image[3:9].mean((0, 2))
    assert levels[-6:].mean() > 200
    assert levels[:6].mean() < 40


def test_what_is_transparent_is_on_black():
    pixels = np.dstack([CHART, np.full(CHART.shape[:2], 128, np.uint8)])
    pixels[:, : pixels.shape[1] // 2, 3] = 0
    frame = av.VideoFrame.from_ndarray(pixels, format="rgba")

    expected = chart() * np.array([0] * 4 + [128 / 255] * 4)[:, None]
    assert off_by(frame, expected) < 2


@pytest.mark.parametrize("curve", [srgb_curve, bt1886_curve])
@pytest.mark.parametrize("white_nits", [203, 100])
@pytest.mark.parametrize("transfer", SIGNALS)
def test_high_dynamic_range_has_the_colours_of_its_sdr_original(transfer, white_nits, curve):
    nits = white_nits * in_gamut(CHART, BT2020_PRIMARIES, curve)
    frame = coded(sixteen_bits(SIGNALS[transfer](nits)), "yuv420p10le", BT2020_NCL, transfer, BT2020_PRIMARIES)

    assert off_by(frame) < 8


@pytest.mark.parametrize("transfer", SIGNALS)
def test_highlights_are_brighter_than_white_and_differ(transfer):
    nits = np.array([203.0, 400.0, 1000.0])[None, :, None] * np.ones((32, 1, 3))
    wide = np.repeat(sixteen_bits(SIGNALS[transfer](nits)), 32, 1)
    image = bgr_pixels(coded(wide, "yuv444p10le", BT2020_NCL, transfer, BT2020_PRIMARIES), 96, 32)

    white, bright, brightest = (float(image[8:24, at : at + 16].mean()) for at in (8, 40, 72))
    assert 240 <= white < bright - 1 < brightest - 2
    assert brightest >= 254


@pytest.mark.parametrize("curve", [srgb_curve, bt1886_curve])
@pytest.mark.parametrize(("primaries", "matrix"), [(BT2020_PRIMARIES, BT2020_NCL), (P3_PRIMARIES, BT709)])
def test_wide_gamuts_have_the_colours_of_their_sdr_original(primaries, matrix, curve):
    exponent = 2.4 if curve is bt1886_curve else 2.2
    signal = in_gamut(CHART, primaries, curve) ** (1 / exponent)

    assert off_by(coded(sixteen_bits(signal), "yuv420p10le", matrix, primaries=primaries)) < 8


def test_greys_of_a_wide_gamut_are_not_changed():
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2).repeat(8, 0)

    image = bgr_pixels(coded(greys, "yuv444p", BT709, primaries=P3_PRIMARIES), 256, 8)

    assert np.abs(image.astype(int) - greys).max() <= 3


@pytest.mark.parametrize(("codec", "suffix"), [("libx265", ".mp4"), ("libx264", ".mkv"), ("ffv1", ".mkv")])
@pytest.mark.parametrize("transfer", SIGNALS)
def test_clips_of_files_in_high_dynamic_range_are_as_of_those_in_sdr(tmp_path, codec, suffix, transfer):
    nits = 203 * in_gamut(CHART, BT2020_PRIMARIES, srgb_curve)
    wide = coded(sixteen_bits(SIGNALS[transfer](nits)), "yuv420p10le", BT2020_NCL, transfer, BT2020_PRIMARIES)
    plain = coded(CHART, "yuv420p", BT709, primaries=BT709_PRIMARIES)

    found = first_image(write_frame(tmp_path / f"wide{suffix}", codec, wide))
    expected = first_image(write_frame(tmp_path / f"plain{suffix}", codec, plain))

    assert np.abs(patches(found) - patches(expected)).mean() < 8
    assert np.abs(patches(expected) - chart()).mean() < 8


@pytest.mark.parametrize(
    ("codec", "pixels"), [("png", "pal8"), ("png", "rgba"), ("png", "gray16be"), ("png", "ya8"), ("qtrle", "argb")]
)
def test_clips_of_screen_recordings_have_frames(tmp_path, codec, pixels):
    if pixels == "pal8":  # not made by swscale: an image and its palette
        frame = av.VideoFrame.from_ndarray((np.full((48, 64), 5, np.uint8), palette()), format="pal8")
    else:
        frame = av.VideoFrame.from_ndarray(CHART, format="rgb24").reformat(format=pixels, threads=1)

    image = first_image(write_frame(tmp_path / "screen.mov", codec, frame))

    assert image.std() > 10 or pixels == "pal8"
    if pixels == "pal8":
        assert image.mean((0, 1)) == pytest.approx([200, 100, 50], abs=6)


def palette() -> np.ndarray:
    """Colours of pal8, uint8 [256, 4] in the order ARGB; the fifth is orange."""
    colours = np.zeros((256, 4), np.uint8)
    colours[:, 0] = 255
    colours[5] = [255, 200, 100, 50]
    return colours


def write_frame(path: Path, codec: str, frame: av.VideoFrame) -> Path:
    """A file of 4 s that shows a frame, with its tags, and has beeps."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(
            codec,
            rate=10,
            width=frame.width,
            height=frame.height,
            pix_fmt=frame.format.name,
            options=QUALITY.get(codec),
        )
        context = video.codec_context
        if frame.format.name.startswith("yuv"):
            context.colorspace, context.color_range = frame.colorspace, frame.color_range
            context.color_trc, context.color_primaries = frame.color_trc, frame.color_primaries
        audio = container.add_stream("pcm_s16le" if path.suffix != ".mp4" else "aac", rate=RATE_HZ, layout="mono")
        for number in range(40):
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(video.encode(frame))
        sound = av.AudioFrame.from_ndarray(beeps(4.0)[None], format="flt", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        container.mux(audio.encode(sound) + audio.encode(None) + video.encode(None))
    return path


QUALITY = {"libx265": {"x265-params": "log-level=none:crf=10"}, "libx264": {"crf": "10"}}


def first_image(path: Path) -> np.ndarray:
    """The first frame of the first clip: uint8 [height, width, 3], RGB."""
    clip = next(
        item for item in clip_file(str(path), "0" * 32, ClipParams(jpeg_quality=98)) if isinstance(item, ClipRow)
    )
    image = cv2.imdecode(np.frombuffer(clip.frames[0], np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image[..., ::-1]
