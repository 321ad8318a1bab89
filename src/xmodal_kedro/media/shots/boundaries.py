"""Hard cuts between shots, found from packet sizes and keyframes. Other frames are decoded around candidates alone.

An encoder usually reacts to a cut: it sets an early keyframe, or spends as many bytes on one packet as on an intra
frame. Both also happen without a cut. Where packet sizes and keyframes do not decide, frames are decoded and compared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from xmodal_kedro.media.shots.packet_evidence import (
    NEIGHBOURS,
    Decode,
    Gop,
    KeyframeJudge,
    Keyframes,
    TimedThumbnail,
    find_spikes,
    hidden_lookahead,
)
from xmodal_kedro.media.shots.thumbnails import CONTEXT, MOTION, STEP, cuts_among, difference

LATENESS_S = 1.5
"""Max delay of cuts: `ShotBoundaryDetector.look_at` has returned those that lie at least this long before the start of
its GOP. Keyframes that far from the last decoded one must be decoded."""

SPIKES = ((0.3, 1.7), (0.1, 4.0))
SCENECUT_SPIKES = ((0.1, 4.0), (0.6, 3.0))
ALIKE_SPIKES = ((0.6, 3.0),)
"""Pairs of thresholds. A packet may hold a new scene if it has the first as a fraction of the keyframe's bytes, and is
at least the second times as large as the third largest packet before or after it. One pair must hold. `SPIKES` apply if
the keyframes around differ, `SCENECUT_SPIKES` if they differ and the encoder was set to put keyframes at cuts,
`ALIKE_SPIKES` if they are alike, so that a second cut must lead back."""
BACK_OFF, MAX_BACK_OFF = 1.3, 2.0
"""Factor by which each fruitless decoding raises the threshold of packet sizes, and its max. The next cut resets it."""

BUDGET_S, BUDGET_SHARE = 3.0, 0.05
"""Budget of fruitless decoding: so many seconds, and this fraction of the file. Decoding that exceeds it is the last
until the file has grown enough. Decoding that finds cuts is free, and each cut adds as many seconds again."""

MIN_NEW, FRAMES_FOR_ONE = 0.2, 4
"""Min difference from the keyframe of a frame that may be of another scene, decoded without the frames between. To
decode both costs about as much as so many other frames."""

MAX_EXAMINED_S = 2.5
"""Longest GOP that is decoded to decide about the keyframe after it. After a longer one, the more likely is assumed."""

MAX_SEARCH, MIN_SEARCH = 16, 6
"""Max keyframes that are decoded to find one of another scene, and the lower limit after fruitless searches: if the
whole frame moves, every keyframe differs from the last."""
MIN_JUMP, JUMP = 0.05, 4.0
"""A keyframe is a candidate if the logarithm of its size differs from that of the one before by more than the first,
and by more than the second times the median change."""


class ShotBoundaryDetector:
    """Finds the cuts of one stream, from its groups of pictures (GOPs) in order.

    If not every keyframe is decoded, GOPs are held back until the next decoded one, at most for `LATENESS_S`. `decode`
    returns the thumbnails of a GOP's reference frames in order of time, lazily. It is also called with heads of GOPs.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._run: list[Gop] = []
        self._sizes: deque[int] = deque(maxlen=NEIGHBOURS)
        self._back_off = 1.0
        self._budget_s = BUDGET_S
        self._search_limit = MAX_SEARCH
        self._changes: deque[float] = deque(maxlen=NEIGHBOURS)
        self._judge = KeyframeJudge()

    def look_at(self, gop: Gop, following: tuple[float, np.ndarray | None] | None) -> list[float]:
        """Cuts found by now, seconds, ascending: after the first keyframe held back, up to and with the following one.

        Args:
            following: time and thumbnail, if it was decoded, of the next keyframe; None at the end of the file.
        """
        self._run.append(gop)
        self._budget_s += BUDGET_SHARE * (max(gop.times_s) - gop.times_s[0])
        if following and following[1] is None and following[0] - self._run[0].times_s[0] < LATENESS_S:
            return []
        run, self._run = self._run, []
        keyframes = Keyframes(self._decode, run, following)
        cuts = [cut for index in range(len(run)) for cut in self._inside(keyframes, index)]
        if following:
            cuts += self._between(keyframes, cuts)
        return sorted(cuts)

    def _inside(self, keyframes: Keyframes, index: int) -> list[float]:
        """Cuts inside a GOP, where a packet is about as large as a keyframe."""
        gop = keyframes.gops[index]
        sets_keyframes = self._judge.sets_keyframes_at_cuts(gop)
        thresholds = ALIKE_SPIKES if not keyframes.unlike() else SCENECUT_SPIKES if sets_keyframes else SPIKES
        spikes = sorted(
            {
                spike
                for share, ratio in thresholds
                for spike in find_spikes(gop.sizes, self._sizes, share, ratio * self._back_off)
            }
        )
        self._sizes.extend(gop.sizes[1:])
        if not spikes:
            return []
        if not self._may_be_new(gop, spikes):
            self._back_off = min(MAX_BACK_OFF, self._back_off * BACK_OFF)
            return []
        cuts = self._examine(keyframes, index, spikes[-1] + 1 + hidden_lookahead(gop))
        if cuts is None:
            return []
        self._back_off = 1.0 if cuts else min(MAX_BACK_OFF, self._back_off * BACK_OFF)
        return cuts

    def _may_be_new(self, gop: Gop, spikes: Sequence[int]) -> bool:
        """Whether some packets of a GOP may hold a new scene, from their frames alone, decoded after the keyframe.

        The blocks of a new scene are not predicted, so it is seen. Those of other large packets, such as of motion, are
        predicted, here from the keyframe for want of the frames between, so that its scene is seen.
        """
        # A packet may hold a frame that is shown later. And decoding all may cost less.
        if hidden_lookahead(gop) or FRAMES_FOR_ONE * len(spikes) > spikes[-1]:
            return True
        for spike in spikes:
            thumbnails = [thumbnail for _, thumbnail in self._decode(gop.only([0, spike]))]
            if len(thumbnails) < 2 or difference(*thumbnails[:2]) >= MIN_NEW:
                return True
        return False

    def _examine(self, keyframes: Keyframes, index: int, packets: int) -> list[float] | None:
        """Cuts among the first packets of a GOP and, if those are all, at the keyframe that follows.

        Returns:
            None, without decoding, if the budget is spent.
        """
        if self._budget_s < 0:
            return None
        gop = keyframes.gops[index]
        until_s = max(gop.times_s[:packets])
        thumbnails = list(_until(self._decode(gop), until_s))
        following = keyframes.seen(index + 1)
        if thumbnails:
            keyframes.examined[index] = thumbnails[-1][1], min(1.0, packets / len(gop.sizes))
        if following and until_s >= max(gop.times_s):
            thumbnails.append(following)
        times_s = [time_s for time_s, _ in thumbnails]
        cuts = cuts_among(times_s, [thumbnail for _, thumbnail in thumbnails])
        self._budget_s += len(cuts) * BUDGET_S if cuts else gop.times_s[0] - until_s
        return [_centre(gop.times_s, times_s[times_s.index(cut) - 1], cut) for cut in cuts]

    def _between(self, keyframes: Keyframes, found: list[float]) -> list[float]:
        """Cuts at keyframes."""
        gops = keyframes.gops
        if len(gops) > 1 and all(self._judge.is_usual(gop) for gop in gops[:-1]):
            return self._search(keyframes, found)
        cuts = [cut for index in range(len(gops)) for cut in self._at_keyframe(keyframes, index + 1)]
        return [cut for cut in cuts if cut not in found]

    def _at_keyframe(self, keyframes: Keyframes, index: int) -> list[float]:
        """Cuts at one keyframe, and others found on the way."""
        gop, keyframe = keyframes.gops[index - 1], keyframes.seen(index)
        before, examined = keyframes.examined.get(index - 1, (keyframes.luma(index - 1), 0.0))
        if before is None or keyframe is None:
            return []
        step = difference(before, keyframe[1])
        is_cut = self._judge.judge(gop, keyframe[0], step)
        if is_cut is False and step >= STEP and 0.5 <= examined < 1 and hidden_lookahead(gop):
            is_cut = None
        if is_cut is not None:
            return [keyframe[0]] if is_cut else []
        short = keyframe[0] - gop.times_s[0] <= MAX_EXAMINED_S
        cuts = self._examine(keyframes, index - 1, len(gop.sizes)) if short else None
        if cuts is None:
            return [keyframe[0]] if self._judge.is_likely(gop, step) else []
        self._judge.learn(gop, is_cut=keyframe[0] in cuts)
        return cuts

    def _search(self, keyframes: Keyframes, found: list[float]) -> list[float]:
        """Cuts among keyframes that are too close together to decode all of them."""
        jumps = self._jumps(keyframes)
        if keyframes.step(0, len(keyframes.gops)) < STEP:
            return []
        candidates = {*jumps, *keyframes.changed(self._search_limit)}
        explained = {
            index
            for index in candidates
            if any(keyframes.time_s(index - 1) < cut <= keyframes.time_s(index) for cut in found)
        }
        cuts = sorted({cut for index in candidates - explained for cut in self._around(keyframes, index)})
        self._search_limit = MAX_SEARCH if cuts else max(MIN_SEARCH, self._search_limit // 2)
        return cuts

    def _jumps(self, keyframes: Keyframes) -> list[int]:
        """Keyframes whose size differs from that of the last one by more than is usual in the file."""
        sizes = [gop.sizes[0] for gop in keyframes.gops]
        changes = np.abs(np.diff(np.log(np.maximum(sizes, 1))))
        usual = float(np.median([*self._changes, *changes]))
        self._changes.extend(changes)
        largest = np.argsort(changes)[-2:]
        return [int(index) + 1 for index in largest if changes[index] > max(MIN_JUMP, JUMP * usual)]

    def _around(self, keyframes: Keyframes, index: int) -> list[float]:
        """Cuts at a keyframe or in the GOP before it."""
        if len(keyframes.gops[index - 1].sizes) > 1:
            return self._examine(keyframes, index - 1, len(keyframes.gops[index - 1].sizes)) or []
        if keyframes.step(index - 1, index) < STEP:
            return []
        near = range(max(0, index - CONTEXT), min(len(keyframes.gops), index + CONTEXT - 1) + 1)
        thumbnails = [frame for frame in map(keyframes.seen, near) if frame]
        return cuts_among([time_s for time_s, _ in thumbnails], [thumbnail for _, thumbnail in thumbnails])


def _until(frames: Iterable[TimedThumbnail], until_s: float) -> Iterator[TimedThumbnail]:
    """Frames up to a time, and the later ones that decide whether there is a cut at it."""
    later = 0
    for time_s, thumbnail in frames:
        yield time_s, thumbnail
        later += time_s > until_s
        if later >= MOTION:
            return


def _centre(times_s: Sequence[float], before_s: float, cut_s: float) -> float:
    """The middle of the frames that may be the first of a shot: the undecoded ones, and the decoded one after them."""
    between = sorted(time_s for time_s in times_s if before_s < time_s < cut_s)
    return [*between, cut_s][(len(between) + 1) // 2]
