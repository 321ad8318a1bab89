"""The plain decode of a whole file by PyAV alone, by which clips are judged."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from tests.formats.master import CLIP_RATE_HZ, FPS, SECONDS, shown_number
from tests.formats.rows import Row
from tests.formats.writing import SHAPES


class Plain(NamedTuple):
    """What a file holds, on a clock that starts with its first sample or frame.

    Attributes:
        sound: of the loudest track, its first channel at `CLIP_RATE_HZ`, the samples one after the other.
        sound_starts_s: time of its first sample.
        on_screen_s: when each frame is on screen, from and to, by its number.
    """

    sound: NDArray[np.float32]
    sound_starts_s: float
    on_screen_s: dict[int, tuple[float, float]]

    @property
    def end_s(self) -> float:
        """When its sound ends."""
        return self.sound_starts_s + self.sound.size / CLIP_RATE_HZ


def plain_decode(path: Path, row: Row) -> Plain:
    """Decode all of a file. Where its stamps mislead, frames have the times at which they were recorded."""
    shape = SHAPES[row.shape]
    start_s, samples = max(_tracks(path), key=lambda track: float(np.mean(track[1] ** 2)))
    times_s = {number: number / FPS for number in shape.numbers} if shape.stamps_mislead else _frames(path, row)
    origin_s = 0.0 if shape.stamps_mislead else min([start_s, *times_s.values()])
    ordered = sorted(times_s.items(), key=lambda each: each[1])
    ends_s = [*(time_s for _, time_s in ordered), origin_s + SECONDS][1:]
    on_screen = {
        number: (from_s - origin_s, to_s - origin_s) for (number, from_s), to_s in zip(ordered, ends_s, strict=False)
    }
    sound_starts_s = 0.0 if shape.stamps_mislead else start_s - origin_s
    return Plain(samples, sound_starts_s, on_screen)


def _tracks(path: Path) -> list[tuple[float, NDArray[np.float32]]]:
    """Time of the first sample and the samples of each audio track."""
    tracks = []
    with av.open(str(path)) as container:
        count = len(container.streams.audio)
    for index in range(count):
        resampler, parts, first_s = av.AudioResampler(format="fltp", rate=CLIP_RATE_HZ), [], None
        with av.open(str(path)) as container:
            for frame in container.decode(audio=index):
                if first_s is None:
                    first_s = frame.time or 0.0
                frame.pts = None
                parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
        parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
        tracks.append((first_s or 0.0, np.concatenate(parts)))
    return tracks


def _frames(path: Path, row: Row) -> dict[int, float]:
    """Presentation time of each frame that is shown, seconds, by its number."""
    if not row.video:
        return {}
    with av.open(str(path)) as container:
        shown = (
            (shown_number(frame.to_ndarray(format="gray", threads=1)), frame.time)
            for frame in container.decode(video=0)
        )
        return {number: time_s for number, time_s in shown if number is not None and time_s is not None}
