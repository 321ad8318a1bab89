"""Mixing decoded audio down to mono and resampling it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from av.audio.frame import AudioFrame
from av.error import ArgumentError
from av.filter import Graph
from av.filter.context import FilterContext

from xmodal_kedro.media.samples import samples_of, with_samples
from xmodal_kedro.reasons import MediaError

PIECE_S = 1
"""Audio is passed on in pieces of this length, seconds. That halves the cost of feeding FFmpeg's filters frame by
frame, and changes no sample."""


FRONT, CENTRE, SURROUND = 0.5, math.sqrt(0.5), 0.5 * math.sqrt(0.5)
SPEAKER_WEIGHTS = {"FL": FRONT, "FR": FRONT, "FC": CENTRE, "LFE": 0.0, "LFE2": 0.0}


def speaker_weight(name: str) -> float:
    """Weight of a speaker in a mono mix: that of stereo by ITU-R BS.775-4, table 2, and then the mean."""
    return SPEAKER_WEIGHTS.get(name, SURROUND)


@dataclass(frozen=True)
class ChannelMix:
    """How the channels of a stream become one.

    Attributes:
        weights: factor of each channel; None to mix as libswresample does, which is the mean for stereo.
        bad_above: float samples whose magnitude is above this, or that are not finite, are interpolated; None for none.
    """

    weights: tuple[float, ...] | None = None
    bad_above: float | None = None

    def __str__(self) -> str:
        terms = [f"{weight:.4g}*c{at}" for at, weight in enumerate(self.weights or ()) if weight]
        return " + ".join(terms) + (f" [{self.bad_above:.4g}]" if self.bad_above is not None else "")

    def times(self, factor: float) -> ChannelMix:
        """The mix at another level."""
        return ChannelMix(tuple(float(factor * weight) for weight in self.weights or ()), self.bad_above)

    @classmethod
    def parse(cls, text: str, channels: int) -> ChannelMix:
        """The mix that `str` gives, of a stream with so many channels."""
        weights = [0.0] * channels
        for weight, at in re.findall(r"([0-9.e+-]+)\*c(\d+)", text):
            weights[int(at)] = float(weight)
        bad = re.search(r"\[(.*)\]", text)
        return cls(tuple(weights) if any(weights) else None, float(bad[1]) if bad else None)


SWRESAMPLE = ChannelMix()
"""Stereo becomes its mean. For more channels, the weights of libswresample depend on the sample format."""


MAX_FLOAT_CHANNELS = 64
"""libswresample converts no more channels to another format."""


class Downmixer:
    """Turns frames of one format, layout and rate into 16-bit mono of another rate.

    Without weights it does as `av.AudioResampler`. A layout for which libswresample has no weights is averaged over its
    channels. One whose number of channels is not that of the weights has those of its speakers, as when a broadcast
    goes from stereo to 5.1.

    Args:
        frame: the first frame, which sets the format, layout and rate.

    Raises:
        MediaError: `corrupt`, if such frames cannot be mixed.
    """

    def __init__(self, frame: AudioFrame, sample_rate_hz: int, mix: ChannelMix = SWRESAMPLE) -> None:
        self._format, self._layout, self._rate_hz = frame.format.name, frame.layout, frame.sample_rate
        self._waiting = 0
        self._bad_above = mix.bad_above if frame.format.name.startswith(("flt", "dbl")) else None
        channels = frame.layout.nb_channels
        mixdowns = ["anull", _pan([1 / channels] * channels)]
        if mix.weights is not None and not _is_usual(mix.weights, frame.layout.name):
            same = len(mix.weights) == channels
            mixdowns = [_pan(mix.weights)] if same else [_pan(_speaker_weights(frame)), *mixdowns][channels < 3 :]
        for mixdown in mixdowns:
            try:
                self._connect(frame, mixdown, sample_rate_hz)
                return
            except ArgumentError as error:
                refusal = error
        raise MediaError("corrupt", f"no way to mix {self._layout.name} {self._format} sound down") from refusal

    def takes(self, frame: AudioFrame) -> bool:
        """Whether a frame has the format, layout and rate that this mixes."""
        return frame.sample_rate == self._rate_hz and frame.format.name == self._format and frame.layout == self._layout

    def mix(self, frame: AudioFrame) -> Iterator[bytes]:
        """Add a frame and return the pieces of int16 samples that are complete."""
        if self._bad_above is not None:
            frame = repaired(frame, self._bad_above)
        self._source.push(frame)
        self._waiting += frame.samples
        if self._waiting < PIECE_S * self._rate_hz:
            return iter(())
        self._waiting = 0
        return self._ready()

    def finish(self) -> Iterator[bytes]:
        """The remaining pieces."""
        self._source.push(None)
        return self._ready()

    def _ready(self) -> Iterator[bytes]:
        while True:
            try:
                mixed = cast(AudioFrame, self._sink.pull())
            except (BlockingIOError, EOFError):
                return
            yield bytes(memoryview(mixed.planes[0])[: 2 * mixed.samples])

    def _connect(self, frame: AudioFrame, mixdown: str, sample_rate_hz: int) -> None:
        self._graph = Graph()  # kept, as filters hold no reference to their graph
        self._source: FilterContext = self._graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=frame.layout.name,
            time_base=str(frame.time_base or f"1/{frame.sample_rate}"),
        )
        self._sink: FilterContext = self._graph.add("abuffersink")
        wanted = f"sample_rates={sample_rate_hz}:sample_fmts=s16:channel_layouts=mono"
        filters = [self._graph.add(*mixdown.split("=", 1)), self._graph.add("aformat", wanted)]
        if mixdown != "anull" and frame.layout.nb_channels <= MAX_FLOAT_CHANNELS:
            filters.insert(0, self._graph.add("aformat", "sample_fmts=fltp"))  # 16-bit weights would be rounded
        self._graph.link_nodes(self._source, *filters, self._sink)
        self._graph.configure()
        self._graph.set_audio_frame_size(PIECE_S * sample_rate_hz)


def _is_usual(weights: Sequence[float], layout: str) -> bool:
    """Whether libswresample mixes with these weights by itself."""
    return tuple(weights) == (1.0,) or (tuple(weights) == (0.5, 0.5) and layout == "stereo")


def _speaker_weights(frame: AudioFrame) -> list[float]:
    """Weights of a layout of which nothing else is known: those of its speakers, or the mean."""
    names = [channel.name for channel in frame.layout.channels]
    return [1 / len(names)] * len(names) if "NONE" in names else [speaker_weight(name) for name in names]


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
