from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media.scripted import CUTS_S, FPS, Demuxer, Encoding, Shot, film, shoot, write_film
from xmodal_kedro.media.shots.boundaries import ShotBoundaryDetector
from xmodal_kedro.media.shots.packet_evidence import Gop
from xmodal_kedro.media.shots.thumbnails import cuts_among, luma_thumbnail

NO_SCENE_CUT = {"preset": "veryfast", "x264-params": "scenecut=0"}
ENCODINGS = {
    "x264": Encoding("libx264", options={"preset": "fast"}),
    "x264, a keyframe every 2.5 s": Encoding("libx264", gop_size=25, options=NO_SCENE_CUT),
    "x264, a keyframe every 25 s": Encoding("libx264", gop_size=250, options=NO_SCENE_CUT),
    "x264, 40 kbit/s": Encoding("libx264", bit_rate=40_000, options={"preset": "veryfast"}),
    "mpeg4": Encoding("mpeg4", bit_rate=500_000),
    "mpeg2": Encoding("mpeg2video", ".ts", gop_size=12, bit_rate=1_500_000),
    "vp8": Encoding("libvpx", ".webm", bit_rate=400_000, options={"deadline": "realtime", "cpu-used": "8"}),
    "mjpeg": Encoding("mjpeg", ".mov", "yuvj420p"),
    "hevc": Encoding("libx265", options={"preset": "ultrafast", "x265-params": "log-level=error"}),
    "av1": Encoding("libsvtav1", options={"preset": "12", "svtav1-params": "lp=1"}),
}


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return list(film())


def film_start_s(path: Path) -> float:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return float((stream.start_time or 0) * stream.time_base)


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_at_least_13_of_14_hard_cuts_are_found_within_a_frame_and_no_other(
    tmp_path: Path, pictures: list[np.ndarray], encoding: Encoding
) -> None:
    path = write_film(tmp_path / "film", encoding, pictures)
    cuts_s = np.array(Demuxer(path).cuts()) - film_start_s(path)
    off_s = np.abs(cuts_s[:, None] - np.array(CUTS_S))
    assert (off_s.min(axis=0) < 1.1 / FPS).sum() >= 13
    assert (off_s.min(axis=1) < 1.1 / FPS).all()


def flashes() -> Iterator[np.ndarray]:
    for index, picture in enumerate(shoot(Shot(11, noise=3), 120)):
        yield np.clip(picture.astype(int) + 150, 0, 255).astype(np.uint8) if index % 23 == 15 else picture


def dissolve() -> Iterator[np.ndarray]:
    for index, (first, second) in enumerate(zip(shoot(Shot(12), 120), shoot(Shot(13, pan=20), 120), strict=True)):
        share = np.clip((index - 50) / 20, 0, 1)
        yield (first * (1 - share) + second * share).astype(np.uint8)


UNCUT = {
    "still": lambda: shoot(Shot(1), 120),
    "noise": lambda: shoot(Shot(2, noise=12), 120),
    "pan": lambda: shoot(Shot(3, pan=60), 120),
    "fast pan": lambda: shoot(Shot(4, pan=400), 120),
    "zoom": lambda: shoot(Shot(5, zoom=1.1), 120),
    "shaking camera": lambda: shoot(Shot(6, shake=3), 120),
    "moving objects": lambda: shoot(Shot(7, objects=5, noise=3), 120),
    "dissolve": dissolve,
}


@pytest.mark.parametrize("encoding", ["x264", "x264, a keyframe every 2.5 s", "mpeg4", "mjpeg"])
@pytest.mark.parametrize("shots", UNCUT.values(), ids=UNCUT.keys())
def test_what_moves_or_dissolves_is_no_cut(tmp_path: Path, shots, encoding: str) -> None:
    assert Demuxer(write_film(tmp_path / "film", ENCODINGS[encoding], shots())).cuts() == []


@pytest.mark.parametrize("encoding", ["x264", "x264, a keyframe every 2.5 s"])
def test_a_flash_of_one_frame_is_no_cut(tmp_path: Path, encoding: str) -> None:
    assert Demuxer(write_film(tmp_path / "film", ENCODINGS[encoding], flashes())).cuts() == []


def test_still_scenes_of_an_encoder_that_finds_cuts_itself_are_never_decoded(tmp_path: Path) -> None:
    demuxer = Demuxer(write_film(tmp_path / "film", ENCODINGS["x264"], islice(film((4.1, 9.7), 15.0), 150)))
    assert demuxer.cuts() == pytest.approx([4.1, 9.7])
    assert demuxer.decoded_on_demand == 0


def test_a_large_packet_of_the_same_scene_costs_few_frames(tmp_path: Path) -> None:
    still, grainy = next(iter(shoot(Shot(1), 1))), list(shoot(Shot(1, noise=12), 4))
    pictures = [still] * 60 + grainy + [still] * 60
    demuxer = Demuxer(write_film(tmp_path / "film", ENCODINGS["x264, a keyframe every 25 s"], pictures))
    assert demuxer.cuts() == []
    assert 0 < demuxer.decoded_on_demand <= 6


def test_a_keyframe_that_cannot_be_decoded_ends_no_search() -> None:
    stream = av.open("/dev/null", "w", format="null").add_stream("mpeg4")
    packet = av.Packet(b"nothing")
    packet.stream = stream
    finder = ShotBoundaryDetector(lambda gop: iter(()))
    gop = Gop([packet] * 3, [0.0, 0.5, 1.0], [900, 10, 800], None)
    assert finder.look_at(gop, (1.5, None)) == []
    assert finder.look_at(gop, None) == []


def test_cuts_among_frames_are_the_first_frames_of_new_shots(pictures: list[np.ndarray]) -> None:
    thumbnails = [luma_thumbnail(av.VideoFrame.from_ndarray(picture, format="rgb24")) for picture in pictures]
    times_s = [index / FPS for index in range(len(thumbnails))]
    assert cuts_among(times_s, thumbnails) == pytest.approx(CUTS_S)
    assert cuts_among(times_s[:1], thumbnails[:1]) == cuts_among([], []) == []


def test_a_change_of_light_is_no_cut() -> None:
    picture = np.arange(18 * 32, dtype=np.uint8).reshape(18, 32) // 2
    assert cuts_among(range(8), [picture] * 4 + [picture + 100] * 4) == []


@pytest.mark.parametrize("pixels", ["yuv420p", "yuvj422p", "nv12", "gray", "yuv420p10le", "yuyv422", "rgb24", "gbrp"])
def test_thumbnails_are_alike_in_every_pixel_format(pixels: str) -> None:
    picture = next(shoot(Shot(8), 1))
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    thumbnail = luma_thumbnail(frame.reformat(format=pixels, threads=1))
    expected = luma_thumbnail(frame.reformat(format="gray", threads=1))
    assert thumbnail.shape == (18, 32)
    assert thumbnail.dtype == np.uint8
    assert np.corrcoef(thumbnail.ravel(), expected.ravel())[0, 1] > 0.99


def test_pictures_smaller_than_a_thumbnail_have_one() -> None:
    assert luma_thumbnail(av.VideoFrame(16, 8, "yuv420p")).shape == (18, 32)
