"""Levels and correlations of the channels of audio streams, from parts of a file."""

from __future__ import annotations

from dataclasses import dataclass, field

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from xmodal_kedro.media.container import declared_duration_s, decode, open_media, packets, prepared_audio
from xmodal_kedro.media.samples import full_scale_samples_of
from xmodal_kedro.reasons import MediaError

FIRST_S = 20.0
"""Audio that is decoded from the start."""

PLACES, PLACE_S = 5, 4.0
"""Further places of a long file, spread evenly, and the audio that is decoded at each."""

WHOLE_S = 60.0
"""A file that lasts no longer is decoded as a whole."""

AUDIBLE_DBFS = -70.0
"""A channel whose loudest block is below this is silent."""

PCM_TO_SCAN = ("pcm_f16le", "pcm_f24le", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_s32le", "pcm_s32be")
"""Codecs whose samples may exceed full scale, be no numbers, or fill only a part of their bits. All are read."""

MIN_EXPONENT, MAX_EXPONENT = -160, 160
"""Range of the exponents that are counted."""


@dataclass
class StreamSurvey:
    """What was found in one audio stream.

    Attributes:
        layout: channel names, such as FL; `NONE` where no speaker is stated; empty if nothing was decoded.
        sample_rate_hz: of the first frame.
        covariance_CC: mean products of the channels' samples, full scale 1.0: float64 [channels, channels].
        loudest_C: mean square of the loudest block of each channel: float64 [channels].
        samples: number of samples of each channel that were looked at.
        exponents: number of samples by binary exponent of their magnitude, from `MIN_EXPONENT`.
        not_finite: number of samples that are no finite numbers.
        low_bits: whether some sample of 32 bits uses its lowest 8 bits.
    """

    layout: tuple[str, ...] = ()
    sample_rate_hz: int = 0
    covariance_CC: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    loudest_C: np.ndarray = field(default_factory=lambda: np.zeros(0))
    samples: int = 0
    exponents: np.ndarray = field(default_factory=lambda: np.zeros(MAX_EXPONENT - MIN_EXPONENT + 1, np.int64))
    not_finite: int = 0
    low_bits: bool = False

    @property
    def is_audible(self) -> bool:
        """Whether any channel has sound."""
        return bool((self.loudest_C > 10 ** (AUDIBLE_DBFS / 10)).any())

    def add(self, frame: AudioFrame) -> None:
        """Add a decoded frame. Frames of another layout than the first are left out."""
        if not frame.samples:
            return
        layout = tuple(channel.name for channel in frame.layout.channels)
        if not self.layout:
            self.layout, self.sample_rate_hz = layout, frame.sample_rate
            self.covariance_CC = np.zeros((len(layout), len(layout)))
            self.loudest_C = np.zeros(len(layout))
        if layout != self.layout:
            return
        audio_CT = full_scale_samples_of(frame)
        if frame.format.name in ("flt", "fltp", "dbl", "dblp", "s32", "s32p"):
            self._count_exponents(audio_CT)
            if frame.format.name.startswith("s32"):
                self.low_bits |= bool((np.rint(audio_CT * 2.0**31).astype(np.int64) & 0xFF).any())
        audio_CT = np.where(np.abs(audio_CT) < 2.0**40, audio_CT, 0.0)
        products_CC = audio_CT @ audio_CT.T
        self.covariance_CC += products_CC
        self.samples += frame.samples
        self.loudest_C = np.maximum(self.loudest_C, np.diag(products_CC) / frame.samples)

    def _count_exponents(self, audio_CT: np.ndarray) -> None:
        finite = np.isfinite(audio_CT)
        self.not_finite += int(audio_CT.size - np.count_nonzero(finite))
        exponents = np.frexp(audio_CT[finite & (audio_CT != 0)])[1]
        counted = np.clip(exponents, MIN_EXPONENT, MAX_EXPONENT) - MIN_EXPONENT
        self.exponents += np.bincount(counted, minlength=len(self.exponents))


def survey_sound(path: str, indices: tuple[int, ...]) -> dict[int, StreamSurvey]:
    """Decode parts of audio streams and measure their channels.

    A file of up to `WHOLE_S`, one whose codec may hold samples beyond full scale, and one without any sound in the
    parts are decoded as a whole.

    Args:
        path: a local path or an fsspec URL.
        indices: indices of the streams.

    Raises:
        MediaError: if the file cannot be opened.
    """
    with open_media(path, glance=True) as container:
        scan = any(container.streams[index].codec_context.name in PCM_TO_SCAN for index in indices)
        lasts_s = declared_duration_s(container)
    found = _survey(path, indices, np.inf if scan or lasts_s <= WHOLE_S else FIRST_S, lasts_s)
    if not any(survey.is_audible for survey in found.values()) and not scan and lasts_s > WHOLE_S:
        return _survey(path, indices, np.inf, lasts_s)
    return found


def _survey(path: str, indices: tuple[int, ...], until_s: float, lasts_s: float) -> dict[int, StreamSurvey]:
    found = {index: StreamSurvey() for index in indices}
    with open_media(path, glance=True) as container:
        streams = {index: prepared_audio(container, index) for index in indices}
        _decode_on(container, streams, found, until_s)
        if np.isfinite(until_s):
            for place in range(1, PLACES + 1):
                try:
                    container.seek(round(av.time_base * lasts_s * place / (PLACES + 1)))
                except FFmpegError:  # a format without an index
                    break
                _decode_on(container, streams, found, PLACE_S)
    return found


def _decode_on(
    container: InputContainer, streams: dict[int, AudioStream], found: dict[int, StreamSurvey], for_s: float
) -> None:
    """Decode from where the file is read next until each stream has given so many seconds."""
    decoded_s = dict.fromkeys(streams, 0.0)
    for packet in packets(container, *streams.values()):
        for frame in decode(streams[packet.stream_index], packet):
            if frame.sample_rate:
                found[packet.stream_index].add(frame)
                decoded_s[packet.stream_index] += frame.samples / frame.sample_rate
        if min(decoded_s.values()) >= for_s or max(decoded_s.values()) >= for_s + FIRST_S:
            break
    for stream in streams.values():
        stream.codec_context.flush_buffers()


def require_sound(found: dict[int, StreamSurvey]) -> None:
    """Check that something could be decoded.

    Raises:
        MediaError: `corrupt`, if not.
    """
    if not any(survey.layout for survey in found.values()):
        raise MediaError("corrupt", "no sound could be decoded")
