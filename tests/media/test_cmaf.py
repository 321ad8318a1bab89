"""How late FFmpeg's times of MP4 files are, from their boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.synthetic import RATE_HZ, Coding, Frames, onsets_s, shown_time_s, write_media
from xmodal_kedro.media.clip_rows import ClipRow
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.media.cmaf import read_shifts
from xmodal_kedro.params import ClipParams

FPS = 25
B_FRAMES = (("x264-params", "b-adapt=0:bframes=2:b-pyramid=none"),)
CODING = Coding(".mp4", "libx264", "aac", b_frames=2, scene_threshold="0", video_options=B_FRAMES, fps=FPS)
PLAIN = replace(CODING, b_frames=0, video_options=(("x264-params", "bframes=0"),))
FRAME_S, PRIMING_S = 1 / FPS, 1024 / RATE_HZ


def write(path: Path, coding: Coding, flags: str, **options: str) -> Path:
    muxer_options = (("movflags", flags), *options.items())
    return write_media(path, replace(coding, muxer_options=muxer_options), 8.0, frames=Frames(keyframe_every=50))


def late_s(path: Path) -> tuple[float, float]:
    """How late the frames and the beeps of the clips are, seconds."""
    params = ClipParams(coverage="everything", frames_per_clip=4)
    clips = [item for item in clip_file(str(path), "0" * 32, params) if isinstance(item, ClipRow)]
    seen = [
        time_s - shown_time_s(jpeg, FPS)
        for clip in clips
        for jpeg, time_s in zip(clip.frames, clip.frame_times_s, strict=True)
    ]
    onsets = [clip.start_s + onset for clip in clips for onset in onsets_s(np.frombuffer(clip.audio, "<i2"))]
    return float(np.mean(seen)), float(np.mean([onset - round(onset) for onset in onsets]))


def shifts_s(path: Path) -> tuple[float, float]:
    """What is to be subtracted from the times of the streams of frames and of sound, seconds."""
    shifts = read_shifts(str(path))
    with av.open(str(path)) as container:
        return shifts.frame_s(container.streams.video[0].id, 0.0), shifts.sound_s(container.streams.audio[0].id)


@pytest.mark.parametrize("coding", [CODING, PLAIN], ids=["b-frames", "plain"])
@pytest.mark.parametrize(
    ("flags", "priming_s"),
    [
        ("cmaf", PRIMING_S),
        ("cmaf+delay_moov", 0.0),
        ("frag_keyframe+negative_cts_offsets+empty_moov", PRIMING_S),
        ("frag_keyframe+negative_cts_offsets+delay_moov", 0.0),
        ("negative_cts_offsets", 0.0),
        ("faststart", 0.0),
    ],
)
def test_negative_offsets_and_priming_are_told(tmp_path, coding, flags, priming_s):
    path = write(tmp_path / "clock.mp4", coding, flags)

    frame_s, sound_s = shifts_s(path)
    seen_s, heard_s = late_s(path)

    assert sound_s == pytest.approx(priming_s)
    assert frame_s == pytest.approx(FRAME_S if coding is CODING and ("cmaf" in flags or "frag" in flags) else 0.0)
    assert abs(seen_s - heard_s) < 0.003  # as clips count both in


@pytest.mark.parametrize("flags", ["frag_keyframe+empty_moov", "dash"])
def test_where_a_writer_moved_all_tracks_the_sound_is_not_moved_again(tmp_path, flags):
    for coding in (CODING, PLAIN):
        path = write(tmp_path / "clock.mp4", coding, flags)

        frame_s, sound_s = shifts_s(path)
        seen_s, heard_s = late_s(path)

        assert (frame_s, sound_s) == (0.0, 0.0)
        assert abs(seen_s - heard_s) < 0.04


def test_files_that_are_not_fragmented_are_read_rightly(tmp_path):
    path = write(tmp_path / "clock.mp4", CODING, "negative_cts_offsets", use_editlist="0")

    assert shifts_s(path) == (0.0, 0.0)
    assert late_s(path)[0] == pytest.approx(0.0, abs=0.002)


def test_offsets_that_come_later_count_from_then_on(tmp_path):
    first = write(tmp_path / "first.mp4", PLAIN, "cmaf").read_bytes()
    second = write(tmp_path / "second.mp4", CODING, "cmaf").read_bytes()
    joined = tmp_path / "joined.mp4"
    joined.write_bytes(first[: first.index(b"mfra") - 4] + with_later_times(second, 8.0))

    shifts = read_shifts(str(joined))

    assert shifts.frame_s(1, 7.9) == 0.0
    assert shifts.frame_s(1, 8.0) == pytest.approx(FRAME_S)


def with_later_times(content: bytes, later_s: float) -> bytes:
    """The fragments of an MP4, the decoding times (`tfdt`, version 1) of its tracks in turn later."""
    fragments = bytearray(content[content.index(b"moof") - 4 :])
    at, track = fragments.find(b"tfdt"), 0
    while at >= 0:
        units = (12_800, RATE_HZ)[track % 2]
        time = int.from_bytes(fragments[at + 8 : at + 16], "big") + round(later_s * units)
        fragments[at + 8 : at + 16] = time.to_bytes(8, "big")
        at, track = fragments.find(b"tfdt", at + 4), track + 1
    return bytes(fragments)


@pytest.fixture(scope="module")
def cmaf(tmp_path_factory) -> bytes:
    return write(tmp_path_factory.mktemp("cmaf") / "clock.mp4", CODING, "cmaf").read_bytes()


@given(data=st.data())
def test_broken_boxes_are_no_error(cmaf, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("broken") / "broken.mp4"
    content = bytearray(cmaf[: data.draw(st.integers(0, len(cmaf)))])
    described = [at for kind in (b"moov", b"moof") if (at := content.find(kind)) > 0]
    for start in described:
        for _ in range(data.draw(st.integers(0, 4))):
            at = start - 4 + data.draw(st.integers(0, 400))
            if at < len(content):
                content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)

    shifts = read_shifts(str(path))

    assert all(shifts.frame_s(track, 1.0) >= 0 and shifts.sound_s(track) >= 0 for track in (0, 1, 2, 3))


def test_of_other_files_nothing_is_late(tmp_path):
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "empty.mp4").touch()

    names = ["text.mp4", "empty.mp4", "gone.mp4"]

    assert [read_shifts(str(tmp_path / name)).tracks for name in names] == [{}, {}, {}]
    assert not read_shifts(str(write_media(tmp_path / "clock.mkv", duration_s=1.0))).tracks


def test_media_are_not_read(cmaf, tmp_path):
    path = tmp_path / "large.mp4"
    start, end = cmaf.index(b"moof") - 4, cmaf.index(b"mdat") - 4
    hole = 1 << 40  # sparse: reading it would take minutes
    with path.open("wb") as file:
        file.write(cmaf[:start] + (1).to_bytes(4, "big") + b"mdat" + hole.to_bytes(8, "big"))
        file.seek(start + hole)
        file.write(cmaf[start:end])

    assert read_shifts(str(path)).frame_s(1, 0.0) == pytest.approx(FRAME_S)
