"""The audio of a recording from one or several streams, as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from xmodal_kedro.media.audio_clock import Jump
from xmodal_kedro.media.audio_track import AudioTrack
from xmodal_kedro.media.channel_weights import AUDIO_STREAM
from xmodal_kedro.media.container import prepared_audio
from xmodal_kedro.media.sound_plan import SoundPlan
from xmodal_kedro.media.stretches import StretchMixer, StretchWeights, stretch_samples
from xmodal_kedro.pcm import INT16_FULL_SCALE


class SoundReader:
    """Mono audio of a recording while it is decoded.

    Args:
        container: an open file.
        plan: the streams to use, and how.
        sample_rate_hz: of the result.

    Attributes:
        streams: the streams whose packets are to be given to `look_at`.
    """

    def __init__(self, container: InputContainer, plan: SoundPlan, sample_rate_hz: int) -> None:
        self.streams = [prepared_audio(container, index) for index in plan.tracks]
        self._rate_hz = sample_rate_hz
        self._tracks = {
            stream.index: AudioTrack(stream, sample_rate_hz, mix)
            for stream, mix in zip(self.streams, plan.mixes, strict=True)
        }
        self._waiting = [np.empty(0, np.int16) for _ in self._tracks]
        self._only = next(iter(self._tracks.values())) if len(self._tracks) == 1 else None
        self._mixer = track_mixer(plan, sample_rate_hz)
        self._is_aligned = False
        self._ended = False

    @property
    def start_s(self) -> float | None:
        """Presentation time of the first sample in the file's own clock, seconds; None before it is known."""
        if self._only:
            return self._only.start_s
        starts_s = [track.start_s for track in self._tracks.values() if self._counts(track)]
        return None if not starts_s or None in starts_s else min(starts_s)  # type: ignore[type-var]

    @property
    def sample_count(self) -> int:
        """Samples so far, including those taken."""
        if self._only:
            return self._only.sample_count
        return max(track.sample_count for track in self._tracks.values())

    @property
    def jumps(self) -> Sequence[Jump]:
        """Points where the clock was set."""
        return (self._only or next(iter(self._tracks.values()))).clock.jumps

    @property
    def undecoded_s(self) -> float:
        """Duration of packets that could not be decoded, of the stream with most of them, seconds."""
        return max(track.undecoded_s for track in self._tracks.values())

    @property
    def ends_undecoded(self) -> bool:
        """Whether the last packet of a stream could not be decoded."""
        return any(track.ends_undecoded for track in self._tracks.values())

    def begin_beside(self, picture_s: float | None) -> None:
        """Take the sound to begin with the first picture, at this stamp, if its own stamps do not say when."""
        for track in self._tracks.values():
            track.clock.beside_s = picture_s

    def look_at(self, packet: Packet[AudioStream]) -> None:
        """Add the audio of one packet of `streams`.

        Raises:
            MediaError: `corrupt`, if the audio cannot be mixed down.
        """
        self._tracks[packet.stream_index].look_at(packet)

    def finish(self) -> None:
        """Add what the decoders still hold."""
        self._ended = True
        for track in self._tracks.values():
            track.finish()

    def take(self) -> np.ndarray:
        """Remove and return audio that was not taken before: int16 [samples]; see `AudioTrack.take`."""
        if self.start_s is None:
            return np.empty(0, np.int16)
        if self._only:
            return self._only.take()
        self._align()
        for at, track in enumerate(self._tracks.values()):
            self._waiting[at] = np.concatenate([self._waiting[at], track.take()])
        lengths = [len(audio_T) for audio_T in self._waiting]
        count = max(lengths) if self._ended else min(lengths)
        if self._mixer and not self._ended:
            count -= count % stretch_samples(self._rate_hz)
        audio_ST = np.zeros((len(lengths), count), np.float32)
        for at, audio_T in enumerate(self._waiting):
            audio_ST[at, : len(audio_T)] = audio_T[:count]
            self._waiting[at] = audio_T[count:]
        audio_ST /= INT16_FULL_SCALE
        total_T = self._mixer.mix(audio_ST) if self._mixer else audio_ST.sum(axis=0)
        return np.clip(np.rint(total_T * INT16_FULL_SCALE), -INT16_FULL_SCALE, INT16_FULL_SCALE - 1).astype(np.int16)

    def _counts(self, track: AudioTrack) -> bool:
        """Whether a track has to be waited for."""
        return not self._ended or track.start_s is not None

    def _align(self) -> None:
        """Put silence before the streams that begin later."""
        if not self._is_aligned:
            first_s = self.start_s or 0.0
            for at, track in enumerate(self._tracks.values()):
                late_s = (track.start_s or first_s) - first_s
                self._waiting[at] = np.zeros(round(late_s * self._rate_hz), np.int16)
            self._is_aligned = True


def track_mixer(plan: SoundPlan, sample_rate_hz: int) -> StretchMixer | None:
    """What mixes mono tracks of one recorder, each at its level in the mix of the file; None for other tracks."""
    weights = [mix.weights for mix in plan.mixes]
    first = weights[0]
    if len(weights) < 2 or first is None or len(first) != 1 or not 0 < first[0] <= 1 or set(weights) != {first}:
        return None
    names = [f"{AUDIO_STREAM}{index}" for index in plan.tracks]
    all_of_them_S = np.ones(len(weights))
    return StretchMixer(StretchWeights(names, all_of_them_S, 1 / first[0]), all_of_them_S, sample_rate_hz)
