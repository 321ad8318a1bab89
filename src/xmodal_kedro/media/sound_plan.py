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

from xmodal_kedro.media.channel_weights import AMBISONIC, AUDIO_STREAM, channel_weights
from xmodal_kedro.media.container import declared_duration_s, decodable_streams, open_file, open_media
from xmodal_kedro.media.downmix import ChannelMix
from xmodal_kedro.media.sample_scale import Scale, pcm_to_scan
from xmodal_kedro.media.sound_survey import SoundSurvey, StreamSurvey, survey_sound
from xmodal_kedro.media.stretches import StretchWeights
from xmodal_kedro.media.wav_header import is_b_format
from xmodal_kedro.reasons import MediaError

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


MAX_SHARE = 0.5
"""Where more of the sound is mixed otherwise, the mix of the file is not scaled."""


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
        contexts = {stream.index: stream.codec_context for stream in candidates}
        scanned = {index: pcm_to_scan(context.name, context.extradata) for index, context in contexts.items()}
        lasts_s = declared_duration_s(container)
        has_default = [stream.index for stream in candidates if stream.disposition & Disposition.default]
        is_wav = container.format.name == "wav"
    survey = survey_sound(path, scanned, lasts_s, is_one_recording)
    found = survey.streams
    if is_wav:
        _name_b_format(path, next(iter(found.values())))
    used = [index for index, survey in found.items() if survey.is_audible] or [next(iter(found))]
    if not is_one_recording:
        used = [next((index for index in has_default if index in used), used[0])]
    note = ""
    if len(scanned) > 1 and not found[used[0]].is_audible:
        note = f"audio streams {', '.join(map(str, scanned))} are silent"
    return _planned(survey, used, note)


def _name_b_format(path: str, survey: StreamSurvey) -> None:
    """Name the channels of Ambisonic WAV, whose speakers are not known to FFmpeg."""
    with open_file(path) as file:
        if is_b_format(file):
            survey.layout = tuple(f"{AMBISONIC}{at}" for at in range(len(survey.layout)))


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
    return context.channels == 1 and bool(context.sample_rate) and not pcm_to_scan(context.name, context.extradata)


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


def _planned(survey: SoundSurvey, used: Sequence[int], note: str) -> SoundPlan:
    """The plan for some of the streams."""
    found = {index: survey.streams[index] for index in used}
    scales = [stream.scale for stream in found.values()]
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
    """How the channels of one stream are mixed.

    Attributes:
        mix: a weight for each channel.
        power: mean square of the mix.
        loudest: mean square of the loudest channel.
        note: what is not obvious, for people; empty if nothing is.
    """

    mix: ChannelMix
    power: float
    loudest: float
    note: str


def _mix_of(survey: StreamSurvey, scale: Scale) -> _StreamMix:
    """Choose the weight of each channel of a stream.

    The weights fit the covariance of the channels over the whole stream. In stretches whose channels relate to each
    other otherwise, such as while one is inverted, clips will be mixed by other weights. Where there are such
    stretches, `power` and `loudest` are means over stretches, each mixed by the weights that are right for it.

    Raises:
        MediaError: `silent`, if only channels have sound that are not used.
    """
    covariance_CC = scale.factor**2 * survey.covariance(scale.bad_above)
    weights_C, notes = channel_weights(survey.layout, covariance_CC, survey.loudest_C)
    if scale.factor != 1:
        notes.append(f"scaled by {scale.factor:.5g}")
    if scale.bad:
        notes.append(f"{scale.bad} samples are no sound")
    power, loudest = float(weights_C @ covariance_CC @ weights_C), float(np.diag(covariance_CC).max())
    is_fixed = bool(survey.layout) and survey.layout[0].startswith(AMBISONIC)
    if not is_fixed and not scale.bad:
        weights = StretchWeights(survey.layout, scale.factor * weights_C, scale.factor)
        by_stretch = _mixed_by_stretch(weights, survey.stretches)
        if by_stretch.share > MAX_SHARE:  # a gain that fits the stream as a whole fits few of its stretches
            weights_C = weights_C / max(float(weights_C.sum()), 1.0)
        if by_stretch.share:
            notes.append(
                f"mixed otherwise in {max(by_stretch.share, 0.01):.0%} of the sound, where that would lose some"
            )
            power, loudest = by_stretch.power, scale.factor**2 * by_stretch.loudest
    mix = ChannelMix(tuple((scale.factor * weights_C).tolist()), scale.bad_above, scale.factor, is_fixed)
    return _StreamMix(mix, power, loudest, ", ".join(notes))


class _MixByStretch(NamedTuple):
    """What comes of mixing each stretch of a stream by the weights that are right for it.

    Attributes:
        share: fraction of the stretches in which these are not the weights of the whole stream.
        power: mean square of the mix.
        loudest: mean of the mean square of each stretch's loudest channel, before the stream is scaled.
    """

    share: float
    power: float
    loudest: float


def _mixed_by_stretch(weights: StretchWeights, stretches: Sequence[np.ndarray]) -> _MixByStretch:
    """Mix stretches, given the covariance of the channels of each. Those too quiet to be judged do not count."""
    chosen = [(weights.of(covariance_CC), covariance_CC) for covariance_CC in stretches]
    loud = [(weights_C, covariance_CC) for weights_C, covariance_CC in chosen if weights_C is not None]
    if not loud:
        return _MixByStretch(0.0, 0.0, 0.0)
    return _MixByStretch(
        sum(weights_C is not weights.of_file_C for weights_C, _ in loud) / len(loud),
        sum(float(weights_C @ covariance_CC @ weights_C) for weights_C, covariance_CC in loud) / len(loud),
        sum(float(np.diag(covariance_CC).max()) for _, covariance_CC in loud) / len(loud),
    )
