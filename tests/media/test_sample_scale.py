"""Samples that may be anything: beyond full scale, no numbers, integers as floats, 24 bits in 32."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media.flac import write_flac
from tests.media.test_sound_plan import noise
from xmodal_kedro.media.sound_file import read_audio
from xmodal_kedro.media.sound_plan import SoundPlan, plan_sound

RATE_HZ = 48_000
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
SPIKE = 50_000


def write_wav(path: Path, audio_TC: NDArray, tag: int = FLOAT, valid_bits: int = 0) -> Path:
    """A WAV file of samples in their own type; extensible if the number of valid bits is given."""
    audio_TC = audio_TC.reshape(len(audio_TC), -1)
    channels, size = audio_TC.shape[1], audio_TC.dtype.itemsize
    fields = (
        EXTENSIBLE if valid_bits else tag,
        channels,
        RATE_HZ,
        RATE_HZ * channels * size,
        channels * size,
        8 * size,
    )
    layout = struct.pack("<HHIIHH", *fields)
    if valid_bits:
        layout += struct.pack("<HHIH", 22, valid_bits, 0, tag) + bytes.fromhex("000000001000800000aa00389b71")
    content = b"WAVE" + b"".join(
        name + struct.pack("<I", len(data)) + data
        for name, data in ((b"JUNK", bytes(28)), (b"fmt ", layout), (b"data", audio_TC.tobytes()))
    )
    path.write_bytes(b"RIFF" + struct.pack("<I", len(content)) + content)
    return path


def heard(path: Path) -> tuple[SoundPlan, NDArray[np.float64]]:
    """The plan for a file, and what it gives: float64 [samples], full scale 1.0."""
    return plan_sound(str(path)), read_audio(str(path)) / 2.0**15


def level_db(audio_T: NDArray[np.float64], plain_T: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(audio_T**2) / np.mean(plain_T**2)))


@pytest.fixture
def sound() -> NDArray[np.float64]:
    audio = noise(2.0)
    return audio / np.abs(audio).max() * 0.6


@pytest.fixture
def plain(tmp_path, sound) -> NDArray[np.float64]:
    return heard(write_wav(tmp_path / "plain.wav", sound.astype("<f4")))[1]


@pytest.mark.parametrize("spike", [1.5, 3.0, 30.0, 1e4, 1e20, -1e30, np.nan, np.inf])
def test_a_lone_spike_is_interpolated_and_changes_no_level(tmp_path, sound, plain, spike):
    sound[SPIKE] = spike

    plan, audio = heard(write_wav(tmp_path / "a.wav", sound.astype("<f4")))

    assert (plan.bad_samples, plan.level_change_db) == (1, 0)
    assert np.abs(audio - plain).max() < 0.3
    assert level_db(audio, plain) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("peak", [1.2, 1.9, 4.0, 20.0])
@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
def test_floats_beyond_full_scale_come_to_it_and_the_table_says_by_how_much(tmp_path, sound, plain, peak, dtype):
    plan, audio = heard(write_wav(tmp_path / "a.wav", (sound / 0.6 * peak).astype(dtype)))

    assert plan.bad_samples == 0
    assert plan.level_change_db == pytest.approx(-20 * np.log10(peak), abs=0.06)
    assert level_db(audio, plain) == pytest.approx(-20 * np.log10(0.6), abs=0.01)


@pytest.mark.parametrize("full_scale", [2.0**15, 2.0**23, 2.0**31])
@pytest.mark.parametrize("gain", [1.0, 0.05])
def test_floats_that_are_whole_numbers_have_the_level_of_the_integers(tmp_path, sound, plain, full_scale, gain):
    sound = np.rint(sound * gain * full_scale)
    sound[SPIKE] = np.nan

    plan, audio = heard(write_wav(tmp_path / "a.wav", sound.astype("<f4")))

    assert level_db(audio, plain) == pytest.approx(20 * np.log10(gain), abs=0.05)
    assert (plan.bad_samples, plan.level_change_db) == (1, 0)


def test_full_scale_itself_is_not_beyond_it(tmp_path, sound, plain):
    sound[SPIKE], sound[SPIKE + 1] = 1.0, -1.0

    plan, _ = heard(write_wav(tmp_path / "a.wav", sound.astype("<f4")))

    assert (plan.bad_samples, plan.channel_use) == (0, "1*c0")


def test_spikes_of_one_channel_do_not_weigh_in_the_mix(tmp_path, sound, plain):
    stereo = np.stack([sound, sound], axis=1)
    stereo[SPIKE, 1] = 1e4

    plan, audio = heard(write_wav(tmp_path / "a.wav", stereo.astype("<f4")))

    assert (plan.bad_samples, plan.level_change_db) == (1, pytest.approx(0, abs=0.05))
    assert level_db(audio, plain) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("shift", [0, 8])
@pytest.mark.parametrize("valid_bits", [0, 24])
@pytest.mark.parametrize("step", [1, 256], ids=["of 24 bits", "of 16 bits"])
def test_24_bits_in_either_end_of_32_have_their_level(tmp_path, sound, plain, shift, valid_bits, step):
    samples = (np.rint(sound * 2**23 / step) * step * 2**shift).astype("<i4")

    _, audio = heard(write_wav(tmp_path / "a.wav", samples, PCM, valid_bits))

    assert level_db(audio, plain) == pytest.approx(0, abs=0.01)
    assert np.corrcoef(audio, plain)[0, 1] > 0.9999


@pytest.mark.parametrize("gain", [1.0, 0.05])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_16_bits_in_the_low_end_of_32_have_their_level(tmp_path, sound, plain, gain, channels, suffix):
    samples = np.rint(np.repeat(sound[:, None], channels, axis=1) * gain * 2**15).astype("<i4")
    path = tmp_path / f"a{suffix}"
    if suffix == ".flac":
        path.write_bytes(write_flac(samples, RATE_HZ, 32))
    else:
        write_wav(path, samples, PCM)

    plan, audio = heard(path)

    assert level_db(audio, plain) == pytest.approx(20 * np.log10(gain), abs=0.05)
    assert "scaled by 65536" in plan.channel_use


def test_24_bits_in_the_low_end_of_32_of_flac_have_their_level(tmp_path, sound, plain):
    (tmp_path / "a.flac").write_bytes(write_flac(np.rint(sound[:, None] * 2**23).astype("i4"), RATE_HZ, 32))

    plan, audio = heard(tmp_path / "a.flac")

    assert level_db(audio, plain) == pytest.approx(0, abs=0.05)
    assert "scaled by 256" in plan.channel_use


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_flac_that_fills_its_bits_is_not_scaled(tmp_path, sound, plain, bits):
    (tmp_path / "a.flac").write_bytes(
        write_flac(np.rint(sound[:, None] * 2.0 ** (bits - 1)).astype("i4"), RATE_HZ, bits)
    )

    plan, audio = heard(tmp_path / "a.flac")

    assert level_db(audio, plain) == pytest.approx(0, abs=0.05)
    assert plan.channel_use == "1*c0"
