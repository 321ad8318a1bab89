"""Which video stream is the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest
from av.stream import Disposition

from tests.media.probing import reason_of, row_of
from tests.media.synthetic import RATE_HZ, beeps, picture
from xmodal_kedro.media.clip_rows import ClipRow
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.media.container import open_media
from xmodal_kedro.media.video_stream import choose_video
from xmodal_kedro.params import ClipParams
from xmodal_kedro.reasons import MediaError

FPS = 10
EVERY = range(120)
NO_FLAGS = Disposition(0)


@dataclass(frozen=True)
class Track:
    """A video track: which of its frames, a tenth of a second apart, are there, and what it is flagged as."""

    codec: str = "libx264"
    numbers: Sequence[int] = EVERY
    flags: Disposition = NO_FLAGS
    pixels: str = "yuv420p"


FILM, DEFAULT_FILM = Track(), Track(flags=Disposition.default)
THUMBNAIL = Track("mjpeg", [0], Disposition.default, "yuvj420p")
PNG = Track("png", [0], Disposition.default, "rgb24")
STILL = Track("mpeg4", [0], Disposition.default)
SELDOM = Track("mjpeg", range(0, 120, 50), Disposition.default, "yuvj420p")
CAMERA = Track("mjpeg", EVERY, Disposition.default, "yuvj420p")


def write_tracks(path: Path, *tracks: Track) -> Path:
    """A file of several video tracks and a track of beeps, 12 s."""
    with av.open(str(path), "w") as container:
        streams = []
        for track in tracks:
            stream = container.add_stream(track.codec, rate=FPS, width=96, height=64, pix_fmt=track.pixels)
            stream.disposition = track.flags
            streams.append(stream)
        audio = container.add_stream("libmp3lame", rate=RATE_HZ, layout="mono")
        every_sound = beeps(12.0)[None]
        for number in EVERY:
            for stream, track in zip(streams, tracks, strict=True):
                if number in track.numbers:
                    frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24").reformat(
                        format=track.pixels, threads=1
                    )
                    frame.pts, frame.time_base = number, Fraction(1, FPS)
                    container.mux(stream.encode(frame))
            at = number * RATE_HZ // FPS
            sound = av.AudioFrame.from_ndarray(every_sound[:, at : at + RATE_HZ // FPS], format="flt", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = RATE_HZ, at, Fraction(1, RATE_HZ)
            container.mux(audio.encode(sound))
        for stream in (*streams, audio):
            container.mux(stream.encode(None))
    return path


def chosen(path: Path, index: int | None = None) -> int | None:
    with open_media(str(path)) as container:
        stream = choose_video(str(path), container, index)
        return None if stream is None else stream.index


TRACKS = {
    "thumb-film": ([THUMBNAIL, FILM], 1),
    "film-thumb": ([FILM, THUMBNAIL], 0),
    "still-film": ([STILL, FILM], 1),
    "seldom-film": ([SELDOM, FILM], 1),
    "camera-film": ([CAMERA, FILM], 0),
    "second": ([FILM, DEFAULT_FILM], 1),
    "first": ([DEFAULT_FILM, FILM], 0),
    "neither": ([FILM, FILM], 0),
    "only-thumb": ([THUMBNAIL], 0),
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(("tracks", "expected"), TRACKS.values(), ids=TRACKS)
def test_the_picture_is_what_moves(tmp_path, suffix, tracks, expected):
    assert chosen(write_tracks(tmp_path / f"tracks{suffix}", *tracks)) == expected


def test_a_png_beside_the_picture_is_none(tmp_path):
    assert chosen(write_tracks(tmp_path / "tracks.mov", PNG, FILM)) == 1


@pytest.mark.parametrize("flag", [Disposition.still_image, Disposition.timed_thumbnails, Disposition.dependent])
def test_streams_flagged_as_something_else_are_used_only_alone(flag):
    flagged, film = stream_of(0, flag | Disposition.default), stream_of(1, NO_FLAGS)

    assert choose_video("", container_of(flagged, film)) is film
    assert choose_video("", container_of(flagged)) is flagged
    assert choose_video("", container_of(stream_of(0, Disposition.attached_pic))) is None


def stream_of(index: int, flags: Disposition) -> Any:
    context = SimpleNamespace(name="h264")
    return SimpleNamespace(index=index, disposition=flags, frames=100, codec_context=context, width=96, height=64)


def container_of(*streams: Any) -> Any:
    return SimpleNamespace(streams=SimpleNamespace(video=streams, audio=()), format=SimpleNamespace(name="mov,mp4"))


def test_clips_and_metadata_are_of_the_chosen_stream(tmp_path):
    path = write_tracks(tmp_path / "thumb.mp4", THUMBNAIL, FILM)

    clips = [item for item in clip_file(str(path), "0" * 32, ClipParams()) if isinstance(item, ClipRow)]

    assert row_of(path)["video_codec"] == "h264"
    assert sum(clip.end_s - clip.start_s for clip in clips) > 11
    assert any(time_s > 3 for clip in clips for time_s in clip.frame_times_s)


def test_another_stream_can_be_named(tmp_path):
    path = write_tracks(tmp_path / "two.mkv", FILM, Track("mpeg4"))

    assert row_of(path)["video_codec"] == "h264"
    assert row_of(path, video_track=1)["video_codec"] == "mpeg4"
    assert reason_of(path, video_track=2) == "no_picture"
    with pytest.raises(MediaError, match="0, 1") as error:
        chosen(path, 7)
    assert error.value.reason == "no_picture"
