"""Which audio streams of a file are used, and how their channels become one."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from av.audio.stream import AudioStream
from av.stream import Disposition

from xmodal_kedro.media.container import decodable_streams, open_media
from xmodal_kedro.media.downmix import ChannelMix, speaker_weight
from xmodal_kedro.media.sample_scale import PCM_TO_SCAN, Scale, scale_of
from xmodal_kedro.media.sound_survey import SoundSurvey, StreamSurvey, survey_sound
from xmodal_kedro.reasons import MediaError

AMBISONIC = "AMBI"
"""Channels of this name are spherical harmonics. The first, W, is the sound from all directions."""

AUDIO_STREAM = "stream "
"""Name of a mono track of a recorder, before its index."""

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
    survey = survey_sound(path, tuple(codecs), is_one_recording)
    found = survey.streams
    used = [index for index, survey in found.items() if survey.is_audible] or [next(iter(found))]
    if not is_one_recording:
        used = [next((index for index in has_default if index in used), used[0])]
    note = ""
    if len(codecs) > 1 and not found[used[0]].is_audible:
        note = f"audio streams {', '.join(map(str, codecs))} are silent"
    return _planned(survey, used, codecs, note)


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


def _planned(survey: SoundSurvey, used: Sequence[int], codecs: dict[int, str], note: str) -> SoundPlan:
    """The plan for some of the streams, given the codec of each."""
    found = {index: survey.streams[index] for index in used}
    scales = [scale_of(stream.magnitudes, codecs[index]) for index, stream in found.items()]
    plans = [_mix_of(*each) for each in zip(found.values(), scales, strict=True)]
    shares_S, notes = np.ones(1), [note]
    power = plans[0].power
    if len(used) > 1:
        assert survey.joint
        places = [list(survey.streams).index(index) for index in used]
        factors_S = np.array([scale.factor for scale in scales])
        covariance_SS = survey.joint.covariance_SS[np.ix_(places, places)] * np.outer(factors_S, factors_S)
        for at, plan in enumerate(plans):
            covariance_SS[at, at] = plan.power
        names = [f"{AUDIO_STREAM}{index}" for index in used]
        shares_S, more = channel_weights(names, covariance_SS, np.ones(len(used)))
        notes += more
        power = float(shares_S @ covariance_SS @ shares_S)
    kept = np.flatnonzero(shares_S).tolist()
    notes += [plans[at].note for at in kept]
    loudest = max(plan.loudest for plan in plans)
    first = found[used[kept[0]]]
    return SoundPlan(
        tuple(used[at] for at in kept),
        tuple(plans[at].mix.times(float(shares_S[at])) for at in kept),
        first.sample_rate_hz,
        len(first.layout),
        round(10 * math.log10(power / loudest) + scales[kept[0]].level_change_db, 1) if power and loudest else 0.0,
        sum(scales[at].bad for at in kept),
        "; ".join(dict.fromkeys(filter(None, notes))),
    )


class _StreamMix(NamedTuple):
    """How the channels of a stream are mixed, the mean squares of the result and of the loudest, and a note."""

    mix: ChannelMix
    power: float
    loudest: float
    note: str


def _mix_of(survey: StreamSurvey, scale: Scale) -> _StreamMix:
    """How the channels of a stream are mixed.

    Raises:
        MediaError: `silent`, if only channels have sound that are not used.
    """
    covariance_CC = scale.factor**2 * survey.covariance(scale.bad_above)
    weights_C, notes = channel_weights(survey.layout, covariance_CC, survey.loudest_C)
    if scale.factor != 1:
        notes.append(f"scaled by {scale.factor:.3g}")
    if scale.bad:
        notes.append(f"{scale.bad} samples are no sound")
    power = float(weights_C @ covariance_CC @ weights_C)
    mix = ChannelMix(tuple((scale.factor * weights_C).tolist()), scale.bad_above)
    return _StreamMix(mix, power, float(np.diag(covariance_CC).max()), ", ".join(notes))


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
    known = all(name != "NONE" and not name.startswith(AUDIO_STREAM) for name in layout)
    weights_C = np.array([speaker_weight(name) if known else 1.0 for name in layout])
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
