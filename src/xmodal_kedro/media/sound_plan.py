"""Which audio streams of a file are used, and how their channels become one."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from av.audio.stream import AudioStream
from av.stream import Disposition

from xmodal_kedro.media.container import decodable_streams, open_media
from xmodal_kedro.media.downmix import ChannelMix
from xmodal_kedro.media.sound_survey import (
    MIN_EXPONENT,
    PCM_TO_SCAN,
    StreamSurvey,
    require_sound,
    survey_sound,
)
from xmodal_kedro.reasons import MediaError

FRONT, CENTRE, SURROUND = 0.5, math.sqrt(0.5), 0.5 * math.sqrt(0.5)
SPEAKER_WEIGHTS = {"FL": FRONT, "FR": FRONT, "FC": CENTRE, "LFE": 0.0, "LFE2": 0.0}
"""Weights relative to each other of the channels of a mono mix: those of stereo by ITU-R BS.775-4, table 2, and then
the mean. Channels that are not named have `SURROUND`."""

AMBISONIC = "AMBI"
"""Channels of this name are spherical harmonics. The first, W, is the sound from all directions."""

CANCELS = 0.35
"""Channels cancel each other if their mix has less than this fraction of the power that it would have if they were
independent of each other. Stereo of equal levels does at a correlation below -0.65."""

MIN_CHANGE = 10 ** (1.5 / 20)
"""Stereo is not scaled by less than this, so that its mix is the mean wherever both channels matter."""

BESIDE = (
    Disposition.comment
    | Disposition.dub
    | Disposition.karaoke
    | Disposition.hearing_impaired
    | Disposition.visual_impaired
    | Disposition.descriptions
    | Disposition.dependent
)
"""Streams of these kinds are used only if there is no other."""

BEYOND_DB_BINS, BEYOND_SHARE = 10, 0.999
"""A sample is bad if its exponent is more than this (60 dB) above that of this fraction of the samples."""

INTEGER_SCALES = (2.0**15, 2.0**23, 2.0**31)
"""Floats up to these are integers that were never scaled."""


@dataclass(frozen=True)
class SoundPlan:
    """How the audio of one file is used.

    Attributes:
        tracks: indices of the streams that are used; several are mono tracks of one recording.
        mixes: how the channels of each become one. The results are added.
        sample_rate_hz, channels: of the first of them; 0 if unknown.
        level_change_db: level of the mix minus that of the loudest channel.
        bad_samples: samples that are no finite numbers or absurdly large. They are interpolated.
        note: what is not obvious, for people; empty if nothing is.
    """

    tracks: tuple[int, ...]
    mixes: tuple[ChannelMix, ...]
    sample_rate_hz: int = 0
    channels: int = 0
    level_change_db: float = 0.0
    bad_samples: int = 0
    note: str = ""

    @property
    def audio_track(self) -> str:
        """The streams as text, such as `1` or `1+2`."""
        return "+".join(map(str, self.tracks))

    @property
    def channel_use(self) -> str:
        """The mixes as text, such as `0.5*c0 + 0.5*c1`, with the note."""
        return "; ".join(map(str, self.mixes)) + (f" ({self.note})" if self.note else "")

    @classmethod
    def parse(cls, audio_track: str, channel_use: str, channels: int) -> SoundPlan:
        """The streams and mixes that these two texts name."""
        tracks = tuple(int(track) for track in audio_track.split("+"))
        mixes = re.sub(r"\(.*\)", "", channel_use).split(";")
        return cls(tracks, tuple(ChannelMix.parse(mix, channels) for mix in mixes))


def plan_sound(path: str, programme: Sequence[int] = (), wanted: str | None = None) -> SoundPlan:
    """Choose the audio streams of a file and how their channels are mixed.

    Args:
        path: a local path or an fsspec URL.
        programme: indices of the streams that belong to the picture; empty if all do.
        wanted: streams to use in place of the choice, such as `1` or `1+2`.

    Raises:
        MediaError: `no_audio`; `unknown_codec`; `silent`, if what has sound is not to be used; `corrupt`, if nothing
            can be decoded.
    """
    with open_media(path, glance=True) as container:
        streams = decodable_streams(container.streams.audio)
        if not streams:
            raise MediaError("no_audio", "there is no audio stream")
        candidates = _candidates(streams, programme, wanted)
        if len(candidates) == 1 and _is_plain_mono(candidates[0]):
            context = candidates[0].codec_context
            return SoundPlan((candidates[0].index,), (ChannelMix((1.0,)),), context.sample_rate, 1)
        is_one_recording = wanted is not None or _are_mono_tracks_of_one(candidates)
        codecs = {stream.index: stream.codec_context.name for stream in candidates}
        has_default = [stream.index for stream in candidates if stream.disposition & Disposition.default]
    found = survey_sound(path, tuple(codecs))
    require_sound(found)
    used = [index for index, survey in found.items() if survey.is_audible] or [next(iter(found))]
    if not is_one_recording:
        used = [next((index for index in has_default if index in used), used[0])]
    note = ""
    if len(codecs) > 1 and not found[used[0]].is_audible:
        note = f"audio streams {', '.join(map(str, codecs))} are silent"
    return _planned({index: found[index] for index in used}, codecs, note)


def _candidates(streams: Sequence[AudioStream], programme: Sequence[int], wanted: str | None) -> list[AudioStream]:
    if wanted is not None:
        chosen = [stream for stream in streams if str(stream.index) in wanted.split("+")]
        if len(chosen) < len(wanted.split("+")):
            there = ", ".join(str(stream.index) for stream in streams)
            raise MediaError("no_audio", f"ingest.audio_track is {wanted}, its audio streams are {there}")
        return chosen
    within = [stream for stream in streams if stream.index in programme] or list(streams)
    return [stream for stream in within if not stream.disposition & BESIDE] or within


def _is_plain_mono(stream: AudioStream) -> bool:
    """Whether nothing has to be decoded to know how a stream is mixed."""
    context = stream.codec_context
    return context.channels == 1 and bool(context.sample_rate) and context.name not in PCM_TO_SCAN


def _are_mono_tracks_of_one(streams: Sequence[AudioStream]) -> bool:
    """Whether streams are the channels of one recording: mono, alike, and of no different languages."""
    kinds = {
        (stream.codec_context.name, stream.codec_context.sample_rate, stream.language, _flags(stream))
        for stream in streams
    }
    return len(kinds) == 1 and all(stream.codec_context.channels == 1 for stream in streams)


def _flags(stream: AudioStream) -> Disposition:
    """Flags of a stream, without `default` where FFmpeg sets it for the first enabled track."""
    camera_format = stream.container.format.name.startswith(("mov", "mxf"))
    return stream.disposition & ~Disposition.default if camera_format else stream.disposition


def _planned(found: dict[int, StreamSurvey], codecs: dict[int, str], note: str) -> SoundPlan:
    first = next(iter(found.values()))
    plans = [_mix_of(survey, codecs[index]) for index, survey in found.items()]
    powers = [power for _, power, _ in plans]
    loudness = np.sqrt(np.array(powers) / (max(powers) or 1.0))
    share = 1 / (loudness.sum() or 1.0)
    mixes = tuple(
        ChannelMix(tuple(share * weight for weight in mix.weights or ()), mix.bad_above) for mix, _, _ in plans
    )
    if len(plans) == 1:
        mixes = (plans[0][0],)
    loudest = max(float(np.diag(survey.covariance_CC).max()) / max(survey.samples, 1) for survey in found.values())
    mixed = sum(share**2 * power for power in powers)
    scale = _scale(first, codecs[next(iter(found))])[0] ** 2
    return SoundPlan(
        tuple(found),
        mixes,
        first.sample_rate_hz,
        len(first.layout),
        round(10 * math.log10(mixed / (loudest * scale)), 1) if mixed and loudest else 0.0,
        sum(_scale(survey, codecs[index])[2] for index, survey in found.items()),
        "; ".join(dict.fromkeys(filter(None, [note, *(said for _, _, said in plans)]))),
    )


def _mix_of(survey: StreamSurvey, codec: str) -> tuple[ChannelMix, float, str]:
    """How the channels of a stream are mixed, the mean square of the result, and a note.

    Raises:
        MediaError: `silent`, if only channels have sound that are not used.
    """
    scale, bad_above, bad = _scale(survey, codec)
    covariance_CC = scale**2 * survey.covariance_CC / max(survey.samples, 1)
    weights_C, notes = channel_weights(survey.layout, covariance_CC, survey.loudest_C)
    if scale != 1:
        notes.append(f"scaled by {scale:.3g}")
    if bad:
        notes.append(f"{bad} samples are no sound")
    power = float(weights_C @ covariance_CC @ weights_C)
    return ChannelMix(tuple((scale * weights_C).tolist()), bad_above), power, ", ".join(notes)


def channel_weights(
    layout: Sequence[str], covariance_CC: np.ndarray, loudest_C: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Weights of the channels, and notes.

    They are scaled so that the same sound in any of the channels has the level of the loudest of them.

    Args:
        layout: names of the channels; `NONE` where the speaker is not known.
        covariance_CC: mean products of their samples [channels, channels].
        loudest_C: largest magnitude of each channel's samples [channels].

    Raises:
        MediaError: `silent`, if only channels have sound that are not used.
    """
    powers_C = np.diag(covariance_CC)
    if len(layout) == 1:
        return np.ones(1), []
    if layout[0].startswith(AMBISONIC):
        return np.eye(len(layout))[0], ["ambisonic: W alone"]
    known = all(name != "NONE" for name in layout)
    weights_C = np.array([SPEAKER_WEIGHTS.get(name, SURROUND) if known else 1.0 for name in layout])
    audible_C = loudest_C > 0
    notes = [f"{name} left out" for name, weight in zip(layout, weights_C, strict=True) if not weight]
    if not (weights_C * powers_C).any():
        if (audible_C & (weights_C == 0)).any():
            raise MediaError("silent", f"only its channel {notes[0].split()[0]} has sound: it is not used")
        return weights_C / weights_C.sum(), []
    usable_C = powers_C * (weights_C > 0)
    loudness_C = np.sqrt(powers_C / usable_C.max())
    change = weights_C.sum() / float(weights_C @ np.minimum(loudness_C, 1.0))
    if len(layout) == 2 and change < MIN_CHANGE:
        change = 1.0
    mixed_C = change * weights_C / weights_C.sum()
    independent = float(np.square(mixed_C) @ powers_C)
    if float(mixed_C @ covariance_CC @ mixed_C) < CANCELS * independent:
        best = int(np.argmax(usable_C >= usable_C.max() / 10 ** (1 / 10)))  # the first within 1 dB of the loudest
        return np.eye(len(layout))[best], [f"the others are out of phase with {_name(layout, best)}"]
    return mixed_C, notes


