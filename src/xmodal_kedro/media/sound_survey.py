"""Levels and correlations of the channels of audio streams, from parts of a file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from xmodal_kedro.media.channel_weights import speaker_weight
from xmodal_kedro.media.container import decode, open_media, packets, prepared_audio
from xmodal_kedro.media.sample_scale import Magnitudes, Scale, scale_of
from xmodal_kedro.media.samples import full_scale_samples_of
from xmodal_kedro.media.stretches import stretch_samples
from xmodal_kedro.reasons import MediaError


class Extent(NamedTuple):
    """How much of a file is decoded.

    Attributes:
        first_s: audio from the start.
        places, place_s: further places of a long file, spread evenly, and the audio that is decoded at each.
        whole_s: a file that lasts no longer is decoded as a whole.
    """

    first_s: float
    places: int
    place_s: float
    whole_s: float


ONE_STREAM = Extent(4.0, 4, 1.0, 8.0)
"""Enough for a mix that is decided anew wherever it would lose sound (`stretches.py`)."""

SEVERAL_STREAMS = Extent(20.0, 5, 4.0, 60.0)
"""Which of several streams is used is decided once."""

AUDIBLE_DBFS = -70.0
"""A channel whose loudest block is below this is silent."""

MAX_MEASURED = 2.0**40
"""Larger samples are no sound in any unit."""

MAX_STRETCHES = 1000
"""Stretches of a stream that are kept: four minutes."""

MAX_APART_S = 5.0
"""Streams that are further apart in a file are not compared there."""


@dataclass
class StreamSurvey:
    """What was found in one audio stream.

    Attributes:
        layout: channel names, such as FL; `NONE` where no speaker is stated; empty if nothing was decoded.
        sample_rate_hz: of the first frame.
        loudest_C: mean square of the loudest block of each channel, full scale 1.0: float64 [channels].
        pcm_to_scan: codec by which samples are judged that may be anything; empty if they need no judging.
        magnitudes: of all samples, if they do.
        stretches: mean products of the channels' samples in stretches one after the other, of the first
            `MAX_STRETCHES`: float64 [channels, channels] each.
    """

    pcm_to_scan: str = ""
    layout: tuple[str, ...] = ()
    sample_rate_hz: int = 0
    loudest_C: np.ndarray = field(default_factory=lambda: np.zeros(0))
    magnitudes: Magnitudes = field(default_factory=Magnitudes)
    stretches: list[np.ndarray] = field(default_factory=list)
    _products: dict[int, np.ndarray] = field(default_factory=dict)
    _samples: Counter[int] = field(default_factory=Counter)
    _stretch: tuple[int, np.ndarray | float] = (0, 0.0)

    @property
    def scale(self) -> Scale:
        """How samples become sound."""
        return scale_of(self.magnitudes, self.pcm_to_scan)

    @property
    def is_usable(self) -> bool:
        """Whether any channel has sound that is used in a mix."""
        used_C = np.array([speaker_weight(name) > 0 for name in self.layout], bool)
        return self.is_audible and bool((self.loudest_C[used_C] > 0).any())

    @property
    def is_audible(self) -> bool:
        """Whether any channel has sound."""
        return bool((self.scale.factor**2 * self.loudest_C > 10 ** (AUDIBLE_DBFS / 10)).any())

    def add(self, frame: AudioFrame) -> np.ndarray:
        """Add a decoded frame. Frames of another layout than the first are left out.

        Returns:
            Its samples, full scale 1.0, without those that are no numbers: float64 [channels, samples]
        """
        layout = tuple(channel.name for channel in frame.layout.channels)
        if not self.layout:
            self.layout, self.sample_rate_hz = layout, frame.sample_rate
            self.loudest_C = np.zeros(len(layout))
        if layout != self.layout or not frame.samples:
            return np.zeros((1, frame.samples))
        audio_CT = full_scale_samples_of(frame)
        peak = 0
        if self.pcm_to_scan:
            self.magnitudes.add(audio_CT)
            audio_CT = np.where(np.abs(audio_CT) < MAX_MEASURED, audio_CT, 0.0)
            peak = math.frexp(np.abs(audio_CT).max())[1]
        products_CC = audio_CT @ audio_CT.T
        self._products[peak] = self._products.get(peak, 0.0) + products_CC
        self._samples[peak] += frame.samples
        self.loudest_C = np.maximum(self.loudest_C, np.diag(products_CC) / frame.samples)
        self._add_to_stretch(products_CC, frame.samples)
        return audio_CT

    def _add_to_stretch(self, products_CC: np.ndarray, count: int) -> None:
        samples, total_CC = self._stretch[0] + count, self._stretch[1] + products_CC
        self._stretch = samples, total_CC
        if samples >= stretch_samples(self.sample_rate_hz) and len(self.stretches) < MAX_STRETCHES:
            self.stretches.append(total_CC / samples)
            self._stretch = 0, 0.0

    def covariance(self, up_to: float | None) -> np.ndarray:
        """Mean products of the channels' samples in frames without larger ones: float64 [channels, channels].

        Args:
            up_to: a magnitude; None for all frames.
        """
        counted = [peak for peak in self._products if up_to is None or 2.0 ** (peak - 1) <= up_to]
        total_CC = sum((self._products[peak] for peak in counted), np.zeros((len(self.layout),) * 2))
        return np.asarray(total_CC / max(sum(self._samples[peak] for peak in counted), 1))


class JointSurvey:
    """How alike streams are that are decoded side by side, as the channels of one recorder may be streams each.

    Attributes:
        covariance_SS: mean products of the means of their channels: float64 [streams, streams].
    """

    def __init__(self, indices: Sequence[int]) -> None:
        self.covariance_SS = np.zeros((len(indices), len(indices)))
        self._samples = 0
        self._waiting: dict[int, list[np.ndarray]] = {index: [] for index in indices}

    def add(self, index: int, audio_T: np.ndarray, rate_hz: int) -> None:
        """Add samples of a stream: float64 [samples]."""
        self._waiting[index].append(audio_T)
        counts = [sum(map(len, parts)) for parts in self._waiting.values()]
        if min(counts) >= rate_hz / 10:
            heads = [np.concatenate(parts) for parts in self._waiting.values()]
            audio_ST = np.stack([head[: min(counts)] for head in heads])
            self._waiting = {index: [head[min(counts) :]] for index, head in zip(self._waiting, heads, strict=True)}
            self._samples += min(counts)
            self.covariance_SS += (audio_ST @ audio_ST.T - min(counts) * self.covariance_SS) / self._samples
        elif max(counts) > MAX_APART_S * rate_hz:
            self.forget()

    def forget(self) -> None:
        """Drop what waits for other streams."""
        self._waiting = {index: [] for index in self._waiting}


class SoundSurvey(NamedTuple):
    """What was found in some audio streams of a file.

    Attributes:
        streams: by their indices.
        joint: of those that are to be added; its streams are in the same order.
    """

    streams: dict[int, StreamSurvey]
    joint: JointSurvey | None

    @property
    def is_usable(self) -> bool:
        """Whether any stream has sound that is used in a mix."""
        return any(survey.is_usable for survey in self.streams.values())


def survey_sound(path: str, scanned: Mapping[int, str], lasts_s: float, together: bool = False) -> SoundSurvey:
    """Decode parts of audio streams and measure their channels.

    A short file, one whose codec may hold samples beyond full scale, and one without any sound in the parts are decoded
    as a whole.

    Args:
        path: a local path or an fsspec URL.
        scanned: indices of the streams, and as which codec their samples are judged; see `pcm_to_scan`.
        lasts_s: duration of the file by its header, seconds.
        together: whether the streams are to be compared with each other.

    Raises:
        MediaError: if the file cannot be opened; `corrupt`, if nothing could be decoded.
    """
    extent = ONE_STREAM if len(scanned) == 1 else SEVERAL_STREAMS

    def look(parts: Extent | None) -> SoundSurvey:
        found = {index: StreamSurvey(judged_as) for index, judged_as in scanned.items()}
        survey = SoundSurvey(found, JointSurvey(tuple(scanned)) if together and len(scanned) > 1 else None)
        _survey(path, survey, parts, lasts_s)
        return survey

    whole = any(scanned.values()) or lasts_s <= extent.whole_s
    survey = look(None if whole else extent)
    if not survey.is_usable and not whole:
        survey = look(None)
    if not any(stream.layout for stream in survey.streams.values()):
        raise MediaError("corrupt", "no sound could be decoded")
    return survey


def _survey(path: str, survey: SoundSurvey, parts: Extent | None, lasts_s: float) -> None:
    """Decode parts of a file that lasts so long, or all of it."""
    with open_media(path, glance=True) as container:
        streams = {index: prepared_audio(container, index) for index in survey.streams}
        _decode_on(container, streams, survey, parts.first_s if parts else math.inf)
        if parts is None:
            return
        for place in range(1, parts.places + 1):
            try:
                container.seek(round(av.time_base * lasts_s * place / (parts.places + 1)))
            except FFmpegError:  # a format without an index
                break
            _decode_on(container, streams, survey, parts.place_s)


def _decode_on(container: InputContainer, streams: dict[int, AudioStream], survey: SoundSurvey, for_s: float) -> None:
    """Decode from where the file is read next until each stream has given so many seconds."""
    decoded_s = dict.fromkeys(streams, 0.0)
    for packet in packets(container, *streams.values()):
        index = packet.stream_index
        for frame in decode(streams[index], packet):
            if frame.sample_rate:
                audio_CT = survey.streams[index].add(frame)
                decoded_s[index] += frame.samples / frame.sample_rate
                if survey.joint:
                    survey.joint.add(index, audio_CT.mean(axis=0), frame.sample_rate)
        if min(decoded_s.values()) >= for_s or max(decoded_s.values()) >= for_s + MAX_APART_S:
            break
    for stream in streams.values():
        stream.codec_context.flush_buffers()
    if survey.joint:
        survey.joint.forget()
