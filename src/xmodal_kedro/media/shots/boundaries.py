"""Hard cuts between shots, found from packet sizes and keyframes; other frames are decoded around suspects alone.

An encoder betrays a cut: it sets a keyframe before its time, or spends on one packet what an intra picture costs. Both
also happen without a cut, so what the sizes and the keyframes' pictures leave open is decoded and looked at.
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
    Seen,
    find_spikes,
    hidden_lookahead,
)
from xmodal_kedro.media.shots.thumbnails import CONTEXT, MOTION, STEP, cuts_among, difference

LATENESS_S = 1.5
"""How late cuts are reported: `ShotBoundaryDetector.look_at` returns those that lie at least this long before the start
of its GOP. Keyframes that far from the last decoded one must be decoded."""

SPIKES = ((0.3, 1.7), (0.1, 4.0))
TOLD_SPIKES = ((0.1, 4.0), (0.6, 3.0))
HIDDEN_SPIKES = ((0.6, 3.0),)
"""A packet may hold a new scene if it has this share of the keyframe's bytes and is so many times as large as the third
largest of those before or after it; either pair will do. The first where the keyframes around differ, the second if
they do but the encoder was to set keyframes at cuts itself, the third where they are alike and a cut must lead back."""
DOUBT, MAX_DOUBT = 1.3, 2.0
"""Each look in vain makes packets have to be so many times as large, up to this, until the next cut is found."""

ALLOWANCE_S, ALLOWED_SHARE = 3.0, 0.05
"""Looks in vain may decode so many seconds of a file and this share of it; the one that goes beyond is the last until
the file has become so much longer. A look that finds cuts is free, and each of them earns as much again."""

MAX_DOUBT_S = 2.5
"""An early keyframe after a longer GOP is not worth the decoding that would settle it: the likelier is believed."""

MAX_LOOKS, MIN_LOOKS = 16, 6
"""Keyframes that are decoded to find one that shows another scene, fewer after searches in vain: in a picture that
moves all over, every keyframe differs from the last."""
MIN_JUMP, JUMP = 0.05, 4.0
"""Change of size between keyframes that follow each other closely, as a logarithm, and how far it exceeds the usual
one, with which they are looked at."""


class ShotBoundaryDetector:
    """Finds the cuts of one stream, from its groups of pictures in order.

    Where keyframes come closer together than they are decoded, GOPs are held back until the next decoded one, at most
    `LATENESS_S`. The thumbnails that `decode` gives are those of a GOP's reference frames, in order of time, made while
    they are asked for; it is given heads of GOPs too.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._run: list[Gop] = []
        self._sizes: deque[int] = deque(maxlen=NEIGHBOURS)
        self._doubt = 1.0
        self._left_s = ALLOWANCE_S
        self._patience = MAX_LOOKS
        self._changes: deque[float] = deque(maxlen=NEIGHBOURS)
        self._judge = KeyframeJudge()

    def look_at(self, gop: Gop, following: tuple[float, np.ndarray | None] | None) -> list[float]:
        """Cuts that came to light, seconds, in order: after the first keyframe held back, up to the following one.

        Args:
            following: time and thumbnail, if it was decoded, of the next keyframe; None at the end of the file.
        """
        self._run.append(gop)
        self._left_s += ALLOWED_SHARE * (max(gop.times_s) - gop.times_s[0])
        if following and following[1] is None and following[0] - self._run[0].times_s[0] < LATENESS_S:
            return []
        run, self._run = self._run, []
        keyframes = Keyframes(self._decode, run, following)
        cuts = [cut for index in range(len(run)) for cut in self._inside(keyframes, index)]
        if following:
            cuts += self._between(keyframes, cuts)
        return sorted(cuts)

    def _inside(self, keyframes: Keyframes, index: int) -> list[float]:
        """Cuts that cost a packet of a GOP as much as a keyframe."""
        gop = keyframes.gops[index]
        told = self._judge.sets_keyframes_at_cuts(gop)
        signs = HIDDEN_SPIKES if not keyframes.unlike() else TOLD_SPIKES if told else SPIKES
        spikes = sorted(
            {
                spike
                for share, ratio in signs
                for spike in find_spikes(gop.sizes, self._sizes, share, ratio * self._doubt)
            }
        )
        self._sizes.extend(gop.sizes[1:])
        if not spikes:
            return []
        cuts = self._examine(keyframes, index, spikes[-1] + 1 + hidden_lookahead(gop))
        if cuts is None:
            return []
        self._doubt = 1.0 if cuts else min(MAX_DOUBT, self._doubt * DOUBT)
        return cuts

    def _examine(self, keyframes: Keyframes, index: int, packets: int) -> list[float] | None:
        """Cuts among the first packets of a GOP and, where those are all, at the keyframe that follows.

        Returns:
            None, without a look, if too many were in vain.
        """
        if self._left_s < 0:
            return None
        gop = keyframes.gops[index]
        until_s = max(gop.times_s[:packets])
        seen = list(_until(self._decode(gop), until_s))
        following = keyframes.seen(index + 1)
        if seen:
            keyframes.examined[index] = seen[-1][1], min(1.0, packets / len(gop.sizes))
        if following and until_s >= max(gop.times_s):
            seen.append(following)
        times_s = [time_s for time_s, _ in seen]
        cuts = cuts_among(times_s, [thumbnail for _, thumbnail in seen])
        self._left_s += len(cuts) * ALLOWANCE_S if cuts else gop.times_s[0] - until_s
        return [_centre(gop.times_s, times_s[times_s.index(cut) - 1], cut) for cut in cuts]

    def _between(self, keyframes: Keyframes, found: list[float]) -> list[float]:
        """Cuts at keyframes."""
        gops = keyframes.gops
        if len(gops) > 1 and all(self._judge.is_usual(gop) for gop in gops[:-1]):
            return self._search(keyframes, found)
        cuts = [cut for index in range(len(gops)) for cut in self._at_keyframe(keyframes, index + 1)]
        return [cut for cut in cuts if cut not in found]

    def _at_keyframe(self, keyframes: Keyframes, index: int) -> list[float]:
        """Cuts at one keyframe, and others that come to light."""
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
        short = keyframe[0] - gop.times_s[0] <= MAX_DOUBT_S
        cuts = self._examine(keyframes, index - 1, len(gop.sizes)) if short else None
        if cuts is None:
            return [keyframe[0]] if self._judge.is_likely(gop, step) else []
        self._judge.learn(gop, is_cut=keyframe[0] in cuts)
        return cuts

    def _search(self, keyframes: Keyframes, found: list[float]) -> list[float]:
        """Cuts among keyframes that come too close together for all to be decoded."""
        jumps = self._jumps(keyframes)
        if keyframes.step(0, len(keyframes.gops)) < STEP:
            return []
        suspects = {*jumps, *keyframes.changed(self._patience)}
        explained = {
            index
            for index in suspects
            if any(keyframes.time_s(index - 1) < cut <= keyframes.time_s(index) for cut in found)
        }
        cuts = sorted({cut for index in suspects - explained for cut in self._around(keyframes, index)})
        self._patience = MAX_LOOKS if cuts else max(MIN_LOOKS, self._patience // 2)
        return cuts

    def _jumps(self, keyframes: Keyframes) -> list[int]:
        """Keyframes whose size differs from the last one's more than is usual in the file."""
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
        seen = [frame for frame in map(keyframes.seen, near) if frame]
        return cuts_among([time_s for time_s, _ in seen], [thumbnail for _, thumbnail in seen])


def _until(frames: Iterable[Seen], until_s: float) -> Iterator[Seen]:
    """Frames up to a time and those that tell whether there is a cut at it."""
    later = 0
    for time_s, thumbnail in frames:
        yield time_s, thumbnail
        later += time_s > until_s
        if later >= MOTION:
            return


def _centre(times_s: Sequence[float], before_s: float, cut_s: float) -> float:
    """The middle one of the frames that may be the first of a shot: those that were not decoded, and the one after."""
    between = sorted(time_s for time_s in times_s if before_s < time_s < cut_s)
    return [*between, cut_s][(len(between) + 1) // 2]