def _name(layout: Sequence[str], at: int) -> str:
    return layout[at] if layout[at] != "NONE" else f"c{at}"


def _scale(survey: StreamSurvey, codec: str) -> tuple[float, float | None, int]:
    """Factor that brings samples to full scale, magnitude above which they are bad, and the number of bad ones."""
    if codec not in PCM_TO_SCAN:
        return 1.0, None, 0
    counts = survey.exponents
    total = int(counts.sum())
    if not total:
        return 1.0, (1.0 if survey.not_finite else None), survey.not_finite
    usual = int(np.searchsorted(np.cumsum(counts), BEYOND_SHARE * total))
    last = min(usual + BEYOND_DB_BINS, len(counts) - 1)
    beyond = int(counts[last + 1 :].sum())
    top = _exponent(_last(counts[: last + 1]))
    if beyond and _exponent(_last(counts)) <= 2:  # within twice full scale twice over: a bang in a quiet place
        beyond, last, top = 0, len(counts) - 1, _exponent(_last(counts))
    bad = survey.not_finite + beyond
    peak = 2.0**top
    bad_above = peak if bad else None
    if codec.startswith("pcm_s32"):
        return (256.0 if peak <= 2.0**-8 and survey.low_bits and peak > 2.0**-24 else 1.0), None, 0
    if peak <= 1.0:
        return 1.0, bad_above, bad
    integer = next((full for full in INTEGER_SCALES if full / 4 < peak <= full), None)
    return 1 / (integer or peak), bad_above, bad


def _last(counts: np.ndarray) -> int:
    """The last bin that is not empty."""
    return int(np.flatnonzero(counts)[-1])


def _exponent(bin_: int) -> int:
    return bin_ + MIN_EXPONENT
