"""Channels mixed anew wherever the mix of the whole file would lose sound: after a change of sides or of phase."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from xmodal_kedro.media.channel_weights import channel_weights
from xmodal_kedro.reasons import MediaError

STRETCHES_PER_S = 4
"""A change on the way is followed a quarter of a second late at most, and 40 Hz still have ten periods."""

FADE_S = 0.02
"""One mix fades into the other over so much sound, so that no click is heard."""

RIGHT_DB = 2.0
"""The mix of the file stays where its level differs from that of a mix for the stretch by less than this."""

RIGHT = 10 ** (-RIGHT_DB / 10)
"""The same, as a ratio of powers."""

EACH = 4
"""Of so many samples one is measured: levels and correlations do not depend on the pitch that it is taken for."""

QUIET_DBFS = -80.0
"""Quieter stretches, whose channels may be noise of a codec, keep the mix of the one before."""


def stretch_samples(rate_hz: int) -> int:
    """Samples of a stretch."""
    return max(math.ceil(rate_hz / STRETCHES_PER_S), 1)


class StretchWeights:
    """Weights of the channels for one stretch of sound.

    Args:
        names: of the channels.
        weights_C: those for the whole file.
        level: factor that brings samples to full scale.

    Attributes:
        of_file_C: the weights for the whole file.
    """

    def __init__(self, names: Sequence[str], weights_C: np.ndarray, level: float = 1.0) -> None:
        self._names, self._level = tuple(names), level
        self.of_file_C = np.asarray(weights_C, np.float64)
        self._quiet = 10 ** (QUIET_DBFS / 10) / level**2
        self._may_change = len(self._names) > 1 and bool(self.of_file_C.any())
        self._is_whole = bool(self.of_file_C.all())

    def hold_in(self, covariances_SCC: np.ndarray) -> bool:
        """Whether the weights of the file are right in all stretches with these mean products of their channels.

        One look at several stretches, [stretches, channels, channels]: `of` then need not look at each.
        """
        if not self._may_change:
            return True
        if not self._is_whole:
            return False
        loudest_S = np.diagonal(covariances_SCC, axis1=1, axis2=2).max(axis=1)
        power_S = covariances_SCC @ self.of_file_C @ self.of_file_C
        ratio_S = power_S / np.maximum(self._level**2 * loudest_S, 1e-300)
        is_right_S = (self._quiet < loudest_S) & (loudest_S < math.inf) & (ratio_S > RIGHT) & (ratio_S * RIGHT < 1)
        return bool(is_right_S.all())

    def of(self, covariance_CC: np.ndarray) -> np.ndarray | None:
        """The weights for a stretch with these mean products of its channels: [channels].

        Returns:
            The weights of the file themselves, where they are right; None if the stretch is too quiet to say.
        """
        powers_C = np.diag(covariance_CC)
        loudest = float(powers_C.max())
        if not self._may_change:
            return self.of_file_C
        if not self._quiet < loudest < math.inf:
            return None
        power = float(self.of_file_C @ covariance_CC @ self.of_file_C)
        if self._is_whole and abs(_db(power, self._level**2 * loudest)) < RIGHT_DB:
            return self.of_file_C
        try:
            weights_C = self._level * channel_weights(self._names, covariance_CC, powers_C)[0]
        except MediaError:  # only LFE has sound
            return self.of_file_C
        wanted = float(weights_C @ covariance_CC @ weights_C)
        return self.of_file_C if abs(_db(power, wanted)) < RIGHT_DB else weights_C


def _db(power: float, reference: float) -> float:
    return 10 * math.log10(max(power, 1e-300) / max(reference, 1e-300))


class StretchMixer:
    """Mixes the channels of sound that comes in pieces of whole stretches, the last one apart.

    Args:
        weights: of the stretches.
        start_C: weights until the first stretch that is not quiet: [channels].
        rate_hz: of the sound.
    """

    def __init__(self, weights: StretchWeights, start_C: np.ndarray, rate_hz: int) -> None:
        self._weights = weights
        self._now_C = np.asarray(start_C, np.float64)
        self._length = stretch_samples(rate_hz)
        rise_T = (np.arange(max(round(FADE_S * rate_hz), 1)) + 0.5) / max(round(FADE_S * rate_hz), 1)
        self._rise_T = rise_T.astype(np.float32)
        self._has_begun = False

    def mix(self, audio_CT: np.ndarray) -> np.ndarray:
        """One channel of a piece, float32 [channels, samples]: float32 [samples]."""
        if self._goes_on(audio_CT):
            self._has_begun = True
            now_C, starts = self._now_C.astype(np.float32), range(0, audio_CT.shape[1], self._length)
            # One product of all would differ in the last bit, with where in memory a stretch begins.
            return np.concatenate([now_C @ audio_CT[:, start : start + self._length] for start in starts])
        mixed_T = np.empty(audio_CT.shape[1], np.float32)
        for start in range(0, len(mixed_T), self._length):
            part_CT = audio_CT[:, start : start + self._length]
            count = part_CT.shape[1]
            before_C = self._now_C
            if count > self._length // 4:  # less of it, at the end, says little
                some_CT = part_CT[:, ::EACH]
                chosen_C = self._weights.of((some_CT @ some_CT.T).astype(np.float64) / some_CT.shape[1])
                self._now_C = before_C if chosen_C is None else chosen_C
            mixed_T[start : start + count] = self._now_C.astype(np.float32) @ part_CT
            if self._now_C is not before_C and self._has_begun:
                rise_T, fading_CT = self._rise_T[:count], part_CT[:, : len(self._rise_T)]
                before_T = before_C.astype(np.float32) @ fading_CT
                head_T = mixed_T[start : start + len(rise_T)]
                head_T += (before_T - head_T) * (1 - rise_T)
            self._has_begun = True
        return mixed_T

    def _goes_on(self, audio_CT: np.ndarray) -> bool:
        """Whether a piece of whole stretches is mixed as the file is, and was before."""
        count = audio_CT.shape[1] // self._length
        is_as_file = self._now_C is self._weights.of_file_C or not self._has_begun
        if not count or audio_CT.shape[1] % self._length or not is_as_file:
            return False
        some_SCT = audio_CT.reshape(len(audio_CT), count, self._length).swapaxes(0, 1)[:, :, ::EACH]
        covariances_SCC = (some_SCT @ some_SCT.swapaxes(1, 2)).astype(np.float64) / some_SCT.shape[2]
        if not self._weights.hold_in(covariances_SCC):
            return False
        self._now_C = self._weights.of_file_C
        return True
