"""Other ways to make clips: one frame per second, 256 px on the short side, and 16 kHz mono audio.

Each is written for speed with its library, in one thread. Each takes a path and returns the length of the decoded
audio, seconds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream

SAMPLE_RATE_HZ = 16_000
SHORT_SIDE_PX = 256
JPEG_QUALITY = 90
PICTURE_EVERY_S = 1.0

Way = Callable[[Path], object]
"""Clips a file. Its return value is ignored."""


class Sound:
    """Collects 16 kHz mono audio."""

    def __init__(self) -> None:
        self.pcm = bytearray()
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)

    def add(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            for piece in self._resampler.resample(frame):
                self.pcm += memoryview(piece.planes[0])[: 2 * piece.samples]

    @property
    def duration_s(self) -> float:
        return len(self.pcm) / 2 / SAMPLE_RATE_HZ


class Pictures:
    """Keeps one frame per second as JPEG."""

    def __init__(self) -> None:
        self.jpegs: list[bytes] = []
        self._next_s = float("-inf")

    def due(self, time_s: float) -> bool:
        if time_s < self._next_s:
            return False
        self._next_s = time_s + PICTURE_EVERY_S
        return True

    def add(self, frames: list[VideoFrame]) -> None:
        for frame in frames:
            if self.due(frame.time or 0.0):
                width, height = shrunk(frame.width, frame.height)
                small = frame.to_ndarray(
                    format="bgr24", width=width, height=height, interpolation=Interpolation.AREA, threads=1
                )
                self.jpegs.append(as_jpeg(small))


def shrunk(width: int, height: int) -> tuple[int, int]:
    """Size of a frame with its short side scaled down to `SHORT_SIDE_PX`."""
    scale = min(1.0, SHORT_SIDE_PX / min(width, height))
    return round(width * scale), round(height * scale)


def as_jpeg(picture: np.ndarray) -> bytes:
    """Encode a BGR frame as JPEG."""
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])


def _open(path: Path) -> InputContainer:
    container = av.open(str(path), metadata_errors="ignore")
    for stream in (*container.streams.video, *container.streams.audio):
        stream.codec_context.thread_count = 1
    return container


def pyav_every_frame(path: Path, skip_frame: Literal["DEFAULT", "NONREF"] = "DEFAULT") -> float:
    """Demux once, and decode all frames that the decoder is not set to skip."""
    sound, pictures = Sound(), Pictures()
    with _open(path) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        video.codec_context.skip_frame = skip_frame
        for packet in container.demux(video, audio):
            if packet.stream.type == "audio":
                sound.add(audio.decode(packet))
            else:
                pictures.add(video.decode(packet))
    return sound.duration_s


def pyav_reference_frames(path: Path) -> float:
    """The same without the frames that no other frame refers to."""
    return pyav_every_frame(path, "NONREF")


def opencv_every_frame(path: Path) -> float:
    """OpenCV decodes every frame and converts those that are kept; PyAV decodes the audio."""
    pictures = Pictures()
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise ValueError(f"OpenCV cannot open {path}")
    while capture.grab():
        if pictures.due(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000):
            _, picture = capture.retrieve()
            size = shrunk(picture.shape[1], picture.shape[0])
            pictures.jpegs.append(as_jpeg(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)))
    capture.release()
    return audio_only(path)


def ffmpeg_program(path: Path) -> float:
    """One process for each file: frames and audio in one pass, to files in a temporary folder."""
    short_side = f"'if(gt(iw,ih),-2,min({SHORT_SIDE_PX},iw))':'if(gt(iw,ih),min({SHORT_SIDE_PX},ih),-2)'"
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder, "sound.raw")
        command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-filter_threads", "1", "-threads", "1", "-i", str(path)]
        command += ["-map", "0:v:0", "-vf", f"fps={1 / PICTURE_EVERY_S},scale={short_side}:flags=area"]
        command += ["-threads", "1", "-q:v", "3", f"{folder}/%06d.jpg"]
        command += ["-map", "0:a:0", "-ac", "1", "-ar", str(SAMPLE_RATE_HZ), "-f", "s16le", str(sound)]
        subprocess.run(command, check=True, capture_output=True)
        return sound.stat().st_size / 2 / SAMPLE_RATE_HZ


def keyframes_only(path: Path) -> float:
    """The limit for frames from keyframes: decodes each keyframe and the audio."""
    sound, pictures = Sound(), Pictures()
    with _open(path) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        for packet in container.demux(video, audio):
            if packet.stream.type == "audio":
                sound.add(audio.decode(packet))
            elif packet.is_keyframe and packet.size:
                pictures.add(_decode_alone(video, packet))
    return sound.duration_s


def _decode_alone(video: VideoStream, packet: Packet) -> list[VideoFrame]:
    frames = [*video.codec_context.decode(packet), *video.codec_context.decode(None)]
    video.codec_context.flush_buffers()
    return frames


def audio_only(path: Path) -> float:
    """The limit for audio: decodes no frame."""
    sound = Sound()
    with _open(path) as container:
        audio = container.streams.audio[0]
        for packet in container.demux(audio):
            sound.add(audio.decode(packet))
    return sound.duration_s


def other_ways() -> dict[str, Way]:
    """Name and function of each way that this machine has; OpenCV is set to one thread and no log."""
    cv2.setNumThreads(1)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    ways: dict[str, Way] = {
        "PyAV, every frame": pyav_every_frame,
        "PyAV, without non-reference frames": pyav_reference_frames,
        "OpenCV, every frame (sound by PyAV)": opencv_every_frame,
    }
    if shutil.which("ffmpeg"):
        ways["ffmpeg program, every frame"] = ffmpeg_program
    return ways | {"limit: keyframes and sound": keyframes_only, "limit: sound alone": audio_only}
