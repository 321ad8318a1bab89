"""Evidence for cuts from packet sizes and keyframes, before anything else is decoded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

import av
import numpy as np

from xmodal_kedro.media.shots.thumbnails import STEP, difference, difference_after_motion

HIDDEN_LOOKAHEAD = {"vp8": 25, "vp9": 25, "av1": 33}
"""Frames by which codecs with hidden reference frames send a frame before it is shown."""
NEIGHBOURS = 32
"""Packets on each side that a packet is compared with."""

EFFORT_POSSIBLE, EFFORT_LIKELY = 0.5, 1.2
"""How much more two keyframes must differ for a cut to be possible, and to be likely. Both are multiplied by the size
of the largest packet shortly before the second keyframe, relative to a keyframe: motion causes large packets as well as
differences."""
STILL = 0.5
"""If the packets of a GOP together are smaller than this fraction of its keyframe, motion does not explain a
difference."""
USUAL_GOPS = (250, 128)
"""Initial lengths of GOPs that end without a cut, frames: the defaults of x264, x265 and libvpx."""
TRUSTED_AFTER = 2
"""Early keyframes of a file that must prove to be cuts before clear ones are accepted without decoding."""


@dataclass(frozen=True)
class Gop:
    """A group of pictures.

    Attributes:
        packets: in decoding order; the first is the keyframe.
        times_s: presentation time of each packet, seconds.
        sizes: bytes of each packet.
        luma: thumbnail of the keyframe, where it was decoded.
        has_pauses: whether a frame stays on screen for so long that every frame is worth decoding.
    """

    packets: Sequence[av.Packet]
    times_s: Sequence[float]
    sizes: Sequence[int]
    luma: np.ndarray | None
    has_pauses: bool = False

    def head(self, packets: int) -> Gop:
        """Its first packets."""
        return self.only(range(min(packets, len(self.packets))))

    def only(self, indices: Sequence[int]) -> Gop:
        """Some of its packets."""
        return replace(
            self,
            packets=[self.packets[at] for at in indices],
            times_s=[self.times_s[at] for at in indices],
            sizes=[self.sizes[at] for at in indices],
        )


Decode = Callable[[Gop], Iterable[tuple[float, np.ndarray]]]
TimedThumbnail = tuple[float, np.ndarray]


class Keyframes:
    """The keyframes of successive GOPs and the one that follows them, decoded lazily."""

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
        """Difference between two of them; 0 if one cannot be decoded."""
        first, second = self.luma(low), self.luma(high)
        return 0.0 if first is None or second is None else difference_after_motion(first, second)

    def unlike(self) -> bool:
        """Whether the keyframes at both ends differ; True if one of them is not decoded."""
        first, second = self._lumas.get(0), self._lumas.get(len(self.gops))
        return first is None or second is None or difference(first, second) >= STEP

    def seen(self, index: int) -> TimedThumbnail | None:
        """Time and thumbnail, if there is such a keyframe and it can be decoded."""
        if index == len(self.gops) and not self._following:
            return None
        luma = self.luma(index)
        return None if luma is None else (self.time_s(index), luma)

    def changed(self, looks: int) -> list[int]:
        """Keyframes unlike the one before, found by bisection where the difference is largest.

        Args:
            looks: max keyframes to decode. The search ends there.
        """
        spans, changed = [(-self.step(0, len(self.gops)), 0, len(self.gops))], []
        limit = len(self._lumas) + looks
        while spans and len(self._lumas) <= limit:
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
    """Decides from earlier keyframes of a file whether one is a cut, without decoding the frames before it."""

    def __init__(self) -> None:
        self._usual = list(USUAL_GOPS)
        self._scenecut: bool | None = None
        self._right = self._wrong = 0

    def judge(self, gop: Gop, end_s: float, step: float) -> bool | None:
        """Whether the keyframe after a GOP is a cut; None if the frames of the GOP must be decoded to decide.

        Args:
            end_s: time of that keyframe.
            step: difference between it and the keyframe before.
        """
        sets_keyframes = self.sets_keyframes_at_cuts(gop)
        length = len(gop.sizes)
        if self.is_usual(gop):
            return None if sum(gop.sizes[1:]) < STILL * gop.sizes[0] else False
        effort = _effort(gop)
        if step < STEP + EFFORT_POSSIBLE * effort or self._wrong > self._right + TRUSTED_AFTER:
            return False
        duration_s = end_s - gop.times_s[0]
        on_the_second = abs(duration_s - round(duration_s)) < 0.5 * duration_s / length
        trusted = self._right > self._wrong if self._right >= TRUSTED_AFTER else sets_keyframes and not on_the_second
        return True if trusted and step >= STEP + EFFORT_LIKELY * effort else None

    def is_likely(self, gop: Gop, step: float) -> bool:
        """Whether the keyframe after a GOP, for which `judge` returned None, is more likely a cut than not."""
        return not self.is_usual(gop) and step >= STEP + EFFORT_LIKELY * _effort(gop)

    def sets_keyframes_at_cuts(self, gop: Gop) -> bool:
        """Whether x264 or x265, which write their settings into a file's first packet, were set to detect cuts."""
        if self._scenecut is None:
            pattern = rb"keyint=\d+ (?:keyint_min|min-keyint)=\d+ .{0,40}?scenecut=(\d+)"
            settings = re.search(pattern, bytes(gop.packets[0])[:8192], re.DOTALL)
            self._scenecut = bool(settings and int(settings[1]))
        return self._scenecut

    def is_usual(self, gop: Gop) -> bool:
        """Whether a GOP is as long as others that did not end in a cut, so that its end is no evidence of one."""
        return len(gop.sizes) == 1 or any(abs(len(gop.sizes) - usual) <= 2 for usual in self._usual)

    def learn(self, gop: Gop, *, is_cut: bool) -> None:
        """Record whether the keyframe after a GOP turned out to be a cut."""
        if is_cut:
            self._right += 1
        else:
            self._wrong += 1
            self._usual.append(len(gop.sizes))


def _effort(gop: Gop) -> float:
    """Size of the largest packet shortly before the end of a GOP, relative to the keyframe's size.

    A keyframe that is not much larger than the other packets, such as a dark one, is a poor measure. Then three times
    the largest packet is used.
    """
    length = len(gop.sizes)
    if length == 1:
        return 0.0
    return max(gop.sizes[-min(10, length - 1) :]) / max(gop.sizes[0], 3 * max(gop.sizes[1:]))


def hidden_lookahead(gop: Gop) -> int:
    """Frames by which a packet may hold a frame before it is shown."""
    return HIDDEN_LOOKAHEAD.get(gop.packets[0].stream.codec_context.codec.canonical_name, 0)


def find_spikes(sizes: Sequence[int], before: Sequence[int], share: float, ratio: float) -> list[int]:
    """Packets of a GOP that are as large as if they held a new scene.

    Args:
        sizes: bytes of each packet; the first is the keyframe.
        before: bytes of the packets before, without keyframes.
        share: min size as a fraction of the keyframe's.
        ratio: min size as a multiple of the level of nearby packets.
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
    """Size of the third largest packet on the side where it is smaller, as one or two other cuts may be near."""
    sides = sizes[max(0, index - NEIGHBOURS) : index], sizes[index + 1 : index + 1 + NEIGHBOURS]
    return min((sorted(side)[-3] for side in sides if len(side) >= 8), default=max(sizes, default=0))
