"""Decoding sound to 16-bit mono on the timeline of its file."""

from __future__ import annotations

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet

from xmodal_kedro.media.container import MediaError, decode, find_stream, open_media, packets
from xmodal_kedro.schemas import CLIP_SAMPLE_RATE_HZ

GAP_TOLERANCE_S = 0.1
"""Timestamps that jump ahead by more than this mean missing sound; less is rounding in the container (FFmpeg's
`aresample` has the same limit, `min_hard_comp`)."""

LONGEST_GAP_S = 3600.0
"""More missing sound than this, in sum, means that timestamps are broken, and is not filled."""


def read_audio(path: str, sample_rate_hz: int = CLIP_SAMPLE_RATE_HZ) -> np.ndarray:
    """The whole sound of any media file, mixed down to mono and resampled.

    Args:
        path: a local path or an fsspec URL.

    Returns:
        int16 [samples]

    Raises:
        ValueError: naming the file, if no sound can be decoded from it.
    """
    try:
        with open_media(path) as container:
            stream = find_stream(container.streams.audio)
            if stream is None:
                raise MediaError("no_audio", "there is no audio stream")
            track = SoundTrack(stream, sample_rate_hz)
            for packet in packets(container, stream):
                track.look_at(packet)
            track.finish()
    except MediaError as error:
        raise ValueError(f"cannot read sound from {path}: {error.detail} ({error.reason})") from error
    if not track.samples.size:
        raise ValueError(f"cannot read sound from {path}: nothing in it could be decoded")
    return track.samples


class SoundTrack:
    """Gathers one audio stream as it is decoded. Missing stretches become silence, so that time stays true.

    Attributes:
        start_s: presentation time of the first sample in the file's own clock, seconds; None before any sound.
        samples: int16 [samples], mono; there after `finish`.
    """

    def __init__(self, stream: AudioStream, sample_rate_hz: int) -> None:
        self.start_s: float | None = None
        self.samples = np.empty(0, np.int16)
        self._stream = stream
        self._rate_hz = sample_rate_hz
        self._fillable_s = LONGEST_GAP_S
        self._pcm = bytearray()
        self._end_s = 0.0
        self._setup: tuple[str, str, int] | None = None
        self._resampler = self._new_resampler()

    def look_at(self, packet: Packet[AudioStream]) -> None:
        """Add the sound of one packet. A packet that cannot be decoded adds nothing."""
        for frame in decode(self._stream, packet):
            self._add(frame)

    def finish(self) -> None:
        """Add what the decoder and the resampler still hold."""
        for frame in decode(self._stream, None):
            self._add(frame)
        self._drain()
        self.samples = np.frombuffer(self._pcm, np.int16)

    def _add(self, frame: AudioFrame) -> None:
        if not frame.samples or not frame.sample_rate:
            return
        if self.start_s is None:
            self.start_s = self._end_s = frame.time or 0.0
        gap_s = 0.0 if frame.time is None else frame.time - self._end_s
        setup = (frame.format.name, frame.layout.name, frame.sample_rate)
        if GAP_TOLERANCE_S < gap_s < self._fillable_s:
            self._drain()
            self._pcm += bytes(2 * round(gap_s * self._rate_hz))
            self._end_s += gap_s
            self._fillable_s -= gap_s
        elif setup != self._setup:
            self._drain()
        self._setup = setup
        self._end_s += frame.samples / frame.sample_rate
        self._keep(self._resampler.resample(frame))

    def _drain(self) -> None:
        self._keep(self._resampler.resample(None))
        self._resampler = self._new_resampler()

    def _keep(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            if frame is not None:
                self._pcm += memoryview(frame.planes[0])[: 2 * frame.samples]

    def _new_resampler(self) -> av.AudioResampler:
        return av.AudioResampler(format="s16", layout="mono", rate=self._rate_hz)
