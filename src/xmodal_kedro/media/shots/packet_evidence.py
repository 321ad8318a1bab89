"""What packet sizes and keyframes tell about cuts, before anything else is decoded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

import av
import numpy as np

from xmodal_kedro.media.shots.thumbnails import STEP, difference, difference_after_motion

HIDDEN_LOOKAHEAD = {"vp8": 25, "vp9": 25, "av1": 33}
"""Frames by which codecs with hidden reference frames send a picture before it is shown."""
NEIGHBOURS = 32
"""Packets of a neighbourhood."""

EFFORT_DOUBT, EFFORT_BELIEF = 0.5, 1.2
"""How much more keyframes must differ, for each keyframe's worth of bytes in a packet shortly before the second, for a
cut to be possible, and to be believed: motion makes large packets as well as differences."""
STILL = 0.5
"""Keyframes' worth of bytes in a GOP with which motion does not explain a difference."""
USUAL_GOPS = (250, 128)
"""Frames between keyframes that are no cuts, before a file shows its own: the defaults of x264, x265 and libvpx."""
TRUSTED_AFTER = 2
"""Early keyframes of a file that proved to be cuts, after which clear ones are believed."""


@dataclass(frozen=True)
class Gop:
    """A group of pictures.

    Attributes:
        packets: in decoding order; the first is the keyframe.
        times_s: presentation time of each packet, seconds.
        sizes: bytes of each packet.
        luma: thumbnail of the keyframe, where it was decoded.
    """

    packets: Sequence[av.Packet]
    times_s: Sequence[float]
    sizes: Sequence[int]
    luma: np.ndarray | None

    def head(self, packets: int) -> Gop:
        """Its first packets."""
        return replace(self, packets=self.packets[:packets], times_s=self.times_s[:packets], sizes=self.sizes[:packets])


Decode = Callable[[Gop], Iterable[tuple[float, np.ndarray]]]
Seen = tuple[float, np.ndarray]


class Keyframes:
    """The keyframes of successive GOPs and the one that follows them; those not decoded yet are when asked for."""

    def __init__(self, decode: Decode, gops: list[Gop], following: tuple[float, np.ndarray | None] | None) -> None:
        self.gops = gops
        self._decode = decode
        self._following = following
        self._lumas: dict[int, np.ndarray | None] = {
            index: gop.luma for index, gop in enumerate(gops) if gop.luma is not None
        }
        if following:
            self._lumas[len(gops)] = following[1]
        self.examined: dict[int, tuple[np.ndarray, float]] = {}

    def time_s(self, index: int) -> float:
        """Presentation time."""
        if index < len(self.gops):
            return self.gops[index].times_s[0]
        assert self._following
        return self._following[0]

    def luma(self, index: int) -> np.ndarray | None:
        """Thumbnail; None if it cannot be decoded."""
        if index not in self._lumas:
            first = next(iter(self._decode(self.gops[index].head(1))), None)
            self._lumas[index] = first[1] if first else None
        return self._lumas[index]

    def step(self, low: int, high: int) -> float:
        """Difference between two of them; 0 where one cannot be decoded."""
        first, second = self.luma(low), self.luma(high)
        return 0.0 if first is None or second is None else difference_after_motion(first, second)

    def unlike(self) -> bool:
        """Whether the decoded keyframes at both ends differ, as far as is known."""
        first, second = self._lumas.get(0), self._lumas.get(len(self.gops))
        return first is None or second is None or difference(first, second) >= STEP

    def seen(self, index: int) -> Seen | None:
        """Time and thumbnail, if there is such a keyframe and it can be decoded."""
        if index == len(self.gops) and not self._following:
            return None
        luma = self.luma(index)
        return None if luma is None else (self.time_s(index), luma)

    def changed(self, looks: int) -> list[int]:
        """Keyframes unlike the one before, sought by halving where the difference is largest.

        Args:
            looks: most keyframes to decode. What is left then is not looked into.
        """
        spans, changed = [(-self.step(0, len(self.gops)), 0, len(self.gops))], []
        most = len(self._lumas) + looks
        while spans and len(self._lumas) <= most:
            step, low, high = heappop(spans)
            if -step < STEP:
                break
            if high - low == 1:
                changed.append(high)
                continue
            middle = (low + high) // 2
            heappush(spans, (-self.step(low, middle), low, middle))
            heappush(spans, (-self.step(middle, high), middle, high))
        return changed


