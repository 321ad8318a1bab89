"""A still image under sound is distinguished from a picture in which something moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.scripted import Encoding, Shot, shoot, write_film
from xmodal_kedro.media.container import open_media, packets
from xmodal_kedro.media.frame_store import Interval
from xmodal_kedro.media.still_picture import AROUND_S, StillWatch
from xmodal_kedro.media.video_stream import choose_video
from xmodal_kedro.media.video_track import VideoTrack
from xmodal_kedro.params import ClipParams

FPS = 10
PHOTO = next(shoot(Shot(7, noise=5), 1))
TITLE = cv2.putText(np.full_like(PHOTO, 60), "My Song", (30, 110), 0, 2, (255, 255, 255), 4)

ENCODINGS = {
    "x264": Encoding("libx264", ".mp4", gop_size=50),
    "x264-long": Encoding("libx264", ".mkv", gop_size=10_000),
    "x264-poor": Encoding("libx264", ".mp4", gop_size=50, options={"crf": "35"}),
    "x264-bit-rate": Encoding("libx264", ".mkv", gop_size=50, bit_rate=200_000),
    "x265": Encoding("libx265", ".mp4", gop_size=50, options={"x265-params": "log-level=none"}),
    "vp9": Encoding("libvpx-vp9", ".webm", gop_size=50, options={"deadline": "realtime", "cpu-used": "8"}),
    "vp8": Encoding("libvpx", ".webm", gop_size=50, options={"deadline": "realtime", "cpu-used": "8"}),
    "vp8-bit-rate": Encoding("libvpx", ".webm", gop_size=128, bit_rate=2_000_000),
    "mpeg4": Encoding("mpeg4", ".avi", gop_size=50, bit_rate=800_000),
    "mpeg2": Encoding("mpeg2video", ".mpg", gop_size=15, bit_rate=2_000_000),
    "mjpeg": Encoding("mjpeg", ".avi", "yuvj420p", options={"qmin": "3", "qmax": "3"}),
    "keyframes": Encoding("libx264", ".mp4", gop_size=1),
}


@dataclass(frozen=True)
class Scene:
    """What happens in front of an image: a function of it, a time in seconds and random numbers."""

    change: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    duration_s: float = 24.0

    def frames(self, image: np.ndarray, fps: int = FPS) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(0)
        for number in range(round(self.duration_s * fps)):
            yield self.change(image.copy(), number / fps, rng)


def mouth(image: np.ndarray, time_s: float, _: np.random.Generator) -> np.ndarray:
    """A small mouth that speaks, in front of a photograph."""
    return cv2.ellipse(image, (160, 100), (9, round(3 + 5 * abs(np.sin(5 * time_s)))), 0, 0, 360, (120, 30, 30), -1)


def noise(image: np.ndarray, _: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(image + 4 * rng.standard_normal(image.shape, np.float32), 0, 255).astype(np.uint8)


def slides(image: np.ndarray, time_s: float, _: np.random.Generator) -> np.ndarray:
    return np.ascontiguousarray(np.roll(image, 40 * int(time_s // 10), axis=1)[:: -1 if time_s % 20 >= 10 else 1])


STILL = Scene(lambda image, *_: image)
MOVING = {"mouth": Scene(mouth), "noise": Scene(noise), "slides": Scene(slides, 40.0)}


def still_shares(path: Path, each_s: float = 4.0) -> float:
    """Share of successive stretches of a file that are still, once all is read."""
    with open_media(str(path), glance=True) as container:
        stream = choose_video(str(path), container)
        assert stream is not None
        track = VideoTrack(stream, ClipParams())
        for packet in packets(container, stream):
            track.look_at(packet)
        track.finish()
    assert track.start_s is not None
    starts_s = np.arange(track.start_s, track.last_s, each_s)
    return float(np.mean([track.is_still(Interval(start_s, start_s + each_s)) for start_s in starts_s]))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_one_image_is_still(tmp_path, encoding):
    for name, image in (("photo", PHOTO), ("title", TITLE)):
        path = write_film(tmp_path / name, ENCODINGS[encoding], STILL.frames(image))
        assert still_shares(path) == 1


@pytest.mark.parametrize(
    ("encoding", "scene"),
    [
        *((encoding, "mouth") for encoding in ENCODINGS),
        *((encoding, "noise") for encoding in ("x264", "x264-long", "mpeg2", "mjpeg", "keyframes", "vp8-bit-rate")),
        *((encoding, "slides") for encoding in ("x264", "x264-poor", "vp9", "vp8-bit-rate", "mjpeg")),
    ],
)
def test_what_moves_is_not_still(tmp_path, encoding, scene):
    assert still_shares(write_film(tmp_path / "film", ENCODINGS[encoding], MOVING[scene].frames(PHOTO))) == 0


@pytest.mark.parametrize("motion", [Shot(1, pan=20), Shot(2, zoom=1.02), Shot(3, shake=1), Shot(4, objects=1)], ids=str)
def test_a_camera_that_moves_is_not_still(tmp_path, motion):
    path = write_film(tmp_path / "film", ENCODINGS["x264"], shoot(motion, 200))

    assert still_shares(path) == 0


def test_a_slow_frame_rate_changes_nothing(tmp_path):
    once_a_second = STILL.frames(PHOTO, fps=1)

    assert still_shares(write_film(tmp_path / "song", ENCODINGS["x264"], once_a_second, fps=1)) == 1


def test_an_image_between_films_is_still_where_nothing_else_is_near(tmp_path):
    still = [PHOTO] * (100 * FPS)
    path = write_film(tmp_path / "film", ENCODINGS["x264"], [*shoot(Shot(1, pan=40), 100), *still])

    assert 0.5 < still_shares(path) < 0.75


def test_real_recordings_are_not_still(real_data):
    names = sorted(path for path in (real_data / "videos").iterdir() if path.stat().st_size < 600_000)
    shares = {}
    for path in names[:20]:
        with av.open(str(path), metadata_errors="ignore") as container:
            long = container.streams.video and (container.duration or 0) > 3_000_000
        if long:
            shares[path.name] = still_shares(path)
    assert set(shares.values()) == {0.0}, shares


@given(change_s=st.floats(0, 200), start_s=st.floats(0, 200))
def test_a_change_counts_for_so_long_on_both_sides(change_s, start_s):
    watch = StillWatch(64, 36)
    for time_s, level in ((0.0, 100), (change_s, 100), (change_s + 0.1, 150), (300.0, 150)):
        watch.add_frame(time_s, np.full((18, 32), level, np.uint8))

    near = change_s + 0.1 >= start_s - AROUND_S and change_s <= start_s + 4 + AROUND_S
    assert watch.is_still(start_s, start_s + 4) != near


def test_nothing_seen_is_not_still():
    assert not StillWatch(64, 36).is_still(0.0, 4.0)
