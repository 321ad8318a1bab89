"""Rendering of a script to a video file: scenes are synthesised, drawn in sync with their audio, and muxed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream
from numpy.random import Generator
from numpy.typing import NDArray

from xmodal_kedro.recipes import recipe
from xmodal_kedro.sample.images import Picture, backdrop, picture_of, random_look
from xmodal_kedro.sample.recording import loudness, record, room_noise, to_pcm16
from xmodal_kedro.sample.scenes import Container, Scene, Script
from xmodal_kedro.sample.sounds import RATE, SYNTHESISERS, Sound
from xmodal_kedro.sample.world import Draw, stream


@dataclass(frozen=True)
class Encoding:
    """Encoders of a container. They run on one thread and bit-exact, so that equal scripts give equal bytes.

    Attributes:
        muxer: FFmpeg's name of the container.
        video_codec, video_options: encoder of the video.
        audio_codec, audio_rate_hz, audio_bit_rate: encoder of the audio; bit rate 0 if it is lossless.
    """

    muxer: str
    video_codec: str
    video_options: tuple[tuple[str, str], ...]
    audio_codec: str
    audio_rate_hz: int
    audio_bit_rate: int


_X264 = (("preset", "ultrafast"), ("crf", "23"))
# With a positive cpu-used, libvpx would choose its speed, and so the bytes, by the load of the machine.
_VP8 = (("deadline", "realtime"), ("cpu-used", "-8"), ("crf", "12"), ("b", "600k"))
_MPEG4 = (("flags", "+bitexact+qscale"), ("global_quality", str(4 * 118)))  # quantiser 4, in FFmpeg's lambda units
ENCODINGS: dict[Container, Encoding] = {
    "mp4": Encoding("mp4", "libx264", _X264, "aac", 44_100, 96_000),
    "mkv": Encoding("matroska", "libx264", _X264, "flac", 16_000, 0),
    "webm": Encoding("webm", "libvpx", _VP8, "libopus", 48_000, 64_000),
    "avi": Encoding("avi", "mpeg4", _MPEG4, "libmp3lame", 32_000, 64_000),
}


@recipe("sample_video", version=1, libraries=("av", "opencv-python"))
def render_video(script: Script) -> bytes:
    """Render the file of a script. Equal scripts give equal bytes."""
    encoding = ENCODINGS[script.container]
    sink = io.BytesIO()
    with av.open(sink, "w", format=encoding.muxer, container_options={"fflags": "+bitexact"}) as container:
        picture = _add_video_stream(container, script, encoding)
        sound = _add_audio_stream(container, encoding) if script.has_sound else None
        frames_done = samples_done = 0
        for number, scene in enumerate(script.scenes):
            rng = stream(script.seed, Draw.VIDEOS, script.index, 1 + number)
            audio, drive = scene_sound(rng, scene, script.fps)
            if sound is not None:
                container.mux(sound.encode(_audio_frame(audio, samples_done)))
            for index, pixels in enumerate(_scene_pictures(rng, scene, script, drive)):
                container.mux(picture.encode(_video_frame(pixels, frames_done + index, cut=index == 0)))
            frames_done += len(drive)
            samples_done += len(audio)
        container.mux(picture.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))
    return sink.getvalue()


def scene_sound(rng: Generator, scene: Scene, fps: int) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Audio of a scene, and the loudness of its visible source in each frame.

    Returns:
        int16 [samples] at 16 kHz; drive [frames] in 0..1, all zero if the visible object makes no sound.
    """
    frames = round(scene.duration_s * fps)
    count = frames * RATE // fps
    mix, drive = np.zeros(count), np.zeros(frames)
    for place, name in enumerate(scene.heard):
        dry = SYNTHESISERS[name](rng, count / RATE)
        level_dbfs = scene.level_dbfs - place * rng.uniform(0, 8)
        mix += 10 ** (level_dbfs / 20) * record(rng, dry)
        if name == scene.seen:
            drive = _loudness_by_frame(dry, frames)
    if scene.noise_dbfs is not None:
        mix += 10 ** (scene.noise_dbfs / 20) * room_noise(rng, count / RATE)
    return to_pcm16(mix), drive


def _loudness_by_frame(dry: Sound, frames: int) -> NDArray[np.float64]:
    rms = np.sqrt(np.mean(dry.reshape(frames, -1) ** 2, axis=1))
    return np.clip(rms / loudness(dry), 0, 1)


def _scene_pictures(rng: Generator, scene: Scene, script: Script, drive: NDArray[np.float64]) -> Iterator[Picture]:
    behind, look = backdrop(rng, script.width, script.height), random_look(rng)
    for index, loudness_now in enumerate(drive):
        yield picture_of(scene.seen, look, behind, index / script.fps, float(loudness_now))


def _add_video_stream(container: OutputContainer, script: Script, encoding: Encoding) -> VideoStream:
    options = {"threads": "1", "flags": "+bitexact", **dict(encoding.video_options)}
    stream = cast(VideoStream, container.add_stream(encoding.video_codec, rate=script.fps, options=options))
    stream.width, stream.height, stream.pix_fmt = script.width, script.height, "yuv420p"
    stream.gop_size = 4 * script.fps
    return stream


def _add_audio_stream(container: OutputContainer, encoding: Encoding) -> AudioStream:
    options = {"threads": "1", "flags": "+bitexact"}
    if encoding.audio_bit_rate:
        options["b"] = str(encoding.audio_bit_rate)
    rate_hz = encoding.audio_rate_hz
    stream = container.add_stream(encoding.audio_codec, rate=rate_hz, layout="mono", options=options)
    return cast(AudioStream, stream)


def _audio_frame(audio: NDArray[np.int16], start: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(audio[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts = RATE, start
    return frame


def _video_frame(pixels: Picture, number: int, cut: bool) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    frame.pts = number
    frame.pict_type = PictureType.I if cut else PictureType.NONE
    return frame
