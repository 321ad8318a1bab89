"""Reading a recording once: its audio, and its video packets on the audio's clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from xmodal_kedro.media.audio_clock import MAX_GAP_S
from xmodal_kedro.media.cmaf import Shifts, read_shifts
from xmodal_kedro.media.frames import Times
from xmodal_kedro.media.joined import JoinedPackets
from xmodal_kedro.media.sound_plan import SoundPlan
from xmodal_kedro.media.sound_reader import SoundReader
from xmodal_kedro.media.video_clock import VideoClock, decoding_time_s, move

SILENCE_S = 60
"""Max silence that is passed on at once."""


class RecordingReader:
    """Demuxes the used streams of an open file.

    The recording's own clock starts with its first audio sample or frame.

    Args:
        path: of the file.
        container: the open file.
        plan: its audio.
        video: its video; None if only the audio is used.
        sample_rate_hz: of the audio that is passed on.

    Attributes:
        sound: the audio so far.
        origin_s: start of the recording's clock on the file's clock, seconds; None before it is known.
        end_s: latest end of a packet, as the file states it.
        broke_off: the demuxer's error that ended the packets; empty if there was none.
    """

    def __init__(
        self, path: str, container: InputContainer, plan: SoundPlan, video: VideoStream | None, sample_rate_hz: int
    ) -> None:
        self._shifts = read_shifts(path) if "mov" in container.format.name else Shifts({})
        self.sound = SoundReader(container, plan, sample_rate_hz)
        self.origin_s: float | None = None
        self.end_s = 0.0
        self.broke_off = ""
        self._path, self._container = path, container
        self._rate_hz = sample_rate_hz
        self._lead_samples = 0
        self._video = video
        self._tick_s = float((video.time_base if video else None) or 1)
        self._times = Times()
        self._video_clock = VideoClock(video) if video else None
        self._seen_from_s: float | None = None

    def steps(self) -> Iterator[Sequence[Packet[VideoStream]]]:
        """Read on, packet by packet, and return the video packets that can be placed then."""
        streams = [*self.sound.streams, *([self._video] if self._video else [])]
        ticks_s = {stream.index: float(stream.time_base or 1) for stream in streams}
        late_s = {stream.index: self._shifts.sound_s(stream.id) for stream in self.sound.streams}
        video_index = self._video.index if self._video else None
        reading = JoinedPackets(self._path, self._container, streams)
        for packet in reading:
            index, pts = packet.stream_index, packet.pts
            if pts is not None:
                self.end_s = max(self.end_s, (pts + (packet.duration or 0)) * ticks_s[index])
            if index == video_index:
                yield self._placed(packet)
            else:
                move(packet, -late_s[index], ticks_s[index])
                self.sound.look_at(packet)
                if self.origin_s is None:
                    self._set_origin()
                yield ()
        self.broke_off = reading.broke_off
        self.sound.finish()
        self._set_origin()
        yield self._video_clock.finish(self.sound.jumps) if self._video_clock else ()

    def take(self) -> Iterator[np.ndarray]:
        """Remove and return audio that was not taken before, from the start of the recording's clock: int16 [samples].

        It is preceded by silence if the video starts first. Nothing while `origin_s` is not known.
        """
        while self._lead_samples:
            silence_T = np.zeros(min(self._lead_samples, SILENCE_S * self._rate_hz), np.int16)
            self._lead_samples -= silence_T.size
            yield silence_T
        while self.origin_s is not None and (audio_T := self.sound.take()).size:
            yield audio_T

    def _placed(self, packet: Packet[VideoStream]) -> Sequence[Packet[VideoStream]]:
        assert self._video_clock and self._video
        if self._shifts.tracks:
            late_s = self._shifts.frame_s(self._video.id, decoding_time_s(packet, self._tick_s))
            move(packet, -late_s, self._tick_s)
        placed = self._video_clock.look_at(packet, self.sound.jumps)
        if self.origin_s is None:
            for shown in placed:
                if not shown.is_discard:  # by an edit list, the first packets may be decoded but not shown
                    time_s = self._times.of_packet_s(shown)
                    self._seen_from_s = time_s if self._seen_from_s is None else min(self._seen_from_s, time_s)
            self.sound.begin_beside(self._seen_from_s)
        return placed

    def _set_origin(self) -> None:
        if self.origin_s is None and self.sound.start_s is not None:
            lead_s, self.origin_s = align(self.sound.start_s, self._seen_from_s)
            self._lead_samples = round(lead_s * self._rate_hz)


def align(sound_start_s: float, seen_from_s: float | None) -> tuple[float, float]:
    """Put audio and video on one clock that starts with the first of them.

    Two streams that begin hours apart have unrelated clocks: then each starts at zero.

    Returns:
        Silence before the first sample, and the offset to subtract from frame times, both seconds.
    """
    if seen_from_s is None:
        return 0.0, sound_start_s
    if abs(sound_start_s - seen_from_s) > MAX_GAP_S:
        return 0.0, seen_from_s
    origin_s = min(sound_start_s, seen_from_s)
    return sound_start_s - origin_s, origin_s
