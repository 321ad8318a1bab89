"""Clips the file of a row, and measures it against the master and against a plain decode of the whole file."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.formats.master import CLIP_RATE_HZ, locate, number_of
from tests.formats.plain import Plain, plain_decode
from tests.formats.rows import Row
from tests.formats.writing import SHAPES, write
from xmodal_kedro.media.clip_rows import Account, ClipRow, StreamUse
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.media.streams import probe_file
from xmodal_kedro.params import ClipParams, IngestParams
from xmodal_kedro.reasons import MediaError

PARAMS = ClipParams(frames_per_clip=4, coverage="everything")
MAX_LEAD = CLIP_RATE_HZ // 20
"""Max samples of silence before sound whose first packet came late."""
PIECE = CLIP_RATE_HZ
"""Samples of a second, which are located together."""


@dataclass(frozen=True)
class Measured:
    """What became of a file.

    Attributes:
        found: columns of `videos` that come from its streams; empty if it was rejected.
        duration_off_s: of `duration_s` from the end of the sound in the plain decode.
        refused: reason and detail, if it was rejected, gave no clip or not all of them.
        clipped_s: length of its clips together.
        correlation: the lowest of any second of the clips with a plain decode of the file.
        sound_s: largest error of the times of the sound.
        frames_s: by how much a frame was off the screen at its time or during its clip, at most.
        frames: stored in the clips.
        unreadable_frames: those that show no number.
    """

    found: dict[str, object]
    refused: str = ""
    duration_off_s: float = 0.0
    clipped_s: float = 0.0
    correlation: float = 1.0
    sound_s: float = 0.0
    frames_s: float = 0.0
    frames: int = 0
    unreadable_frames: int = 0

    @property
    def error_s(self) -> float:
        """The larger of both errors."""
        return max(self.sound_s, self.frames_s)


def measure(row: Row) -> Measured:
    """Write the file of a row, clip it and measure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{row.suffix}"
        write(path, row)
        try:
            (found,) = probe_file(str(path), IngestParams())
        except MediaError as error:
            return Measured({}, f"{error.reason}: {error.detail}")
        try:
            given = list(clip_file(str(path), "0" * 32, PARAMS, StreamUse.of(found)))
        except MediaError as error:
            return Measured(found, f"{error.reason}: {error.detail}")
        clips = [each for each in given if isinstance(each, ClipRow)]
        (account,) = (each for each in given if isinstance(each, Account))
        return judge(row, found, clips, account, plain_decode(path, row))


def judge(row: Row, found: dict[str, object], clips: list[ClipRow], account: Account, plain: Plain) -> Measured:
    """Compare clips with a plain decode of their file."""
    shape = SHAPES[row.shape]
    correlations, sound_s, frames_s = [1.0], [0.0], [0.0]
    unreadable = 0
    for clip in clips:
        samples = np.frombuffer(clip.audio, "<i2").astype(np.float32)
        first = min(int(np.argmax(samples != 0)), MAX_LEAD)  # silence that the sound of the file does not hold
        for start in range(first, samples.size - PIECE + 1, PIECE):
            at_s = clip.start_s + start / CLIP_RATE_HZ
            if at_s < plain.sound_starts_s:  # silence before the sound begins
                continue
            piece = samples[start : start + PIECE]
            there = locate(piece, plain.sound)
            correlations.append(there.correlation)
            sound_s.append(abs(there.start_s + plain.sound_starts_s - at_s))
        for jpeg, time_s in zip(clip.frames, clip.frame_times_s, strict=True):
            on_screen = plain.on_screen_s.get(number_of(jpeg, shape.turned_deg) or 0)
            if on_screen is None:
                unreadable += 1
            else:
                frames_s.append(_off_screen_s(on_screen, time_s, (clip.start_s, clip.end_s)))
    return Measured(
        found,
        "" if account.cut_short is None else ": ".join(account.cut_short),
        abs(float(str(found["duration_s"])) - plain.end_s),
        sum(clip.end_s - clip.start_s for clip in clips),
        min(correlations),
        max(sound_s),
        max(frames_s),
        sum(len(clip.frames) for clip in clips),
        unreadable,
    )


def _off_screen_s(on_screen: tuple[float, float], time_s: float, span_s: tuple[float, float]) -> float:
    """How far a frame's stored time, and its clip, are from when the frame is on screen; 0 if they are within."""
    from_s, to_s = on_screen
    return max(from_s - time_s, time_s - to_s, from_s - span_s[1], span_s[0] - to_s, 0.0)
