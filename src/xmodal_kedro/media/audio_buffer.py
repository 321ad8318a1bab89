"""The part of a recording's audio that clips may still need."""

from __future__ import annotations

import numpy as np

from xmodal_kedro.media.spans import BLOCK_MS, Span
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ, INT16_FULL_SCALE

SAMPLES_PER_MS = CLIP_SAMPLE_RATE_HZ // 1000
BLOCK_SAMPLES = BLOCK_MS * SAMPLES_PER_MS


class AudioBuffer:
    """16 kHz mono audio that is appended at its end and dropped from its start.

    Attributes:
        sample_count: samples added so far, including dropped ones.
    """

    def __init__(self) -> None:
        self.sample_count = 0
        self._pcm = bytearray()
        self._measured = 0

    @property
    def end_ms(self) -> int:
        """End of the audio so far, whole milliseconds."""
        return self.sample_count // SAMPLES_PER_MS

    def add(self, samples: np.ndarray) -> None:
        """Add int16 [samples]."""
        self._pcm += samples.data
        self.sample_count += samples.size

    def measure(self) -> np.ndarray:
        """Mean squares, full scale 1.0, of the blocks of `BLOCK_MS` completed since the last call: float [blocks]."""
        count = (self.sample_count - self._measured) // BLOCK_SAMPLES
        blocks = self._between(self._measured, self._measured + count * BLOCK_SAMPLES).astype(np.float32)
        self._measured += count * BLOCK_SAMPLES
        return np.square(blocks / INT16_FULL_SCALE).reshape(count, BLOCK_SAMPLES).mean(axis=1)

    def cut(self, span: Span) -> np.ndarray:
        """The samples of a span that is still in the buffer: int16 [samples]."""
        return self._between(span.start_ms * SAMPLES_PER_MS, span.end_ms * SAMPLES_PER_MS)

    def forget_before(self, time_ms: int) -> None:
        """Drop the audio before a time, except what is not measured yet."""
        first = min(time_ms * SAMPLES_PER_MS, self._measured)
        del self._pcm[: max(0, 2 * (first - self._first))]

    @property
    def _first(self) -> int:
        """Position of the first sample in the buffer."""
        return self.sample_count - len(self._pcm) // 2

    def _between(self, start: int, end: int) -> np.ndarray:
        """A copy of the samples from `start` to `end`, positions from the start of the recording."""
        return np.frombuffer(bytes(self._pcm[2 * (start - self._first) : 2 * (end - self._first)]), np.int16)
