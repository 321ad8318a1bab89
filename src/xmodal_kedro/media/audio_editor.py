"""Applying the edits of an `AudioClock` to samples: silence for gaps, cross-faded splices for drift."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from xmodal_kedro.media.audio_clock import Edit
from xmodal_kedro.media.downmix import PIECE_S

FADE_S = 0.01
"""Length of the cross-fade of a splice."""

SEARCH_S = 0.25
"""A splice is made where the audio on both its sides is most alike, within so much audio after the edit."""

MERGED_S = 1.0
"""Drift that is corrected within so much audio is corrected at once."""


class AudioEditor:
    """16-bit mono audio that waits for its edits.

    Memory is bounded by the audio that is added before it may be passed on.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._pieces: deque[bytes] = deque()
        self._at = 0  # decoded samples before the first piece
        self._edits: deque[Edit] = deque()
        self._to_remove = 0

    @property
    def has_audio(self) -> bool:
        """Whether any audio waits."""
        return bool(self._pieces)

    def add(self, piece: bytes) -> None:
        """Add int16 samples."""
        self._pieces.append(piece)

    def edited(self, edits: Sequence[Edit], settled_s: float) -> Iterator[bytes]:
        """Remove and return audio that is settled: no edit will come before `settled_s` of decoded audio."""
        for edit in edits:
            self._append(edit)
        settled = round(settled_s * self._rate_hz)
        while self._pieces:
            end = self._at + len(self._pieces[0]) // 2
            if self._edits and round(self._edits[0].at_s * self._rate_hz) < end:
                if not self._has_room_for(self._edits[0]):
                    return
                yield from self._apply(self._edits.popleft())
            elif end <= settled:
                yield from self._pass_on(self._pieces.popleft())
            else:
                return

    def _append(self, edit: Edit) -> None:
        """Add an edit. Drift that is corrected soon after other drift is corrected with it, as a splice takes room."""
        last = self._edits[-1] if self._edits else None
        if last and last.is_drift and edit.is_drift and edit.at_s - last.at_s < MERGED_S:
            self._edits[-1] = last._replace(change_s=last.change_s + edit.change_s)
        else:
            self._edits.append(edit)

    def finish(self) -> Iterator[bytes]:
        """The rest. Drift that the audio after it is too short for is not corrected."""
        while self._edits and self._pieces:
            edit = self._edits.popleft()
            if self._has_room_for(edit):
                yield from self._apply(edit)
        while self._pieces:
            yield from self._pass_on(self._pieces.popleft())

    def _has_room_for(self, edit: Edit) -> bool:
        """Whether the audio that waits reaches far enough for a splice."""
        if not edit.is_drift:
            return True
        waiting = self._at + sum(map(len, self._pieces)) // 2
        return waiting - round(edit.at_s * self._rate_hz) >= self._splice_length(edit)

    def _splice_length(self, edit: Edit) -> int:
        return round((abs(edit.change_s) + SEARCH_S + FADE_S) * self._rate_hz) + 1

    def _apply(self, edit: Edit) -> Iterator[bytes]:
        yield from self._take(max(round(edit.at_s * self._rate_hz) - self._at, 0))
        change = round(edit.change_s * self._rate_hz)
        if edit.is_drift:
            following = np.frombuffer(b"".join(self._take(self._splice_length(edit))), np.int16)
            yield splice(following, change, round(FADE_S * self._rate_hz)).tobytes()
        elif change > 0:
            yield from self._silence(change)
        else:
            self._to_remove -= change

    def _take(self, count: int) -> Iterator[bytes]:
        """Remove and return the next samples, or all that wait if they are fewer."""
        while count and self._pieces:
            piece = self._pieces.popleft()
            if len(piece) // 2 > count:
                self._pieces.appendleft(piece[2 * count :])
                piece = piece[: 2 * count]
            count -= len(piece) // 2
            yield from self._pass_on(piece)

    def _pass_on(self, piece: bytes) -> Iterator[bytes]:
        self._at += len(piece) // 2
        if self._to_remove:
            removed = min(self._to_remove, len(piece) // 2)
            self._to_remove -= removed
            piece = piece[2 * removed :]
        if piece:
            yield piece

    def _silence(self, count: int) -> Iterator[bytes]:
        """Silence in pieces that share their memory."""
        piece = bytes(2 * PIECE_S * self._rate_hz)
        for _ in range(count // (PIECE_S * self._rate_hz)):
            yield piece
        yield bytes(2 * (count % (PIECE_S * self._rate_hz)))


def splice(audio_T: np.ndarray, change: int, fade: int) -> np.ndarray:
    """Lengthen or shorten audio by repeating or leaving out a part where its ends are most alike.

    This is one step of WSOLA: Verhelst and Roelands, "An overlap-add technique based on waveform similarity" (1993).

    Args:
        audio_T: int16 [samples], at least `abs(change) + fade` of them; else it is returned as it is.
        change: samples to add; negative, to leave out.
        fade: samples over which one part fades into the other.

    Returns:
        int16 [samples + change]
    """
    shift = abs(change)
    places = len(audio_T) - shift - fade + 1
    if not shift or places < 1:
        return audio_T
    audio = audio_T.astype(np.float64)
    squares = np.square(audio[:-shift] - audio[shift:])
    difference = np.convolve(squares, np.ones(fade), "valid")[:places]
    first = int(np.argmin(difference))
    second = first + shift
    leaving, coming = (second, first) if change > 0 else (first, second)
    rise = (np.arange(fade) + 0.5) / fade
    faded = audio[leaving : leaving + fade] * (1 - rise) + audio[coming : coming + fade] * rise
    return np.concatenate([audio_T[:leaving], np.rint(faded).astype(np.int16), audio_T[coming + fade :]])
