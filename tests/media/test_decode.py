"""Reading sound."""

from __future__ import annotations

import av
import fsspec
import numpy as np
import pytest

from tests.media.synthetic import CODINGS, RATE_HZ, Coding, beeps, write_media
from xmodal_kedro.media.decode import read_audio


def plain_decode(path) -> np.ndarray:
    """The usual way: decode all, resample all, concatenate."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    with av.open(str(path)) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.suffix)
def test_sound_equals_a_plain_decode_of_the_whole_file(tmp_path, coding):
    path = write_media(tmp_path / f"beeps{coding.suffix}", coding)

    np.testing.assert_array_equal(read_audio(str(path)), plain_decode(path))


def test_sound_keeps_its_pitch_and_level(tmp_path):
    seconds = np.arange(2 * RATE_HZ) / RATE_HZ
    tone = (0.25 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32)
    path = write_media(tmp_path / "tone.wav", Coding(".wav", "", "pcm_s16le"), 2.0, sound=tone, pictures_s=0)

    audio = read_audio(str(path))

    assert audio.dtype == np.int16
    assert audio.shape == (32_000,)
    expected = 0.25 * 32_768 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)
    np.testing.assert_allclose(audio[100:-100], expected[100:-100], atol=20)


def test_missing_sound_becomes_silence_so_that_time_stays_true(tmp_path):
    path = tmp_path / "gap.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for start in (0, 3 * 16_000):
            frame = av.AudioFrame.from_ndarray(np.full((1, 16_000), 1000, np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16_000, start
            container.mux(stream.encode(frame))

    audio = read_audio(str(path))

    assert audio.shape == (4 * 16_000,)
    assert (audio[:16_000] == 1000).all()
    assert (audio[16_000 : 3 * 16_000] == 0).all()
    assert (audio[3 * 16_000 :] == 1000).all()


def test_a_file_without_sound_is_named(tmp_path):
    silent_film = write_media(tmp_path / "film.mp4", duration_s=1.0, sound=np.empty(0, np.float32))
    text = tmp_path / "notes.wav"
    text.write_text("no sound here")

    with pytest.raises(ValueError, match=r"film\.mp4.*no audio stream"):
        read_audio(str(silent_film))
    with pytest.raises(ValueError, match=r"notes\.wav.*not_media"):
        read_audio(str(text))
    with pytest.raises(ValueError, match=r"gone\.wav.*No such file"):
        read_audio(str(tmp_path / "gone.wav"))


def test_a_truncated_file_gives_what_could_be_decoded(tmp_path):
    whole = write_media(tmp_path / "whole.mkv", CODINGS[2])
    half = tmp_path / "half.mkv"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    audio = read_audio(str(half))

    assert 16_000 < audio.size < 9 * 16_000
    np.testing.assert_array_equal(audio[:16_000], read_audio(str(whole))[:16_000])


def test_another_rate_can_be_asked_for(tmp_path):
    path = write_media(tmp_path / "b.wav", Coding(".wav", "", "pcm_s16le"), 1.0, sound=beeps(1.0), pictures_s=0)

    assert read_audio(str(path), 8_000).shape == (8_000,)


def test_sound_is_read_from_any_storage(tmp_path):
    path = write_media(tmp_path / "clock.mp4", duration_s=1.0)
    with fsspec.open("memory://clock.mp4", "wb") as stored:
        stored.write(path.read_bytes())

    np.testing.assert_array_equal(read_audio("memory://clock.mp4"), read_audio(str(path)))


def test_sound_may_change_its_format_on_the_way(tmp_path):
    parts = []
    for layout, rate_hz in (("mono", 32_000), ("stereo", 48_000)):
        part = tmp_path / f"{layout}.ts"
        with av.open(str(part), "w") as container:
            stream = container.add_stream("mp2", rate=rate_hz, layout=layout)
            samples = np.full((1, rate_hz * stream.codec_context.layout.nb_channels), 3000, np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
            frame.sample_rate = rate_hz
            container.mux(stream.encode(frame) + stream.encode(None))
        parts.append(part.read_bytes())
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(parts))

    audio = read_audio(str(path))

    assert audio.size == pytest.approx(2 * 16_000, abs=1600)
    assert np.median(audio[:14_000]) == pytest.approx(3000, abs=100)
    assert np.median(audio[-14_000:]) == pytest.approx(3000, abs=100)
