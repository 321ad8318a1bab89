"""Frames and audio are in sync: beeps are at the times that the numbered frames encode, in any container."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.media.synthetic import Coding, Frames, beeps, onsets_s, shown_time_s, write_media
from xmodal_kedro.media.clip_rows import ClipRow
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.params import ClipParams

DURATION_S = 8.0
BEEPS_S = (0.5, 1.3, 2.45, 3.1, 4.6, 5.15, 6.7, 7.4)
AGREE_S = 0.0401
"""Tolerances below perception, and of rounding."""

STRICT = (("strict", "-2"),)
FRAGMENTED = (("movflags", "frag_keyframe+delay_moov"),)
LIVE_FRAGMENTS = (("movflags", "frag_keyframe+empty_moov"),)
INDEX_FIRST = (("movflags", "faststart"),)
QUIET_X265 = (("x265-params", "log-level=none"),)
DNXHR = (("profile", "dnxhr_hq"),)
WMA_BITS = (("b", "64000"),)

MP4 = [
    Coding(".mp4", "libx264", "aac", b_frames=2),
    Coding(".mp4", "libx264", "aac", muxer_options=FRAGMENTED, b_frames=2),
    Coding(".mp4", "libx264", "aac", muxer_options=LIVE_FRAGMENTS, b_frames=2),
    Coding(".mp4", "libx264", "libmp3lame", muxer_options=INDEX_FIRST, b_frames=2),
    Coding(".mp4", "libx265", "ac3", video_options=QUIET_X265),
    Coding(".mp4", "libx265", "aac", video_options=QUIET_X265, b_frames=2),
    Coding(".mp4", "libsvtav1", "libopus"),
    Coding(".mp4", "mpeg4", "libmp3lame", b_frames=2),
    Coding(".mp4", "libvpx-vp9", "flac"),
    Coding(".mp4", "mpeg2video", "mp2", b_frames=2),
    Coding(".mp4", "mpeg1video", "alac", fps=25),
    Coding(".mp4", "mjpeg", "eac3", "yuvj420p"),
    Coding(".mp4", "libx264", "aac", muxer="ismv"),
    Coding(".f4v", "libx264", "aac", muxer="f4v", b_frames=2),
    Coding(".3gp", "h263", "libopencore_amrnb", size=(128, 96), rate_hz=8000),
    Coding(".3gp", "mpeg4", "aac"),
    Coding(".3g2", "libx264", "aac"),
]
MOV = [
    Coding(".mov", "libx264", "pcm_s16le", b_frames=2),
    Coding(".mov", "libx265", "alac", video_options=QUIET_X265),
    Coding(".mov", "prores_ks", "pcm_s24le", "yuv422p10le"),
    Coding(".mov", "dnxhd", "pcm_s16be", "yuv422p", size=(256, 120), fps=25, video_options=DNXHR),
    Coding(".mov", "mjpeg", "adpcm_ima_qt", "yuvj420p"),
    Coding(".mov", "svq1", "pcm_mulaw", "yuv410p", video_options=STRICT),
    Coding(".mov", "png", "alac", "rgb24"),
    Coding(".mov", "qtrle", "pcm_u8", "rgb24"),
    Coding(".mov", "cinepak", "pcm_f32le", "rgb24"),
    Coding(".mov", "h263", "pcm_alaw", size=(128, 96)),
    Coding(".mov", "jpeg2000", "pcm_s32le"),
    Coding(".mov", "mpeg4", "pcm_f64le", b_frames=2),
]
MATROSKA = [
    Coding(".mkv", "libx264", "vorbis", b_frames=2, audio_options=STRICT, layout="stereo"),
    Coding(".mkv", "libx265", "eac3", video_options=QUIET_X265, b_frames=2),
    Coding(".mkv", "libsvtav1", "libopus"),
    Coding(".mkv", "ffv1", "flac"),
    Coding(".mkv", "mpeg2video", "pcm_s24le", b_frames=2),
    Coding(".mkv", "mpeg4", "ac3", b_frames=2),
    Coding(".mkv", "mjpeg", "wavpack", "yuvj420p"),
    Coding(".mkv", "prores_ks", "pcm_f64le", "yuv422p10le"),
    Coding(".mkv", "snow", "alac", video_options=STRICT),
    Coding(".mkv", "dirac", "libmp3lame"),
    Coding(".webm", "libvpx", "vorbis", audio_options=STRICT, layout="stereo"),
    Coding(".webm", "libvpx-vp9", "libopus"),
    Coding(".webm", "libsvtav1", "opus", audio_options=STRICT),
]
AVI = [
    Coding(".avi", "mpeg4", "libmp3lame", fps=25),
    Coding(".avi", "libx264", "ac3", fps=25),
    Coding(".avi", "mjpeg", "pcm_u8", "yuvj420p", fps=25),
    Coding(".avi", "huffyuv", "adpcm_ms", "yuv422p", fps=25),
    Coding(".avi", "msmpeg4v2", "adpcm_ima_wav", fps=25),
    Coding(".avi", "msmpeg4", "adpcm_yamaha", fps=25),
    Coding(".avi", "utvideo", "pcm_alaw", fps=25),
    Coding(".avi", "ffvhuff", "mp2", fps=25),
    Coding(".avi", "h263", "pcm_s16le", size=(128, 96), fps=25),
    Coding(".avi", "wmv1", "wmav2", fps=25, audio_options=WMA_BITS),
    Coding(".avi", "cinepak", "aac", "rgb24", fps=25),
    Coding(".avi", "rawvideo", "g726", fps=25, rate_hz=8000),
    Coding(".avi", "libvpx", "eac3", fps=25),
    Coding(".avi", "ffv1", "g722", fps=25, rate_hz=16_000),
]
WINDOWS_MEDIA = [
    Coding(".wmv", "wmv2", "wmav2", audio_options=WMA_BITS),
    Coding(".asf", "wmv1", "wmav1", audio_options=WMA_BITS),
    Coding(".asf", "mpeg4", "libmp3lame"),
    Coding(".asf", "libx264", "aac", fps=25),
    Coding(".asf", "msmpeg4", "pcm_s16le"),
    Coding(".asf", "mjpeg", "ac3", "yuvj420p"),
    Coding(".wtv", "mpeg2video", "mp2"),
    Coding(".wtv", "mpeg2video", "ac3", b_frames=2),
]
MPEG = [
    Coding(".ts", "libx264", "aac", b_frames=2),
    Coding(".ts", "libx265", "eac3", video_options=QUIET_X265),
    Coding(".ts", "mpeg2video", "mp2", b_frames=2),
    Coding(".ts", "mpeg2video", "ac3"),
    Coding(".ts", "mpeg1video", "libmp3lame", fps=25),
    Coding(".ts", "libx264", "libopus"),
    Coding(".m2ts", "libx264", "pcm_bluray", layout="stereo", b_frames=2),
    Coding(".m2ts", "mpeg2video", "ac3"),
    Coding(".mpg", "mpeg1video", "mp2", fps=25),
    Coding(".mpg", "mpeg2video", "libmp3lame", muxer="mpeg", b_frames=2),
    Coding(".mpg", "mpeg2video", "pcm_dvd", muxer="dvd", layout="stereo"),
    Coding(".mpg", "mpeg1video", "mp2", muxer="vcd", fps=25),
    Coding(".mpg", "mpeg2video", "mp2", muxer="svcd"),
    Coding(".vob", "mpeg2video", "ac3", b_frames=2),
]
OTHERS = [
    Coding(".flv", "flv", "libmp3lame"),
    Coding(".flv", "libx264", "aac", b_frames=2),
    Coding(".flv", "flv", "nellymoser", rate_hz=44_100),
    Coding(".flv", "flv", "adpcm_swf", rate_hz=44_100),
    Coding(".flv", "libx265", "flac", video_options=QUIET_X265),
    Coding(".flv", "libvpx-vp9", "libopus"),
    Coding(".flv", "libsvtav1", "ac3"),
    Coding(".ogv", "libvpx", "libopus", muxer="ogg"),
    Coding(".ogv", "libvpx", "vorbis", muxer="ogg", audio_options=STRICT, layout="stereo"),
    Coding(".nut", "libx264", "libopus", b_frames=2),
    Coding(".nut", "ffv1", "pcm_s16le"),
    Coding(".nut", "mpeg4", "libmp3lame", b_frames=2),
    Coding(".mxf", "mpeg2video", "pcm_s16le", fps=25),
    Coding(".mxf", "libx264", "pcm_s24le", "yuv422p", fps=25),
    Coding(".mxf", "dnxhd", "pcm_s16le", "yuv422p", size=(256, 120), fps=25, video_options=DNXHR),
    Coding(".mxf", "prores_ks", "pcm_s24le", "yuv422p10le", fps=25),
    Coding(".dv", "dvvideo", "pcm_s16le", size=(720, 576), fps=25, layout="stereo"),
    Coding(".rm", "rv10", "ac3", size=(128, 96)),
    Coding(".rm", "rv20", "real_144", size=(128, 96), rate_hz=8000),
    Coding(".rm", "rv10", "aac", size=(128, 96)),
]
EVERY_CODING = [*MP4, *MOV, *MATROSKA, *AVI, *WINDOWS_MEDIA, *MPEG, *OTHERS]

TIMED = [
    MP4[0],
    MP4[1],
    MOV[0],
    MATROSKA[1],
    MATROSKA[11],
    WINDOWS_MEDIA[0],
    MPEG[0],
    MPEG[2],
    MPEG[9],
    OTHERS[1],
    OTHERS[9],
]
"""Containers that can store streams with different starts and frames at uneven times."""


@pytest.fixture(autouse=True)
def quiet_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVT_LOG", "-1")


def write_clock(folder: Path, coding: Coding, **options) -> Path:
    """A file of beeps at `BEEPS_S`."""
    sound = beeps(DURATION_S, coding.rate_hz, BEEPS_S)
    return write_media(folder / f"clock{coding.suffix}", coding, DURATION_S, sound=sound, **options)


def clips_of(path: Path) -> list[ClipRow]:
    found = clip_file(str(path), "0" * 32, ClipParams(frames_per_clip=4, coverage="everything"))
    return [clip for clip in found if isinstance(clip, ClipRow)]


def heard_late_s(clips: list[ClipRow], beeps_s: list[float]) -> np.ndarray:
    """Delay of each beep in the clips relative to the file, seconds."""
    heard_s = [clip.start_s + onset_s for clip in clips for onset_s in onsets_s(np.frombuffer(clip.audio, "<i2"))]
    late_s = np.array([heard - min(beeps_s, key=lambda beep: abs(beep - heard)) for heard in heard_s])
    assert late_s.size >= len(beeps_s) - len(clips), "most beeps are in clips"
    return late_s


def seen_late_s(clips: list[ClipRow], fps: int) -> np.ndarray:
    """Delay of the stored time of each frame relative to the time that it encodes, seconds."""
    assert all(clip.frames for clip in clips)
    return np.array(
        [
            time_s - shown_time_s(jpeg, fps)
            for clip in clips
            for jpeg, time_s in zip(clip.frames, clip.frame_times_s, strict=True)
        ]
    )


def assert_agreement(clips: list[ClipRow], fps: int, heard_early_s: float = 0.0, seen_early_s: float = 0.0) -> None:
    """Frames and audio are in sync within 40 ms, and both at their true times.

    Args:
        heard_early_s: by how much the sound was moved ahead in the file, and...
        seen_early_s: ...the frames; what is before zero is not in the clips.
    """
    assert sum(clip.end_s - clip.start_s for clip in clips) > 0.7 * (DURATION_S - max(heard_early_s, seen_early_s))
    beeps_s = [beep_s - heard_early_s for beep_s in BEEPS_S if beep_s > heard_early_s]
    heard_s, seen_s = heard_late_s(clips, beeps_s), seen_late_s(clips, fps) + seen_early_s
    assert np.abs(heard_s[:, None] - seen_s[None]).max() <= AGREE_S
    assert np.abs(heard_s).max() <= 0.21, "encoders and muxers may delay or trim both alike by a few frames"


@pytest.mark.parametrize("coding", EVERY_CODING, ids=str)
def test_picture_and_sound_agree_in_every_container_and_codec(tmp_path, coding):
    assert_agreement(clips_of(write_clock(tmp_path, coding)), coding.fps)


@pytest.mark.parametrize(
    ("sound_s", "pictures_s"),
    [(0.5, 0.0), (0.0, 0.5), (-0.2, 0.0), (1000.5, 1000.0)],
    ids=["late-sound", "late-pictures", "early-sound", "broadcast"],
)
@pytest.mark.parametrize("coding", TIMED, ids=str)
def test_picture_and_sound_agree_when_streams_start_apart(tmp_path, coding, sound_s, pictures_s):
    path = write_clock(tmp_path, coding, sound_starts_s=sound_s, frames=Frames(start_s=pictures_s))

    origin_s = min(sound_s, pictures_s)
    assert_agreement(clips_of(path), coding.fps, origin_s - sound_s, origin_s - pictures_s)


@pytest.mark.parametrize("coding", [coding for coding in TIMED if coding.suffix != ".mpg"], ids=str)
def test_picture_and_sound_agree_when_frames_lie_unevenly(tmp_path, coding):
    coding = replace(coding, fps=25)
    numbers = [number for number in range(200) if (number * number) % 11 < 4]

    path = write_clock(tmp_path, coding, frames=Frames(numbers, keyframe_every=7))

    assert_agreement(clips_of(path), coding.fps)


@pytest.mark.parametrize(
    ("pictures_s", "sound_s"), [(1.2, 1.2), (0.8, 0.0), (0.0, 0.7)], ids=["both", "pictures", "sound"]
)
@pytest.mark.parametrize("coding", [MP4[0], MP4[3], MP4[-2], MOV[0], MOV[4]], ids=str)
def test_picture_and_sound_agree_after_edit_lists(tmp_path, coding, pictures_s, sound_s):
    path = write_clock(tmp_path, coding)

    trim_start(path, pictures_s, sound_s)

    assert_agreement(clips_of(path), coding.fps, sound_s, pictures_s)


def trim_start(path: Path, *trims_s: float) -> None:
    """Have the edit list of each track of an MP4 or MOV file begin later in its media (ISO/IEC 14496-12, 8.6.6)."""
    data = bytearray(path.read_bytes())
    at = 0
    for trim_s in trims_s:
        at = data.index(b"elst", at) + 4
        (timescale,) = struct.unpack_from(">I", data, data.index(b"mdhd", at) + 16)
        duration_ms, media_time = struct.unpack_from(">Ii", data, at + 8)
        struct.pack_into(
            ">Ii", data, at + 8, duration_ms - round(1000 * trim_s), media_time + round(timescale * trim_s)
        )
    path.write_bytes(data)
