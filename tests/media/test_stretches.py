"""Channels that change on the way: sides, phase, speakers. The level is that of the same sound in mono all along."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.media.test_sound_plan import RATE_HZ, noise, write_channels, write_tracks
from xmodal_kedro.media.sound_file import read_audio
from xmodal_kedro.media.sound_plan import plan_sound
from xmodal_kedro.media.stretches import StretchMixer, StretchWeights, stretch_samples

HALF_S = 6.0
CODECS = [("pcm_s16le", "s16", ".wav"), ("aac", "fltp", ".mka"), ("flac", "s16", ".flac")]


def in_turn(sound_T: np.ndarray, gains: Sequence[Sequence[float]]) -> list[np.ndarray]:
    """Channels of a sound whose gains [turns][channels] change at equal parts of it."""
    parts = np.array_split(sound_T, len(gains))
    return [
        np.concatenate([gain[at] * part for gain, part in zip(gains, parts, strict=True)])
        for at in range(len(gains[0]))
    ]


def levels_db(path: Path) -> np.ndarray:
    """Level in each whole second."""
    audio_T = read_audio(str(path)).astype(np.float64) / 2**15
    seconds = len(audio_T) // 16_000
    return np.asarray(10 * np.log10(np.square(audio_T[: seconds * 16_000]).reshape(seconds, -1).mean(axis=1) + 1e-12))


CHANGES = {
    "phase flips": ("stereo", [[1, 1], [1, -1]]),
    "phase flips back": ("stereo", [[1, -1], [1, 1]]),
    "sides": ("stereo", [[1, 0], [0, 1]]),
    "sides, again and again": ("stereo", [[1, 0], [0, 1], [1, 0], [0, 1]]),
    "one side, then both": ("stereo", [[0, 1], [1, 1]]),
    "out of phase, then one side": ("stereo", [[1, -1], [1, -1], [0, 1]]),
    "front to back": ("5.1", [[1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1]]),
    "centre to a side": ("5.1", [[0, 0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0]]),
    "eight speakers": ("7.1", [[1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1]]),
    "no speakers": ("3 channels", [[1, 0, 0], [0, 1, 1]]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_level_stays_where_channels_change_on_the_way(tmp_path, change):
    layout, gains = CHANGES[change]
    sound = noise(2 * HALF_S)
    mono = write_channels(tmp_path / "mono.wav", "mono", [sound])
    path = write_channels(tmp_path / "many.wav", layout, in_turn(sound, gains))

    assert levels_db(path) == pytest.approx(levels_db(mono), abs=1.0)
    many_T, mono_T = (read_audio(str(each)).astype(np.float64) for each in (path, mono))
    seconds = [
        abs(np.corrcoef(*each)[0, 1]) for each in zip(many_T.reshape(12, -1), mono_T.reshape(12, -1), strict=True)
    ]
    assert min(seconds) > 0.97  # inverted sound sounds the same
    assert plan_sound(str(path)).level_change_db == pytest.approx(0, abs=1.0)


@pytest.mark.parametrize(("codec", "sample_format", "suffix"), CODECS)
@pytest.mark.parametrize("gains", [[[1, 1], [1, -1]], [[1, 0], [0, 1]]], ids=["phase", "sides"])
def test_a_change_is_followed_in_every_codec_and_said_in_the_table(tmp_path, codec, sample_format, suffix, gains):
    sound = noise(2 * HALF_S)
    packed = "flt" if sample_format == "fltp" else sample_format
    path = write_channels(tmp_path / f"a{suffix}", "stereo", in_turn(sound, gains), codec, packed)

    plan = plan_sound(str(path))

    assert levels_db(path)[:-1] == pytest.approx(-20.5, abs=1.2)
    assert plan.channel_use.startswith("0.5*c0 + 0.5*c1 (mixed otherwise in ")


def test_a_change_makes_no_click(tmp_path):
    tone = 0.3 * np.sin(2 * np.pi * 200 * np.arange(round(2 * HALF_S * RATE_HZ)) / RATE_HZ)
    path = write_channels(tmp_path / "a.wav", "stereo", in_turn(tone, [[1, 1], [1, -1], [0, 1], [1, 1]]))

    audio_T = read_audio(str(path)).astype(np.float64) / 2**15

    steps = np.abs(np.diff(audio_T))[800:-800]
    assert steps.max() < 2.2 * 0.3 * 2 * np.pi * 200 / 16_000


def test_ordinary_stereo_is_its_mean_throughout(tmp_path):
    common, left, right = noise(12, seed=1), noise(12, seed=2), noise(12, seed=3)
    pan = 0.3 * np.sin(2 * np.pi * np.arange(len(common)) / (3 * RATE_HZ))
    channels = [(1 + pan) * common + 0.6 * left, (1 - pan) * common + 0.6 * right]
    path = write_channels(tmp_path / "a.wav", "stereo", channels)
    mean = write_channels(tmp_path / "b.wav", "mono", [np.mean(channels, axis=0)])

    assert np.abs(read_audio(str(path)).astype(int) - read_audio(str(mean))).max() <= 2
    assert plan_sound(str(path)).channel_use == "0.5*c0 + 0.5*c1"


def test_what_is_scaled_is_scaled_in_every_stretch(tmp_path):
    sound = noise(2 * HALF_S)
    gains = [[1.0, 0.0], [0.0, 1.0]]
    channels = in_turn(sound / 256, gains)
    path = write_channels(tmp_path / "a.wav", "stereo", channels, "pcm_s32le", "s32")

    assert levels_db(path) == pytest.approx(-20.5, abs=1.0)


def test_eight_planar_channels_are_read(tmp_path):
    path = write_channels(tmp_path / "a.mka", "7.1", [noise(seed=seed) for seed in range(8)], "aac", "flt")

    assert len(plan_sound(str(path)).mixes[0].weights or ()) == 8


@pytest.mark.parametrize("gains", [[[1, 1], [1, -1]], [[1, 0], [0, 1]]], ids=["phase", "sides"])
def test_mono_tracks_of_one_recorder_are_mixed_anew_too(tmp_path, gains):
    tracks = [("mono", [track]) for track in in_turn(noise(2 * HALF_S), gains)]

    assert levels_db(write_tracks(tmp_path / "a.mov", tracks)) == pytest.approx(-20.5, abs=1.2)


def test_stretches_that_go_on_are_mixed_to_the_same_bits_together_and_one_by_one():
    rng = np.random.default_rng(0)
    names, rate_hz = ("FL", "FR", "FC"), 22_050  # stretches of an odd number of samples begin at odd places in memory
    weights_C, length = np.array([0.5, 0.3, 0.9]), stretch_samples(rate_hz)
    for _ in range(20):
        sound_CT = rng.standard_normal((3, 5 * length)).astype(np.float32)
        weights = StretchWeights(names, weights_C, float(np.sqrt((weights_C**2).sum())))
        together = StretchMixer(weights, weights_C, rate_hz)
        one_by_one = StretchMixer(weights, weights_C, rate_hz)
        one_by_one._goes_on = lambda _: False
        assert together._goes_on(sound_CT)
        np.testing.assert_array_equal(together.mix(sound_CT), one_by_one.mix(sound_CT))
