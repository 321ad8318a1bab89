"""The frames of a clip are on screen during it: checked against a plain decode, at any frame rate."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.media.synthetic import Coding, Frames, shown_number, write_media
from xmodal_kedro.media.clip_rows import Account, ClipRow
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.params import ClipParams

QUIET_X265 = (("x265-params", "log-level=none:open-gop=1"),)
SLOW = {"fps": 4, "b_frames": 3, "rate_hz": 16_000}
CODINGS = [
    Coding(".mkv", "libx264", "pcm_s16le", **SLOW),
    Coding(".mp4", "libx264", "aac", scene_threshold="0", **SLOW),
    Coding(".mkv", "libx265", "pcm_s16le", video_options=QUIET_X265, **SLOW),
    Coding(".webm", "libvpx-vp9", "libopus", fps=4, rate_hz=16_000),
    Coding(".mkv", "mpeg4", "pcm_s16le", **SLOW),
    Coding(".mov", "mjpeg", "pcm_s16le", "yuvj420p", fps=4, rate_hz=16_000),
]
SLIDES = {
    "every-5-s": [*range(0, 240, 20)],
    "every-10-s": [*range(0, 240, 40)],
    "uneven": [0, 3, 4, 31, 35, 36, 37, 90, 91, 92, 93, 140, 160, 161, 180],
    "one-for-minutes": [0, 1, 2],
    "first-is-late": [21, 60, 61, 62, 150],
}
RANDOM = np.random.default_rng(5)
SLIDES |= {f"random-{share}": sorted(RANDOM.choice(240, 240 * share // 100, replace=False)) for share in (4, 20)}


def frames_on_screen(path: Path) -> dict[int, tuple[float, float]]:
    """Start and end of each numbered frame, seconds, by a plain decode of the whole file."""
    with av.open(str(path)) as container:
        frames = [
            (float(frame.time), shown_number(frame.to_ndarray(format="gray", threads=1)))
            for frame in container.decode(video=0)
        ]
    times_s = [time_s for time_s, _ in frames]
    return {number: times for (_, number), times in zip(frames, pairwise([*times_s, np.inf]), strict=True)}


def cut(path: Path, params: ClipParams) -> tuple[list[ClipRow], Account]:
    *clips, account = clip_file(str(path), "0" * 32, params)
    return clips, account


def assert_on_screen(clips: list[ClipRow], frames: dict[int, tuple[float, float]], origin_s: float = 0.0) -> None:
    """Each frame of a clip is there during the clip, and its time is that of its start."""
    for clip in clips:
        assert clip.frames
        for jpeg, time_s in zip(clip.frames, clip.frame_times_s, strict=True):
            number = shown_number(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE))
            start_s, end_s = (time - origin_s for time in frames[number])
            assert start_s < clip.end_s and end_s > clip.start_s, (clip.start_s, clip.end_s, number, start_s, end_s)
            assert time_s == pytest.approx(start_s, abs=0.002)


@pytest.mark.parametrize("keyframe_every", [7, 10_000])
@pytest.mark.parametrize("slides", SLIDES)
@pytest.mark.parametrize("coding", CODINGS[:5], ids=str)
def test_a_clip_shows_what_is_on_screen_however_seldom_frames_come(tmp_path, coding, slides, keyframe_every):
    path = write_media(
        tmp_path / f"slides{coding.suffix}", coding, 60.0, frames=Frames(SLIDES[slides], keyframe_every=keyframe_every)
    )
    frames = frames_on_screen(path)

    clips, account = cut(path, ClipParams(coverage="everything"))

    assert_on_screen(clips, frames)
    first_s, last_s = (end(start_s for start_s, _ in frames.values()) for end in (min, max))
    params = ClipParams()
    assert account.unseen_spans <= max(0, first_s / params.min_s, (60 - last_s - params.max_s) / params.min_s)


@pytest.mark.parametrize("frames_per_clip", [1, 4])
@pytest.mark.parametrize("slides", ["every-5-s", "uneven", "random-20"])
@pytest.mark.parametrize("coding", CODINGS[:3], ids=str)
def test_frames_that_are_stored_early_are_those_on_screen(tmp_path, monkeypatch, coding, slides, frames_per_clip):
    monkeypatch.setattr("xmodal_kedro.media.video_track.MAX_PACKET_BYTES", 500)
    path = write_media(
        tmp_path / f"slides{coding.suffix}", coding, 60.0, frames=Frames(SLIDES[slides], keyframe_every=5)
    )

    clips, _ = cut(path, ClipParams(coverage="everything", frames_per_clip=frames_per_clip))

    assert_on_screen(clips, frames_on_screen(path))


@pytest.mark.parametrize("max_gop_s", [2.0, 30.0])
@pytest.mark.parametrize("coding", CODINGS[:4], ids=str)
def test_the_last_frame_before_a_pause_is_shown_during_it(tmp_path, monkeypatch, coding, max_gop_s):
    monkeypatch.setattr("xmodal_kedro.media.video_track.MAX_GOP_S", max_gop_s)
    bursts = [*range(19), *range(100, 118), 170, *range(200, 237)]
    coding = replace(coding, fps=16)
    path = write_media(tmp_path / f"bursts{coding.suffix}", coding, 15.0, frames=Frames(bursts, keyframe_every=10_000))

    clips, _ = cut(path, ClipParams(coverage="everything", frames_per_clip=1))

    assert_on_screen(clips, frames_on_screen(path))
    assert clips[-1].end_s > 14.9


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(("stay_s", "b_frames"), [(20.0, 0), (20.0, 2), (0.25, 0)])
def test_the_last_frame_stays_for_its_own_duration(tmp_path, stay_s, b_frames, suffix):
    coding = replace(CODINGS[1], b_frames=b_frames)
    made = write_media(tmp_path / "made.mp4", coding, 30.0, pictures_s=10.0)
    path = with_last_duration(made, tmp_path / f"lasting{suffix}", stay_s)  # Matroska has it in a tag

    clips, account = cut(path, ClipParams(coverage="everything"))

    assert account.unseen_spans == (0 if stay_s > 15 else pytest.approx(3, abs=1))
    assert_on_screen(clips, frames_on_screen(path))


def test_the_only_frame_of_a_stream_stays(tmp_path):
    path = write_media(tmp_path / "cover.mp4", CODINGS[1], 60.0, pictures_s=0.25)

    clips, account = cut(path, ClipParams(coverage="everything"))

    assert account.unseen_spans == 0
    assert clips[-1].frame_times_s == [0.0]


def with_last_duration(source: Path, target: Path, stay_s: float) -> Path:
    """The same packets; the last frame in order of decoding lasts for so long, seconds."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        streams = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        packets = [packet for packet in old.demux() if packet.size]
        last = max((packet for packet in packets if packet.stream.type == "video"), key=lambda packet: packet.dts)
        for packet in packets:
            if packet is last:
                packet.duration = round(Fraction(stay_s) / packet.time_base)
            packet.stream = streams[packet.stream.index]
            new.mux(packet)
    return target
