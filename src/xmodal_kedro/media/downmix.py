"""Mixing decoded audio down to mono and resampling it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.error import ArgumentError

from xmodal_kedro.media.channel_weights import speaker_weight
from xmodal_kedro.media.filters import FilterChain
from xmodal_kedro.media.samples import float_samples_of, samples_of, with_samples
from xmodal_kedro.media.stretches import STRETCHES_PER_S, StretchMixer, StretchWeights, stretch_samples
from xmodal_kedro.reasons import MediaError

PIECE_S = 1
"""Audio is passed on in pieces of this length, seconds. That halves the cost of feeding FFmpeg's filters frame by
frame, and changes no sample."""


@dataclass(frozen=True)
class ChannelMix:
    """How the channels of a stream become one.

    Attributes:
        weights: factor of each channel; None to mix as libswresample does, which is the mean for stereo.
        bad_above: float samples whose magnitude is above this, or that are not finite, are interpolated; None for none.
        level: factor that brings samples to full scale. It is part of the weights.
        is_fixed: whether the weights hold in every stretch, as those of channels that are no speakers.
    """

    weights: tuple[float, ...] | None = None
    bad_above: float | None = None
    level: float = 1.0
    is_fixed: bool = False

    def __str__(self) -> str:
        terms = [f"{weight:.4g}*c{at}" for at, weight in enumerate(self.weights or ()) if weight]
        settings = [f"level {self.level:.6g}"] if self.level != 1 and len(self.weights or ()) > 1 else []
        settings += [f"up to {self.bad_above:.4g}"] if self.bad_above is not None else []
        settings += ["fixed"] if self.is_fixed else []
        return " + ".join(terms) + (f" [{', '.join(settings)}]" if settings else "")

    def times(self, factor: float) -> ChannelMix:
        """The mix at another level."""
        weights = tuple(float(factor * weight) for weight in self.weights or ())
        return replace(self, weights=weights, level=factor * self.level)

    @classmethod
    def parse(cls, text: str, channels: int) -> ChannelMix:
        """The mix that `str` gives, of a stream with so many channels."""
        terms, _, settings = text.partition("[")
        weights = [0.0] * channels
        for weight, at in re.findall(r"([0-9.e+-]+)\*c(\d+)", terms):
            weights[int(at)] = float(weight)
        numbers = {name: float(value) for name, value in re.findall(r"(level|up to) ([0-9.e+-]+)", settings)}
        level = numbers.get("level", 1.0 if channels > 1 else weights[0])
        return cls(tuple(weights) if any(weights) else None, numbers.get("up to"), level, "fixed" in settings)


SWRESAMPLE = ChannelMix()
"""Stereo becomes its mean. For more channels, the weights of libswresample depend on the sample format."""


MAX_FLOAT_CHANNELS = 64
"""libswresample converts no more channels to another format."""


class Downmixer:
    """Turns frames of one format, layout and rate into 16-bit mono of another rate.

    With weights, a stretch in which they would lose sound is mixed by weights of its own (`StretchMixer`). Without, it
    does as `av.AudioResampler`. A layout for which libswresample has no weights is averaged over its channels. One
    whose number of channels is not that of the weights has those of its speakers, as when a broadcast goes from stereo
    to 5.1.

    Args:
        frame: the first frame, which sets the format, layout and rate.

    Raises:
        MediaError: `corrupt`, if such frames cannot be mixed.
    """

    def __init__(self, frame: AudioFrame, sample_rate_hz: int, mix: ChannelMix = SWRESAMPLE) -> None:
        self._format, self._layout, self._rate_hz = frame.format.name, frame.layout, frame.sample_rate
        self._waiting = self._mixed = 0
        self._bad_above = mix.bad_above if frame.format.name.startswith(("flt", "dbl")) else None
        self._mixer = _stretch_mixer(frame, mix)
        self._fifo = AudioFifo()  # of what is not mixed yet, if there is a mixer
        self._piece_samples = PIECE_S * STRETCHES_PER_S * stretch_samples(frame.sample_rate)
        if self._mixer is not None:
            self._chain = _to_mono(self._mono_frame(np.zeros(1, np.float32)), "anull", sample_rate_hz)
            return
        for mixdown in _mixdowns(frame, mix):
            try:
                self._chain = _to_mono(frame, mixdown, sample_rate_hz)
                return
            except ArgumentError as error:
                refusal = error
        raise MediaError("corrupt", f"no way to mix {self._layout.name} {self._format} sound down") from refusal

    def takes(self, frame: AudioFrame) -> bool:
        """Whether a frame has the format, layout and rate that this mixes."""
        return frame.sample_rate == self._rate_hz and frame.format.name == self._format and frame.layout == self._layout

    def mix(self, frame: AudioFrame) -> Iterator[bytes]:
        """Add a frame and return the pieces of int16 samples that are complete. It may lose its time."""
        if self._bad_above is not None:
            frame = repaired(frame, self._bad_above)
        if self._mixer is None:
            self._chain.push(frame)
        else:
            frame.pts = None  # the samples are counted
            self._fifo.write(frame)
        self._waiting += frame.samples
        if self._waiting < PIECE_S * self._rate_hz:
            return iter(())
        self._waiting = 0
        return self._ready()

    def finish(self) -> Iterator[bytes]:
        """The remaining pieces."""
        yield from self._ready()
        if self._mixer is not None and (rest := self._fifo.read(partial=True)):
            self._chain.push(self._mono_frame(self._mixer.mix(float_samples_of(rest))))
        self._chain.push(None)
        yield from self._ready()

    def _ready(self) -> Iterator[bytes]:
        while self._mixer is not None and (piece := self._fifo.read(self._piece_samples)):
            self._chain.push(self._mono_frame(self._mixer.mix(float_samples_of(piece))))
        for mixed in self._chain.pull():
            yield bytes(memoryview(mixed.planes[0])[: 2 * mixed.samples])

    def _mono_frame(self, audio_T: np.ndarray) -> AudioFrame:
        frame = AudioFrame("flt", "mono", len(audio_T))
        frame.sample_rate, frame.time_base, frame.pts = self._rate_hz, Fraction(1, self._rate_hz), self._mixed
        frame.planes[0].update(audio_T.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
        self._mixed += len(audio_T)
        return frame


def _stretch_mixer(frame: AudioFrame, mix: ChannelMix) -> StretchMixer | None:
    """What mixes such frames stretch by stretch; None if the weights hold for all of the sound."""
    channels = frame.layout.nb_channels
    if mix.weights is None or mix.is_fixed or not 1 < channels <= MAX_FLOAT_CHANNELS:
        return None
    weights_C = np.array(mix.weights if len(mix.weights) == channels else _speaker_weights(frame, mix.level))
    names = [channel.name for channel in frame.layout.channels]
    return StretchMixer(StretchWeights(names, weights_C, mix.level), weights_C, frame.sample_rate)


def _mixdowns(frame: AudioFrame, mix: ChannelMix) -> list[str]:
    """Filters that mix such frames down, the best first."""
    channels = frame.layout.nb_channels
    mixdowns = ["anull", _pan([1 / channels] * channels)]
    if mix.weights is None or _is_usual(mix.weights, frame.layout.name):
        return mixdowns
    if len(mix.weights) == channels:
        return [_pan(mix.weights)]
    return [_pan(_speaker_weights(frame, mix.level)), *mixdowns][channels < 3 :]


def _to_mono(frame: AudioFrame, mixdown: str, sample_rate_hz: int) -> FilterChain:
    """Filters to 16-bit mono of another rate."""
    filters = [
        *([mixdown] if mixdown != "anull" else []),
        f"aformat=sample_rates={sample_rate_hz}:sample_fmts=s16:channel_layouts=mono",
    ]
    if mixdown != "anull" and frame.layout.nb_channels <= MAX_FLOAT_CHANNELS:
        filters.insert(0, "aformat=sample_fmts=fltp")  # 16-bit weights would be rounded
    return FilterChain(frame, filters, PIECE_S * sample_rate_hz)


def _is_usual(weights: Sequence[float], layout: str) -> bool:
    """Whether libswresample mixes with these weights by itself."""
    return tuple(weights) == (1.0,) or (tuple(weights) == (0.5, 0.5) and layout == "stereo")


def _speaker_weights(frame: AudioFrame, level: float) -> list[float]:
    """Weights of a layout of which nothing else is known: those of its speakers, or the mean."""
    names = [channel.name for channel in frame.layout.channels]
    return [level / len(names)] * len(names) if "NONE" in names else [level * speaker_weight(name) for name in names]


def _pan(weights: Sequence[float]) -> str:
    return "pan=mono|c0=" + "+".join(f"{weight:.9g}*c{at}" for at, weight in enumerate(weights))


def repaired(frame: AudioFrame, bad_above: float) -> AudioFrame:
    """A float frame whose samples that are not finite, or of too large a magnitude, are interpolated linearly."""
    audio_CT = samples_of(frame)
    bad_CT = ~(np.abs(audio_CT) <= bad_above)
    if not bad_CT.any():
        return frame
    audio_CT = audio_CT.copy()
    for audio_T, bad_T in zip(audio_CT, bad_CT, strict=True):
        good = np.flatnonzero(~bad_T)
        audio_T[bad_T] = np.interp(np.flatnonzero(bad_T), good, audio_T[good]) if len(good) else 0.0
    return with_samples(frame, audio_CT)
