"""Decoding audio to 16-bit mono on the timeline of its file."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet

from xmodal_kedro.media.audio_clock import UNTIMED_FORMATS, AudioClock
from xmodal_kedro.media.audio_editor import AudioEditor
from xmodal_kedro.media.container import decode, decode_or_none
from xmodal_kedro.media.downmix import SWRESAMPLE, ChannelMix, Downmixer
from xmodal_kedro.media.samples import silent_frame

MAX_PADDING_S = 0.1
"""An encoder fills its last frame. Up to this much audio after the end that the header declares is its padding."""

MAX_PACKET_S = 10.0
"""A packet that cannot be decoded is taken to last no longer than this."""

ROUNDED = 0.1
"""Durations of packets that differ from that of a decoded one by less than this fraction are taken to be rounded, as
those of Matroska are, to milliseconds."""

MAX_PIECES = 60
"""Max pieces that are taken at once."""


def declared_end_s(stream: AudioStream) -> float | None:
    """End of a stream on its own clock by an edit list, seconds; None if unknown. Padding comes after it."""
    if "mov" not in stream.container.format.name or not stream.duration or not stream.frames or not stream.time_base:
        return None
    return float(((stream.start_time or 0) + stream.duration) * stream.time_base)


class AudioTrack:
    """One audio stream while it is decoded: mono samples, in which gaps are filled with silence and repeated audio is
    left out, so that sample `n` is presented `n / sample_rate_hz` seconds after the first.

    Args:
        stream: of an open file.
        sample_rate_hz: of the samples.
        mix: how the stream's channels become one.

    Attributes:
        clock: what the stream's timestamps mean.
        sample_count: samples so far, including those taken.
        undecoded_s: duration of packets that could not be decoded. They are silence between others.
        ends_undecoded: whether the last packet could not be decoded.
    """

    def __init__(self, stream: AudioStream, sample_rate_hz: int, mix: ChannelMix = SWRESAMPLE) -> None:
        self.clock = AudioClock(stream.container.format.name not in UNTIMED_FORMATS)
        self.sample_count = 0
        self.undecoded_s = 0.0
        self.ends_undecoded = False
        self._stream = stream
        self._rate_hz = sample_rate_hz
        self._mix = mix
        self._downmixer: Downmixer | None = None
        self._undecoded: list[tuple[int | None, float]] = []  # stamp and duration
        self._editor = AudioEditor(sample_rate_hz)
        self._end_s = declared_end_s(stream)
        self._held: deque[bytes] = deque()
        self._held_samples = 0
        self._pieces: deque[bytes] = deque()

    @property
    def start_s(self) -> float | None:
        """Presentation time of the first sample in the file's own clock, seconds; None before it is known."""
        return self.clock.start_s

    def look_at(self, packet: Packet[AudioStream]) -> None:
        """Add the audio of one packet. Those that cannot be decoded are silence between others.

        Raises:
            MediaError: `corrupt`, if the audio cannot be mixed down.
        """
        if packet.stream is not self._stream:  # of the next of joined files
            self._flush()
            self._stream = packet.stream
        frames = decode_or_none(self._stream, packet)
        self.ends_undecoded = frames is None
        if frames is None:
            self._undecoded.append((packet.pts, float((packet.duration or 0) * (packet.time_base or 0))))
        elif frames and self._undecoded:
            self._add_silence(frames[0], packet.time_base)
        for frame in frames or ():
            self._add(frame)
        if self._editor.has_audio:
            self._release()

    def _add_silence(self, like: AudioFrame, tick: Fraction | None) -> None:
        """Add silence for packets that could not be decoded, unless they are the first ones."""
        for pts, duration_s in self._undecoded:
            samples = round(min(duration_s, MAX_PACKET_S) * like.sample_rate)
            if abs(samples - like.samples) <= ROUNDED * like.samples or not samples:
                samples = like.samples
            self.undecoded_s += samples / (like.sample_rate or math.inf)
            if self._downmixer is not None and samples:
                frame = silent_frame(like, samples)
                if pts is not None and tick:
                    frame.pts, frame.time_base = pts, tick
                self._add(frame)
        self._undecoded.clear()

    def _flush(self) -> None:
        """Add what the decoder still holds."""
        for frame in decode(self._stream, None):
            self._add(frame)

    def finish(self) -> None:
        """Add what the decoder and the downmixer still hold."""
        self._flush()
        self.undecoded_s += sum(duration_s for _, duration_s in self._undecoded)
        self._undecoded.clear()
        self.clock.finish()
        self._drain()
        self._release()
        self._keep(self._editor.finish())
        if self._held_samples > MAX_PADDING_S * self._rate_hz:
            self._let_go()

    def take(self) -> np.ndarray:
        """Remove and return audio that was not taken before: int16 [samples], mono.

        At most a minute of it, since a gap may be an hour long; nothing while `start_s` is not known. What was added
        last may be returned one or two seconds later, while timestamps are examined up to `EXAMINED_S` later, or after
        `finish`.
        """
        count = min(len(self._pieces), MAX_PIECES)
        return np.frombuffer(b"".join(self._pieces.popleft() for _ in range(count)), np.int16)

    def _add(self, frame: AudioFrame) -> None:
        samples, rate_hz, time_s = frame.samples, frame.sample_rate, frame.time
        if not samples or not rate_hz:
            return
        has_time = time_s is not None and math.isfinite(time_s)  # not if the stream's time base is no number
        self.clock.add(samples / rate_hz, time_s if has_time else None)
        if self._downmixer is None or not self._downmixer.takes(frame):
            self._drain()
            self._downmixer = Downmixer(frame, self._rate_hz, self._mix)
        for piece in self._downmixer.mix(frame):
            self._editor.add(piece)

    def _drain(self) -> None:
        if self._downmixer is not None:
            for piece in self._downmixer.finish():
                self._editor.add(piece)
            self._downmixer = None

    def _release(self) -> None:
        """Pass on the audio that no later timestamp can move."""
        if self.start_s is not None and self._editor.has_audio:
            self._keep(self._editor.edited(self.clock.take_edits(), self.clock.settled_s))

    def _keep(self, pieces: Iterator[bytes]) -> None:
        """Add pieces, except that those after the declared end are held back: they may be the encoder's padding."""
        for piece in pieces:
            if self._end_s is not None and self.start_s is not None:
                room = max(round((self._end_s - self.start_s) * self._rate_hz) - self.sample_count, 0)
                if len(piece) // 2 > room:
                    self._held.append(piece[2 * room :])
                    self._held_samples += len(piece) // 2 - room
                    piece = piece[: 2 * room]
                    if self._held_samples > MAX_PADDING_S * self._rate_hz:
                        self._pass_on(piece)
                        self._let_go()
                        continue
            self._pass_on(piece)

    def _pass_on(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self.sample_count += len(piece) // 2

    def _let_go(self) -> None:
        """Pass on what was held back: the declared end is wrong."""
        self._end_s = None
        while self._held:
            self._pass_on(self._held.popleft())
