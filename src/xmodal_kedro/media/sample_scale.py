"""Which samples are sound, and by which factor they come to full scale: of codecs that let them be anything."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

FLOATS = ("pcm_f16le", "pcm_f24le", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be")
INTEGERS = ("pcm_s32le", "pcm_s32be")
PCM_TO_SCAN = FLOATS + INTEGERS
"""Codecs whose samples may exceed full scale, be no numbers, or fill only a part of their bits. All are read."""

FLAC_STREAMINFO_BYTES = 34


def pcm_to_scan(codec: str, extradata: bytes | None) -> str:
    """The codec of `PCM_TO_SCAN` that a stream's samples are like; empty if they are in order as they are.

    FLAC of more than 24 bits decodes to samples of 32, like `pcm_s32le`.

    Args:
        codec: name of the stream's codec.
        extradata: what the container stores for the codec; of FLAC, the block STREAMINFO.
    """
    if codec == "flac" and extradata and len(extradata) == FLAC_STREAMINFO_BYTES:
        return INTEGERS[0] if _flac_sample_bits(extradata) > 24 else ""
    return codec if codec in PCM_TO_SCAN else ""


def _flac_sample_bits(streaminfo: bytes) -> int:
    """Bits per sample, which are stored minus one in the 5 bits from bit 103 on (RFC 9639, section 8.2)."""
    return (int.from_bytes(streaminfo[12:14]) >> 4 & 0b11111) + 1


MIN_EXPONENT, MAX_EXPONENT = -160, 160
"""Range of the exponents that are counted."""

USUAL_SHARE, BEYOND_EXPONENTS = 0.999, 10
"""A sample is bad if its exponent is so much (60 dB) above that of this fraction of the samples."""

FEW_SHARE, FEW = 1e-5, 8
"""At most this fraction of the samples, or this number, are lone spikes if they are beyond full scale or far from all
others. They are interpolated rather than that they set the level of all."""

FAR = 2.0
"""Spikes exceed what others reach by more than this factor."""

INTEGER_SCALES = (2.0**15, 2.0**23, 2.0**31)
"""Floats up to these are integers that were never scaled, if they are whole numbers or larger than the next value."""

MAX_OVER = 64.0
"""Floats may exceed full scale by this factor (36 dB), as those of recorders with 32-bit floats do."""


class Magnitudes:
    """Magnitudes of samples, full scale 1.0, by their binary exponents.

    Attributes:
        counts: number of samples by exponent, from `MIN_EXPONENT`; those that are zero do not count.
        largest: largest magnitude by exponent.
        not_finite: number of samples that are no finite numbers.
        low_bits: whether some sample of 32 bits uses its lowest 8 bits.
        whole: whether all are whole numbers.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(MAX_EXPONENT - MIN_EXPONENT + 1, np.int64)
        self.largest = np.zeros(len(self.counts))
        self.not_finite = 0
        self.low_bits = False
        self.whole = True

    def add(self, audio_CT: np.ndarray) -> None:
        """Add samples: float64 [channels, samples]."""
        magnitudes = np.abs(audio_CT[audio_CT != 0])
        finite = magnitudes[np.isfinite(magnitudes)]
        self.not_finite += magnitudes.size - finite.size
        exponents = np.clip(np.frexp(finite)[1], MIN_EXPONENT, MAX_EXPONENT) - MIN_EXPONENT
        self.counts += np.bincount(exponents, minlength=len(self.counts))
        np.maximum.at(self.largest, exponents, finite)
        self.whole = self.whole and bool((finite == np.rint(finite)).all())
        with np.errstate(invalid="ignore", over="ignore"):
            self.low_bits = self.low_bits or bool((np.fmod(finite * 2.0**31, 256) != 0).any())


class Scale(NamedTuple):
    """How samples become sound.

    Attributes:
        factor: that brings them to full scale.
        bad_above: magnitude above which they are bad; None if none is.
        bad: number of bad ones.
        level_change_db: by which the factor changes their level; 0 if they were in other units.
    """

    factor: float = 1.0
    bad_above: float | None = None
    bad: int = 0
    level_change_db: float = 0.0


def scale_of(magnitudes: Magnitudes, codec: str) -> Scale:
    """The scale of a stream's samples by all of their magnitudes."""
    if codec in INTEGERS:
        return Scale(_factor_of_low_bits(magnitudes))
    if codec not in FLOATS:
        return Scale()
    counts = magnitudes.counts
    total = int(counts.sum())
    if not total:
        return Scale(1.0, 1.0 if magnitudes.not_finite else None, magnitudes.not_finite)
    peak = _peak(magnitudes, total)
    unit = _unit(magnitudes, peak)
    bad_above = max(1.001 * peak, unit)  # it is stored with four digits
    bad = int(counts[magnitudes.largest > bad_above].sum()) + magnitudes.not_finite
    over = max(peak / unit, 1.0)
    return Scale(1 / (unit * over), bad_above if bad else None, bad, -20 * math.log10(over))


def _factor_of_low_bits(magnitudes: Magnitudes) -> float:
    """By how much integers of 16 or 24 bits are too small that lie in the low bits of 32; 1 for others.

    They use bits that the same integers in the high bits would not, or reach the top of the range of 24. Nothing that
    was recorded with 24 bits or more is below the range of 16: that would be 96 dB below full scale.
    """
    peak = float(magnitudes.largest.max())
    if magnitudes.low_bits and 0 < peak <= 2.0**-16:
        return 2.0**16
    return 2.0**8 if 2.0**-24 < peak <= 2.0**-8 and (magnitudes.low_bits or peak > 2.0**-10) else 1.0


def _peak(magnitudes: Magnitudes, total: int) -> float:
    """The largest magnitude that is sound."""
    counts, largest = magnitudes.counts, magnitudes.largest
    usual = int(np.searchsorted(np.cumsum(counts), USUAL_SHARE * total))
    counts = counts.copy()
    counts[usual + BEYOND_EXPONENTS + 1 :] = 0
    few = max(FEW, round(FEW_SHARE * total))
    above = np.cumsum(counts[::-1])[::-1]  # samples of each exponent and larger ones
    common = max(float(largest[np.flatnonzero(above > few)].max(initial=0.0)), 0.0)
    peak = float(largest[np.flatnonzero(counts)].max())
    return peak if peak <= 1.0 or (common > 1.0 and peak <= FAR * common) else max(common, min(peak, 1.0))


def _unit(magnitudes: Magnitudes, peak: float) -> float:
    """The full scale that samples with this peak were written for."""
    if peak > MAX_OVER or (magnitudes.whole and peak > 1.0):
        return next((full for full in INTEGER_SCALES if peak <= full), peak)
    return 1.0
