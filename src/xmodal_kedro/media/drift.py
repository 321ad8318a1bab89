"""Drift among jittered timestamps: where the audio lies once chance delays of single stamps are averaged out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.media.stamps import WRONG_S, Stamps, common, far_from, local_median, start_of_line, steps


class AveragedOffsets(NamedTuple):
    """Offset of the audio at each stamp by two averages over the stamps around it: float64 [stamps], seconds.

    An entry is NaN where an abrupt change is near, or where averages say nothing.

    Attributes:
        of_punctual_s: by the median of the offsets without late ones.
        of_all_s: by the median of all offsets.
    """

    of_punctual_s: NDArray[np.float64]
    of_all_s: NDArray[np.float64]

    def drift_s(self, offset_s: float) -> NDArray[np.float64]:
        """How far the audio has drifted from an offset, at each stamp: the smaller of both, 0 if they contradict.

        A sound card that runs fast or slow moves both averages. A network that becomes slower delays more of the
        stamps and not the punctual ones, so it moves one.
        """
        return common(self.of_punctual_s - offset_s, self.of_all_s - offset_s)


class DriftMeter:
    """Averages the offsets of one audio stream.

    As no stamp comes early, averages lie above the offset of the audio. By how much is measured where the stream
    starts, and subtracted from then on.
    """

    def __init__(self) -> None:
        self._excess_s: tuple[float, float] | None = None

    def measure(
        self,
        first: int,
        stamps: Stamps,
        punctual_s: NDArray[np.float64],
        lateness_s: NDArray[np.float64],
        offset_s: float,
        tolerance_s: float,
    ) -> AveragedOffsets:
        """Average the offsets of stamps from number `first` on.

        There is nothing to average out where stamps are late by less than the tolerance, and averages vary too much
        where they are late by more than `WRONG_S`: then all is NaN.

        Args:
            first: number of the first stamp that was not measured before.
            stamps: those before it, and all from it on.
            punctual_s: their offsets without outliers and late ones, seconds: [stamps].
            lateness_s: by how much the stamps around each are late, seconds: [stamps].
            offset_s: of the audio, as corrected so far.
            tolerance_s: by how much a stamp may differ from the number of samples and agree with it.
        """
        averaged = AveragedOffsets(*np.full((2, len(punctual_s)), np.nan))
        if not tolerance_s < float(np.median(lateness_s)) <= WRONG_S:
            return averaged
        at_s, jumped_s = stamps.at_s[first:], steps(punctual_s[first:])
        medians_s = [local_median(at_s, each_s[first:] - jumped_s) for each_s in (punctual_s, stamps.offset_s)]
        if self._excess_s is None:
            of_punctual_s, of_all_s = (start_of_line(at_s, median_s) - offset_s for median_s in medians_s)
            self._excess_s = of_punctual_s, of_all_s
        is_undisturbed = far_from(at_s, jumped_s)
        for each_s, median_s, excess_s in zip(averaged, medians_s, self._excess_s, strict=True):
            each_s[first:] = np.where(is_undisturbed, median_s + jumped_s - excess_s, np.nan)
        return averaged
