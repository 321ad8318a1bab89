"""A chain of FFmpeg's audio filters, fed with frames of one kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from av.audio.frame import AudioFrame
from av.filter import Graph
from av.filter.context import FilterContext


class FilterChain:
    """Audio filters, one after the other.

    Args:
        frame: one of the frames that are pushed, which sets the sample format, layout and rate.
        filters: such as `pan=mono|c0=c1`.
        piece_samples: of the frames that come out.

    Raises:
        ArgumentError: if the filters do not take such frames.
    """

    def __init__(self, frame: AudioFrame, filters: Sequence[str], piece_samples: int) -> None:
        self._graph = Graph()  # kept, as filters hold no reference to their graph
        self._source: FilterContext = self._graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=frame.layout.name,
            time_base=str(frame.time_base or f"1/{frame.sample_rate}"),
        )
        self._sink: FilterContext = self._graph.add("abuffersink")
        added = [self._graph.add(*each.split("=", 1)) for each in filters]
        self._graph.link_nodes(self._source, *added, self._sink)
        self._graph.configure()
        self._graph.set_audio_frame_size(piece_samples)

    def push(self, frame: AudioFrame | None) -> None:
        """Add a frame, or, with None, end the sound."""
        self._source.push(frame)

    def pull(self) -> Iterator[AudioFrame]:
        """The frames that are complete."""
        while True:
            try:
                yield cast(AudioFrame, self._sink.pull())
            except (BlockingIOError, EOFError):
                return
