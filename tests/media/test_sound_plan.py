"""Which audio streams are used, and how their channels become one: levels, phases, speakers, tracks, odd samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from xmodal_kedro.media.downmix import ChannelMix
from xmodal_kedro.media.sound_file import read_audio
from xmodal_kedro.media.sound_plan import SoundPlan, plan_sound
from xmodal_kedro.reasons import MediaError

RATE_HZ = 48_000


def noise(seconds: float = 3.0, level: float = 0.1, seed: int = 0) -> np.ndarray:
    """Low-pass noise: float64 [samples]."""
    white = np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ) + 8)
    smooth = np.convolve(white, np.ones(9) / 3, "valid")
    return level * smooth / smooth.std()


def write_channels(
    path: Path, layout: str, channels: Sequence[np.ndarray], codec: str = "pcm_s16le", sample_format: str = "s16"
) -> Path:
    """A file with one audio stream of some channels, full scale 1.0."""
    write_tracks(path, [(layout, channels)], codec, sample_format)
    return path


def write_tracks(
    path: Path,
    tracks: Sequence[tuple[str, Sequence[np.ndarray]]],
    codec: str = "pcm_s16le",
    sample_format: str = "s16",
    dispositions: Sequence[Disposition] = (),
) -> Path:
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(codec, rate=RATE_HZ, layout=layout) for layout, _ in tracks]
        for stream, disposition in zip(streams, dispositions, strict=False):
            stream.disposition = disposition
        for stream, (layout, channels) in zip(streams, tracks, strict=True):
            packed = np.stack(channels, axis=1).reshape(1, -1)
            scale = {"s16": 2.0**15, "s32": 2.0**31}.get(sample_format)
            data = (
                packed.astype(np.float32)
                if scale is None
                else np.rint(packed * scale).astype(f"i{2 if sample_format == 's16' else 4}")
            )
            frame = av.AudioFrame.from_ndarray(data, format=sample_format, layout=layout)
            frame.sample_rate = RATE_HZ
            container.mux(stream.encode(frame) + stream.encode(None))
    return path


def level_db(path: Path) -> float:
    audio_T = read_audio(str(path)).astype(np.float64)
    return float(10 * np.log10(np.mean(np.square(audio_T / 2**15))))


SAME_SOUND = [
    ("stereo", [1, 1]),
    ("stereo", [1, 0]),
    ("stereo", [0, 1]),
    ("5.1", [1, 1, 0, 0, 0, 0]),
    ("5.1", [0, 0, 1, 0, 0, 0]),
    ("5.1", [0, 0, 0, 0, 1, 1]),
    ("5.1", [1, 1, 1, 0, 1, 1]),
    ("5.1", [1, 1, 1, 1, 1, 1]),
    ("7.1", [1, 1, 0, 0, 0, 0, 0, 0]),
    ("quad", [1, 1, 1, 1]),
    ("6 channels", [1, 1, 1, 1, 1, 1]),
    ("6 channels", [0, 0, 0, 1, 0, 0]),
    ("3 channels", [0, 1, 1]),
]


@pytest.mark.parametrize(("layout", "gains"), SAME_SOUND)
def test_the_same_sound_has_the_same_level_in_any_channels(tmp_path, layout, gains):
    sound = noise()
    mono = write_channels(tmp_path / "mono.wav", "mono", [sound])
    path = write_channels(tmp_path / "many.wav", layout, [gain * sound for gain in gains])

    assert level_db(path) == pytest.approx(level_db(mono), abs=0.1)
    assert plan_sound(str(path)).level_change_db == pytest.approx(0, abs=0.1)


def test_independent_channels_are_all_heard(tmp_path):
    left, right = noise(seed=1), noise(seed=2)
    audio_T = read_audio(str(write_channels(tmp_path / "a.wav", "stereo", [left, right]))).astype(np.float64)

    plan = plan_sound(str(tmp_path / "a.wav"))
    assert plan.channel_use == "0.5*c0 + 0.5*c1"
    assert plan.level_change_db == pytest.approx(-3, abs=0.3)
    for channel in (left, right):
        alone = read_audio(str(write_channels(tmp_path / "one.wav", "mono", [channel]))).astype(np.float64)
        assert np.corrcoef(audio_T, alone)[0, 1] == pytest.approx(0.71, abs=0.03)


@pytest.mark.parametrize("gain", [-1.0, -0.97, -0.7])
@pytest.mark.parametrize("codec", ["pcm_s16le", "aac"])
def test_channels_that_cancel_are_not_mixed(tmp_path, gain, codec):
    sound = noise()
    suffix = ".wav" if codec == "pcm_s16le" else ".mka"
    sample_format = "s16" if codec == "pcm_s16le" else "flt"
    path = write_channels(tmp_path / f"out{suffix}", "stereo", [gain * sound, sound], codec, sample_format)

    plan = plan_sound(str(path))

    assert "out of phase" in plan.channel_use
    assert plan.mixes[0].weights == ((0, 1) if gain == -0.7 else (1, 0))
    assert level_db(path) == pytest.approx(-20.5, abs=0.3)


def test_sound_in_the_lfe_channel_alone_is_a_reason_that_names_it(tmp_path):
    silence = np.zeros(3 * RATE_HZ)
    path = write_channels(tmp_path / "lfe.wav", "5.1", [silence] * 3 + [noise()] + [silence] * 2)

    with pytest.raises(MediaError) as error:
        plan_sound(str(path))

    assert error.value.reason == "silent"
    assert "LFE" in error.value.detail


def test_no_channel_is_an_lfe_where_no_speaker_is_stated(tmp_path):
    silence = np.zeros(3 * RATE_HZ)
    path = write_channels(tmp_path / "six.wav", "6 channels", [silence] * 3 + [noise()] + [silence] * 2)

    assert plan_sound(str(path)).mixes[0].weights == (0.0, 0.0, 0.0, 1.0, 0.0, 0.0) or level_db(path) > -21


@pytest.mark.parametrize("suffix", [".opus", ".webm", ".mp4"])
def test_of_ambisonics_w_is_used(tmp_path, suffix):
    w, others = noise(seed=1), [noise(seed=seed) for seed in (2, 3, 4)]
    with av.open(str(tmp_path / f"a{suffix}"), "w") as container:
        stream = container.add_stream("libopus", rate=RATE_HZ, layout="ambisonic 1")
        stream.options = {"mapping_family": "2"}
        packed = np.stack([w, *others], axis=1).reshape(1, -1).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout="ambisonic 1")
        frame.sample_rate = RATE_HZ
        container.mux(stream.encode(frame) + stream.encode(None))

    plan = plan_sound(str(tmp_path / f"a{suffix}"))

    assert plan.mixes[0].weights == (1, 0, 0, 0)
    assert "ambisonic" in plan.channel_use


def test_a_silent_file_says_which_streams_are_silent(tmp_path):
    silence = np.zeros(3 * RATE_HZ)
    plan = plan_sound(str(write_tracks(tmp_path / "a.mkv", [("stereo", [silence] * 2)] * 2)))

    assert plan.audio_track == "0"
    assert "0, 1 are silent" in plan.channel_use


def test_of_several_tracks_the_default_one_with_sound_is_used(tmp_path):
    sound, other, silence = noise(seed=1), noise(seed=2), np.zeros(3 * RATE_HZ)
    default, none = Disposition.default, Disposition(0)

    def chosen(tracks: list[np.ndarray], dispositions: list[Disposition]) -> str:
        stereo = [("stereo", [track, track]) for track in tracks]
        return plan_sound(str(write_tracks(tmp_path / "a.mkv", stereo, dispositions=dispositions))).audio_track

    assert chosen([silence, sound, other], [default, none, none]) == "1"
    assert chosen([other, sound, silence], [none, default, none]) == "1"
    assert chosen([other, sound], [none, none]) == "0"
    assert chosen([other, sound], [Disposition.comment, none]) == "1"
    assert chosen([silence, sound], [none, Disposition.comment]) == "0"


def test_mono_tracks_of_one_recorder_are_mixed(tmp_path):
    left, right, silence = noise(seed=1), noise(seed=2), np.zeros(3 * RATE_HZ)
    path = write_tracks(tmp_path / "a.mov", [("mono", [track]) for track in (silence, left, right, silence)])

    plan = plan_sound(str(path))

    assert plan.audio_track == "1+2"
    mixed = read_audio(str(path)).astype(np.float64)
    for channel in (left, right):
        alone = read_audio(str(write_channels(tmp_path / "one.wav", "mono", [channel]))).astype(np.float64)
        assert np.corrcoef(mixed, alone)[0, 1] == pytest.approx(0.71, abs=0.03)


def test_a_track_may_be_named(tmp_path):
    tracks = [("stereo", [noise(seed=seed)] * 2) for seed in (1, 2, 3)]
    path = str(write_tracks(tmp_path / "a.mkv", tracks))

    assert plan_sound(path, wanted="2").audio_track == "2"
    assert plan_sound(path, wanted="1+2").audio_track == "1+2"
    with pytest.raises(MediaError, match="no_audio") as error:
        plan_sound(path, wanted="7")
    assert "0, 1, 2" in error.value.detail


def test_samples_that_are_no_sound_are_interpolated_and_counted(tmp_path):
    sound = noise().astype(np.float32)
    whole = read_audio(str(write_channels(tmp_path / "a.wav", "mono", [sound], "pcm_f32le", "flt")))
    sound[1000:1004], sound[50_000], sound[70_000] = np.nan, np.inf, 1e30
    path = write_channels(tmp_path / "b.wav", "mono", [sound], "pcm_f32le", "flt")

    plan = plan_sound(str(path))

    assert plan.bad_samples == 6
    assert np.abs(read_audio(str(path)).astype(int) - whole).max() < 0.3 * 2**15


@pytest.mark.parametrize("full_scale", [1.7, 2.0**15, 2.0**23, 2.0**31])
def test_floats_beyond_full_scale_are_scaled(tmp_path, full_scale):
    sound = noise()
    sound = sound / np.abs(sound).max() * 0.9
    path = write_channels(
        tmp_path / "a.wav", "mono", [full_scale * sound / (1 if full_scale > 2 else 0.9)], "pcm_f32le", "flt"
    )

    audio_T = read_audio(str(path)).astype(np.float64)

    plain = read_audio(str(write_channels(tmp_path / "b.wav", "mono", [sound]))).astype(np.float64)
    assert np.corrcoef(audio_T, plain)[0, 1] > 0.9999
    assert np.abs(audio_T).max() < 2**15 - 1
    assert 10 * np.log10(np.mean(audio_T**2) / np.mean(plain**2)) == pytest.approx(0, abs=6.1)


def test_24_bits_in_the_low_bits_of_32_are_scaled(tmp_path):
    sound = noise()
    path = write_channels(tmp_path / "a.wav", "mono", [sound / 256], "pcm_s32le", "s32")

    assert level_db(path) == pytest.approx(-20.4, abs=0.3)
    quiet_16_bit = write_channels(tmp_path / "q.wav", "mono", [np.rint(sound * 20) / 2**15], "pcm_s32le", "s32")
    assert level_db(quiet_16_bit) < -80


def test_a_plan_is_read_back_from_its_columns():
    plan = SoundPlan((1, 2), (ChannelMix((0.25, 0.5)), ChannelMix((0.0, 0.25), 3.0)), note="a note (in brackets)")

    assert SoundPlan.parse(plan.audio_track, plan.channel_use, 2) == SoundPlan(plan.tracks, plan.mixes)


@pytest.mark.parametrize("gain", [-1.0, -0.9])
def test_mono_tracks_that_cancel_are_not_mixed(tmp_path, gain):
    sound, silence = noise(), np.zeros(3 * RATE_HZ)
    path = write_tracks(tmp_path / "a.mov", [("mono", [track]) for track in (silence, sound, gain * sound)])

    plan = plan_sound(str(path))

    assert (plan.audio_track, plan.level_change_db) == ("1", 0)
    assert "out of phase with stream 1" in plan.channel_use
    assert level_db(path) == pytest.approx(-20.5, abs=0.3)


def test_the_same_sound_in_mono_tracks_has_its_level(tmp_path):
    sound = noise()
    path = write_tracks(tmp_path / "a.mov", [("mono", [gain * sound]) for gain in (1, 1, 0.5)])

    assert plan_sound(str(path)).level_change_db == pytest.approx(0, abs=0.1)
    assert level_db(path) == pytest.approx(-20.5, abs=0.3)
