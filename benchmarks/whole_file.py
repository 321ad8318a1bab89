"""A whole file, decoded at once, as the reference for its clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xmodal_kedro.media.container import decodable_streams, decode, open_media, packets
from xmodal_kedro.media.frames import PictureEncoder
from xmodal_kedro.media.sound_file import read_audio
from xmodal_kedro.params import ClipParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.reasons import MediaError


@dataclass(frozen=True)
class Frame:
    """A frame, as it would be kept; `time_s` in the file's own clock."""

    time_s: float
    is_keyframe: bool
    jpeg: bytes


@dataclass(frozen=True)
class Sound:
    """The whole audio of a file: int16 [samples], 16 kHz mono, from `start_s` in the file's own clock."""

    start_s: float
    samples: np.ndarray

    def cut(self, start_s: float, end_s: float, origin_s: float) -> bytes:
        """The PCM of a span whose times count from `origin_s`, with silence before the audio begins."""
        lead = round((self.start_s - origin_s) * CLIP_SAMPLE_RATE_HZ)
        start, end = (round(time_s * CLIP_SAMPLE_RATE_HZ) - lead for time_s in (start_s, end_s))
        silence = np.zeros(min(max(-start, 0), end - start), np.int16)
        return bytes(np.concatenate([silence, self.samples[max(start, 0) : max(end, 0)]]))


def read_frames(path: Path, params: ClipParams) -> list[Frame]:
    """Every frame of the video stream, in order of time, rotated, scaled and encoded as the frames of clips are.

    Raises:
        MediaError: `corrupt`, if there is none.
    """
    frames: list[Frame] = []
    with open_media(str(path)) as container:
        video = decodable_streams(container.streams.video)[0]
        encoder = PictureEncoder(video, params.frame_short_side_px, params.jpeg_quality)
        for packet in (*packets(container, video), None):
            frames += [
                Frame(frame.time or 0.0, bool(frame.key_frame), encoder.jpeg(frame)) for frame in decode(video, packet)
            ]
    if not frames:
        raise MediaError("corrupt", "no picture could be decoded")
    return sorted(frames, key=lambda frame: frame.time_s)


def read_sound(path: Path) -> Sound:
    """The whole audio of a file.

    Raises:
        MediaError: `corrupt`, if none can be decoded.
    """
    with open_media(str(path)) as container:
        audio = decodable_streams(container.streams.audio)[0]
        for packet in packets(container, audio):
            for frame in decode(audio, packet):
                return Sound(frame.time or 0.0, read_audio(str(path)))
    raise MediaError("corrupt", "no sound could be decoded")
