"""Mixing decoded audio down to mono and resampling it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from av.audio.frame import AudioFrame
from av.error import ArgumentError
from av.filter import Graph
from av.filter.context import FilterContext

from xmodal_kedro.reasons import MediaError

PIECE_S = 1
"""Audio is passed on in pieces of this length, seconds. That halves the cost of feeding FFmpeg's filters frame by
frame, and changes no sample."""


class Downmixer:
    """Turns frames of one format, layout and rate into 16-bit mono of another rate, as `av.AudioResampler` does.

    A layout for which libswresample has no weights is averaged over its channels.

    Args:
        frame: the first frame, which sets the format, layout and rate.

    Raises:
        MediaError: `corrupt`, if such frames cannot be mixed.
    """

    def __init__(self, frame: AudioFrame, sample_rate_hz: int) -> None:
        self._format, self._layout, self._rate_hz = frame.format.name, frame.layout, frame.sample_rate
        self._waiting = 0
        channels = frame.layout.nb_channels
        average = "+".join(f"{1 / channels}*c{channel}" for channel in range(channels))
        for mixdown in ("anull", f"pan=mono|c0={average}"):
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
        self._graph.link_nodes(
            self._source,
            self._graph.add(*mixdown.split("=", 1)),
            self._graph.add("aformat", wanted),
            self._sink,
        )
        self._graph.configure()
        self._graph.set_audio_frame_size(PIECE_S * sample_rate_hz)
