"""Reading audio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import fsspec
import numpy as np
import pytest
from av.stream import Disposition

from tests.media.synthetic import CODINGS, RATE_HZ, Coding, beeps, write_media
from xmodal_kedro.media.audio_track import AudioTrack
from xmodal_kedro.media.container import open_media, packets
from xmodal_kedro.media.sound_file import read_audio


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

    audio = read_audio(str(path))

    np.testing.assert_array_equal(audio, plain_decode(path)[: audio.size])
    assert plain_decode(path).size - audio.size in range(1024 * (coding.suffix == ".mp4") + 1)


def test_the_padding_of_the_encoder_is_left_out_where_the_file_tells_its_end(tmp_path):
    path = write_media(tmp_path / "beeps.mp4", CODINGS[0], 3.01)

    assert read_audio(str(path)).size == round(3.01 * 16_000)
    assert plain_decode(path).size > 3.01 * 16_000 + 100


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


UNUSUAL = [
    Coding(".wav", "", "pcm_u8", rate_hz=8000),
    Coding(".wav", "", "pcm_s32le", rate_hz=192_000, layout="stereo"),
    Coding(".wav", "", "pcm_f32le", rate_hz=44_100, layout="7.1"),
    Coding(".wav", "", "pcm_f64le", rate_hz=11_025, layout="quad"),
    Coding(".wav", "", "pcm_s24le", layout="6 channels"),
    Coding(".wav", "", "pcm_s16le", layout="3 channels"),
    Coding(".caf", "", "pcm_s16le", layout="12 channels"),
    Coding(".mkv", "", "ac3", layout="5.1"),
    Coding(".mkv", "", "pcm_s16le", rate_hz=16_000),
    Coding(".3gp", "", "libopencore_amrnb", rate_hz=8000),
]


@pytest.mark.parametrize("coding", UNUSUAL, ids=lambda coding: f"{coding.audio}-{coding.layout}-{coding.rate_hz}")
def test_any_layout_format_and_rate_is_mixed_as_the_resampler_does(tmp_path, coding):
    path = write_sound(tmp_path, coding)

    audio = read_audio(str(path))

    expected = plain_decode(path)[: audio.size]
    np.testing.assert_allclose(audio.astype(int), expected, atol=coding.layout not in ("mono", "stereo"))
    assert np.abs(audio.astype(float)).max() > 3000


@pytest.mark.parametrize("channels", [9, 23])
def test_layouts_that_the_resampler_refuses_are_averaged(tmp_path, channels):
    path = write_sound(tmp_path, Coding(".wav", "", "pcm_s16le", layout=f"{channels} channels"))

    with pytest.raises(av.FFmpegError):
        plain_decode(path)
    audio = read_audio(str(path))

    alone = read_audio(str(write_sound(tmp_path, Coding(".mka", "", "pcm_s16le"))))
    np.testing.assert_allclose(audio, alone, atol=10)


def test_the_default_track_is_the_one_read(tmp_path):
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=16_000, layout="mono") for _ in range(2)]
        streams[0].disposition, streams[1].disposition = Disposition.comment, Disposition.default
        for stream, value in zip(streams, (1000, 3000), strict=True):
            container.mux(stream.encode(constant_frame(value, 0)))

    assert (read_audio(str(path)) == 3000).all()


def test_a_long_gap_is_never_held_at_once(tmp_path):
    track = track_of(write_seconds(tmp_path), lambda pts: pts if pts < 2000 else pts + 1_800_000)

    parts = taken(track)

    assert track.sample_count == sum(part.size for part in parts) == 1804 * 16_000
    assert max(part.size for part in parts) <= 60 * 16_000
    assert seconds_heard(np.concatenate(parts)) == [1, 2, *[0] * 1800, 3, 4]


def test_sound_that_repeats_is_left_out(tmp_path):
    track = track_of(write_seconds(tmp_path), lambda pts: pts if pts < 2000 else pts - 500)

    audio = np.concatenate(taken(track))

    assert audio.size == 3.5 * 16_000
    np.testing.assert_array_equal(np.unique(audio[32_000:40_000]), [3000])
    np.testing.assert_array_equal(np.unique(audio[40_000:]), [4000])


def test_sound_after_a_clock_that_started_anew_is_kept_and_timed(tmp_path):
    def restarted(pts: int) -> int:
        return pts if pts < 2000 else pts - 2000 + (5000 if pts == 3000 else 0)

    track = track_of(write_seconds(tmp_path), restarted)

    assert seconds_heard(np.concatenate(taken(track))) == [1, 2, 3, *[0] * 5, 4]


@pytest.mark.parametrize("stamp", [lambda pts: 0, lambda pts: None], ids=["repeated", "missing"])
def test_timestamps_that_do_not_advance_lose_nothing(tmp_path, stamp):
    track = track_of(write_seconds(tmp_path), stamp)

    assert seconds_heard(np.concatenate(taken(track))) == [1, 2, 3, 4]
    assert track.start_s == 0


def test_sound_before_the_first_timestamp_counts_back_from_it(tmp_path):
    track = track_of(write_seconds(tmp_path), lambda pts: None if pts < 1000 else pts + 5000)

    assert track.start_s == 5.0
    assert seconds_heard(np.concatenate(taken(track))) == [1, 2, 3, 4]


def test_timestamps_hours_apart_are_not_believed(tmp_path):
    track = track_of(write_seconds(tmp_path), lambda pts: pts if pts < 2000 else pts + 7_200_000)

    assert seconds_heard(np.concatenate(taken(track))) == [1, 2, 3, 4]


def test_small_steps_of_timestamps_change_nothing(tmp_path):
    track = track_of(write_seconds(tmp_path), lambda pts: pts + (30 if pts % 2000 else -9))

    assert seconds_heard(np.concatenate(taken(track))) == [1, 2, 3, 4]


def test_sound_can_be_taken_as_it_comes(tmp_path):
    path = write_sound(tmp_path, Coding(".mkv", "", "ac3"), 5.0)
    parts, most_waiting = [], 0
    with open_media(str(path)) as container:
        stream = container.streams.audio[0]
        track = AudioTrack(stream, 16_000)
        for packet in packets(container, stream):
            track.look_at(packet)
            parts.append(track.take())
            most_waiting = max(most_waiting, round(packet.pts * packet.time_base * 16_000) - track.sample_count)
        track.finish()
    parts += taken(track)

    np.testing.assert_array_equal(np.concatenate(parts), read_audio(str(path)))
    assert most_waiting < 2 * 16_000


def write_sound(folder: Path, coding: Coding, duration_s: float = 2.0) -> Path:
    """Beeps in every channel."""
    sound = beeps(duration_s, coding.rate_hz)
    return write_media(folder / f"odd{coding.suffix}", coding, duration_s, sound=sound, pictures_s=0)


def write_seconds(folder: Path) -> Path:
    """Four packets of a second, the samples of which are 1000, 2000, 3000 and 4000."""
    path = folder / "seconds.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for second in range(4):
            container.mux(stream.encode(constant_frame(1000 * (second + 1), second)))
    return path


def constant_frame(value: int, second: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.full((1, 16_000), value, np.int16), format="s16", layout="mono")
    frame.sample_rate, frame.pts = 16_000, second * 16_000
    return frame


def track_of(path: Path, stamp: Callable[[int], int | None]) -> AudioTrack:
    """The audio of a file with changed timestamps, milliseconds."""
    with open_media(str(path)) as container:
        stream = container.streams.audio[0]
        track = AudioTrack(stream, 16_000)
        for packet in packets(container, stream):
            packet.pts = packet.dts = stamp(packet.pts)
            track.look_at(packet)
        track.finish()
    return track


def taken(track: AudioTrack) -> list[np.ndarray]:
    parts = []
    while (part := track.take()).size:
        parts.append(part)
    return parts


def seconds_heard(audio: np.ndarray) -> list[int]:
    """The value in each second of the packets of `write_seconds`, 0 for silence."""
    assert audio.size % 16_000 == 0
    seconds = audio.reshape(-1, 16_000)
    assert (seconds == seconds[:, :1]).all()
    return [int(value) // 1000 for value in seconds[:, 0]]