class KeyframeJudge:
    """Tells from a file's habits whether an early keyframe is a cut, without decoding what lies before it."""

    def __init__(self) -> None:
        self._usual = list(USUAL_GOPS)
        self._told: bool | None = None
        self._right = self._wrong = 0

    def judge(self, gop: Gop, end_s: float, step: float) -> bool | None:
        """Whether the keyframe after a GOP is a cut; None where its frames must be looked at.

        Args:
            end_s: time of that keyframe.
            step: difference between it and the keyframe before.
        """
        told = self.sets_keyframes_at_cuts(gop)
        length = len(gop.sizes)
        if self.is_usual(gop):
            return None if sum(gop.sizes[1:]) < STILL * gop.sizes[0] else False
        effort = _effort(gop)
        if step < STEP + EFFORT_DOUBT * effort or self._wrong > self._right + TRUSTED_AFTER:
            return False
        duration_s = end_s - gop.times_s[0]
        on_the_second = abs(duration_s - round(duration_s)) < 0.5 * duration_s / length
        trusted = self._right > self._wrong if self._right >= TRUSTED_AFTER else told and not on_the_second
        return True if trusted and step >= STEP + EFFORT_BELIEF * effort else None

    def is_likely(self, gop: Gop, step: float) -> bool:
        """Whether the keyframe after a GOP, of which `judge` was not sure, is rather a cut than not."""
        return not self.is_usual(gop) and step >= STEP + EFFORT_BELIEF * _effort(gop)

    def sets_keyframes_at_cuts(self, gop: Gop) -> bool:
        """Whether x264 or x265, which write their settings into a file's first packet, were left to find cuts."""
        if self._told is None:
            pattern = rb"keyint=\d+ (?:keyint_min|min-keyint)=\d+ .{0,40}?scenecut=(\d+)"
            settings = re.search(pattern, bytes(gop.packets[0])[:8192], re.DOTALL)
            self._told = bool(settings and int(settings[1]))
        return self._told

    def is_usual(self, gop: Gop) -> bool:
        """Whether a GOP is as long as others that did not end in a cut, and so of no importance."""
        return len(gop.sizes) == 1 or any(abs(len(gop.sizes) - usual) <= 2 for usual in self._usual)

    def learn(self, gop: Gop, *, is_cut: bool) -> None:
        """Take note of whether the keyframe after a GOP turned out to be a cut."""
        if is_cut:
            self._right += 1
        else:
            self._wrong += 1
            self._usual.append(len(gop.sizes))


def _effort(gop: Gop) -> float:
    """The largest packet shortly before the end of a GOP, in keyframes.

    A keyframe that cost no more than others of its packets, a dark one, is no measure: then three times the largest is.
    """
    length = len(gop.sizes)
    if length == 1:
        return 0.0
    return max(gop.sizes[-min(10, length - 1) :]) / max(gop.sizes[0], 3 * max(gop.sizes[1:]))


def hidden_lookahead(gop: Gop) -> int:
    """Frames by which a packet may hold a picture before it is shown."""
    return HIDDEN_LOOKAHEAD.get(gop.packets[0].stream.codec_context.codec.canonical_name, 0)


def find_spikes(sizes: Sequence[int], before: Sequence[int], share: float, ratio: float) -> list[int]:
    """Packets of a GOP that are as large as if they held a new scene.

    Args:
        sizes: bytes of each packet; the first is the keyframe.
        before: bytes of the packets before, without keyframes.
        share: least part of the keyframe's bytes.
        ratio: least multiple of what other packets near take.
    """
    earlier = [*before, *sizes[1:]]
    offset = len(before) - 1
    return [
        index
        for index in range(1, len(sizes))
        if sizes[index] >= share * sizes[0]
        and sizes[index] >= ratio * _level(earlier, offset + index)
        and sizes[index] >= max(sizes[max(1, index - 2) : index + 3])
    ]


def _level(sizes: Sequence[int], index: int) -> float:
    """What the third largest packet takes on the quieter side: another cut or two may be near."""
    sides = sizes[max(0, index - NEIGHBOURS) : index], sizes[index + 1 : index + 1 + NEIGHBOURS]
    return min((sorted(side)[-3] for side in sides if len(side) >= 8), default=max(sizes, default=0))
