"""Decoding audio to 16-bit mono on the timeline of its file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet

from xmodal_kedro.errors import UserError
from xmodal_kedro.media.container import decode, find_stream, open_media, packets
from xmodal_kedro.media.downmix import PIECE_S, Downmixer
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.reasons import MediaError

TIME_TOLERANCE_S = 0.04
"""A timestamp within this distance of the end of the audio so far is taken as rounding; others are corrections."""

MAX_GAP_S = 3600.0
"""More missing audio than this, in sum, means that timestamps are broken. It is not filled."""

MAX_OVERLAP_S = 1.0
"""More audio than this, in sum, for times that already have audio means that the clock restarted. It is all kept."""

MAX_UNTIMED_S = 1.0
"""Audio before the first timestamp is held back until there is this much."""

UNTIMED_FORMATS = ("avi",)
"""Containers without timestamps. FFmpeg derives them from byte counts, which are wrong if a header is. Their audio has
no gaps."""

MAX_PIECES = 60
"""Max pieces that are taken at once."""


def read_audio(path: str, sample_rate_hz: int = CLIP_SAMPLE_RATE_HZ) -> np.ndarray:
    """The whole audio of any media file, mixed down to mono and resampled.

    Args:
        path: a local path or an fsspec URL.

    Returns:
        int16 [samples]

    Raises:
        UserError: naming the file, if no audio can be decoded from it.
    """
    try:
        parts = list(sound_of_file(path, sample_rate_hz))
    except MediaError as error:
        raise UserError(f"cannot read sound from {path}: {error.detail} ({error.reason})") from error
    if not parts:
        raise UserError(f"cannot read sound from {path}: nothing in it could be decoded")
    return np.concatenate(parts)


def sound_of_file(path: str, sample_rate_hz: int = CLIP_SAMPLE_RATE_HZ) -> Iterator[np.ndarray]:
    """The audio of any media file while it is decoded, mixed down to mono and resampled, in pieces: int16 [samples].

    Raises:
        MediaError: if the file cannot be opened, has no audio, or its audio cannot be mixed down.
    """
    with open_media(path) as container:
        stream = find_stream(container.streams.audio)
        if stream is None:
            raise MediaError("no_audio", "there is no audio stream")
        track = AudioTrack(stream, sample_rate_hz)
        for packet in packets(container, stream):
            track.look_at(packet)
            while (part := track.take()).size:
                yield part
        track.finish()
        while (part := track.take()).size:
            yield part


class AudioTrack:
    """One audio stream while it is decoded. Gaps are filled with silence and repeated audio is left out, so that the
    presentation time of sample `n` is `start_s + n / sample_rate_hz`.

    Attributes:
        start_s: presentation time of the first sample in the file's own clock, seconds; None before it is known.
        sample_count: samples so far, including those taken.
    """

    def __init__(self, stream: AudioStream, sample_rate_hz: int) -> None:
        self.start_s: float | None = None
        self.sample_count = 0
        self._stream = stream
        self._rate_hz = sample_rate_hz
        self._timed = stream.container.format.name not in UNTIMED_FORMATS
        self._downmixer: Downmixer | None = None
        self._pieces: deque[bytes] = deque()
        self._length_s = 0.0  # length of the audio so far
        self._zero_s = 0.0  # its start on the clock that the current timestamps follow
        self._last_time_s = -np.inf
        self._fillable_s = MAX_GAP_S
        self._droppable_s = MAX_OVERLAP_S
        self._repeated_samples = 0

    def look_at(self, packet: Packet[AudioStream]) -> None:
        """Add the audio of one packet. A packet that cannot be decoded adds nothing.

        Raises:
            MediaError: `corrupt`, if the audio cannot be mixed down.
        """
        for frame in decode(self._stream, packet):
            self._add(frame)

    def finish(self) -> None:
        """Add what the decoder and the downmixer still hold."""
        for frame in decode(self._stream, None):
            self._add(frame)
        if self.start_s is None and self._length_s:
            self._start(0.0)
        self._drain()

    def take(self) -> np.ndarray:
        """Remove and return audio that was not taken before: int16 [samples], mono.

        At most a minute of it, since a gap may be an hour long; nothing while `start_s` is not known. What was added
        last may be returned one or two seconds later, or after `finish`.
        """
        if self.start_s is None:
            return np.empty(0, np.int16)
        count = min(len(self._pieces), MAX_PIECES)
        return np.frombuffer(b"".join(self._pieces.popleft() for _ in range(count)), np.int16)

    def _add(self, frame: AudioFrame) -> None:
        if not frame.samples or not frame.sample_rate:
            return
        time_s = frame.time
        if time_s is not None:
            self._keep_time(time_s)
        elif self.start_s is None and self._length_s > MAX_UNTIMED_S:
            self._start(0.0)
        if self._downmixer is None or not self._downmixer.takes(frame):
            self._drain()
            self._downmixer = Downmixer(frame, self._rate_hz)
        self._length_s += frame.samples / frame.sample_rate
        self._keep(self._downmixer.mix(frame))

    def _start(self, time_s: float) -> None:
        self.start_s = self._zero_s = time_s

    def _keep_time(self, time_s: float) -> None:
        """Fill a gap, or note a repetition to be left out, before a frame of this time."""
        if self.start_s is None:
            self._start(time_s - self._length_s)
        gap_s = time_s - self._zero_s - self._length_s
        stands_still, self._last_time_s = time_s <= self._last_time_s, time_s
        if not self._timed or abs(gap_s) <= TIME_TOLERANCE_S or (stands_still and -gap_s < MAX_OVERLAP_S):
            return
        if not -self._droppable_s < gap_s < self._fillable_s:
            self._zero_s += gap_s
            return
        self._drain()
        self._length_s += gap_s
        if gap_s > 0:
            self._fillable_s -= gap_s
            self._keep(self._silences(round(gap_s * self._rate_hz)))
        else:
            self._droppable_s += gap_s
            self._repeated_samples = round(-gap_s * self._rate_hz)

    def _silences(self, count: int) -> Iterator[bytes]:
        """Silence in pieces that share their memory."""
        piece = bytes(2 * PIECE_S * self._rate_hz)
        for _ in range(count // (PIECE_S * self._rate_hz)):
            yield piece
        yield bytes(2 * (count % (PIECE_S * self._rate_hz)))

    def _drain(self) -> None:
        if self._downmixer is not None:
            self._keep(self._downmixer.finish())
            self._downmixer = None

    def _keep(self, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            if self._repeated_samples:
                repeated = min(self._repeated_samples, len(piece) // 2)
                self._repeated_samples -= repeated
                piece = piece[2 * repeated :]
            if piece:
                self._pieces.append(piece)
                self.sample_count += len(piece) // 2
