"""Durations are true, and only what a writer stated is missed."""

from __future__ import annotations

import av
import numpy as np
import pytest

from tests.media.synthetic import CODINGS, RATE_HZ, Coding, Frames, write_media
from xmodal_kedro.media.clip_rows import StreamUse
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.media.streams import probe_file
from xmodal_kedro.media.wav_header import has_stale_size
from xmodal_kedro.params import ClipParams, IngestParams

SOUND = [
    Coding(".aac", "", "aac", muxer="adts"),
    Coding(".mp3", "", "libmp3lame", muxer_options=(("write_xing", "0"),), audio_options=(("q", "4"),)),
    Coding(".mp3", "", "libmp3lame"),
    Coding(".ogg", "", "vorbis", audio_options=(("strict", "-2"),), layout="stereo"),
    Coding(".opus", "", "libopus"),
    Coding(".flac", "", "flac"),
    Coding(".wav", "", "pcm_s24le"),
    Coding(".mka", "", "pcm_s16le"),
    Coding(".ac3", "", "ac3"),
    Coding(".mp2", "", "mp2"),
    Coding(".m4a", "", "aac"),
    Coding(".aiff", "", "pcm_s16be"),
    Coding(".caf", "", "pcm_s16le"),
]


def quiet_start(duration_s: float) -> np.ndarray:
    """Noise of which the first half is far quieter, so that bit rates differ."""
    sound = 0.2 * np.random.default_rng(0).standard_normal(round(duration_s * RATE_HZ)).astype(np.float32)
    sound[: len(sound) // 2] *= 0.0005
    return sound


@pytest.mark.parametrize("coding", SOUND, ids=str)
def test_the_duration_of_sound_is_true_to_50_ms_and_nothing_is_missed(tmp_path, coding):
    path = write_media(tmp_path / f"a{coding.suffix}", coding, 12.0, sound=quiet_start(12.0), pictures_s=0)

    (row,) = probe_file(str(path), IngestParams())
    *clips, account = clip_file(str(path), "0" * 32, ClipParams(coverage="everything"), StreamUse.of(row))

    assert row["duration_s"] == pytest.approx(12, abs=0.05)
    assert account.cut_short is None
    assert clips[-1].end_s <= row["duration_s"] + 0.03


@pytest.mark.parametrize("coding", CODINGS, ids=str)
def test_the_duration_of_videos_is_true_to_50_ms(tmp_path, coding):
    path = write_media(tmp_path / f"a{coding.suffix}", coding, 9.5)

    (row,) = probe_file(str(path), IngestParams())

    assert row["duration_s"] == pytest.approx(9.5, abs=0.06 if coding.suffix == ".flv" else 0.05)


def test_a_limit_of_length_holds_where_only_an_estimate_is_stated(tmp_path):
    path = write_media(tmp_path / "a.aac", SOUND[0], 12.0, sound=quiet_start(12.0)[::-1].copy(), pictures_s=0)

    with pytest.raises(ValueError, match="too_long"):
        next(probe_file(str(path), IngestParams(max_duration_s=11)))
    next(probe_file(str(path), IngestParams(max_duration_s=12.1)))


def test_a_section_cut_by_copying_is_whole(tmp_path):
    whole = write_media(tmp_path / "whole.mp4", duration_s=12.0, frames=Frames(keyframe_every=50))
    path = tmp_path / "cut.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w", options={"use_editlist": "1"}) as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            shift = round(7.3 / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            if packet.pts * packet.time_base < -2.4:
                continue
            packet.stream = streams[packet.stream.index]
            target.mux(packet)

    *clips, account = clip_file(str(path), "0" * 32, ClipParams(coverage="everything"))

    assert account.cut_short is None
    assert sum(clip.end_s - clip.start_s for clip in clips) > 4.5


def test_a_wav_file_whose_size_was_not_brought_up_to_date_is_read_to_its_end(tmp_path):
    path = write_media(tmp_path / "a.wav", Coding(".wav", "", "pcm_s16le"), 8.0, pictures_s=0)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    size = int.from_bytes(content[at : at + 4], "little")
    content[at : at + 4] = (size // 4).to_bytes(4, "little")
    path.write_bytes(content)

    (row,) = probe_file(str(path), IngestParams())

    assert row["duration_s"] == pytest.approx(8, abs=0.05)


@pytest.mark.parametrize("rest", [b"", b"LIST\x04\x00\x00\x00INFO", b"TAG" + bytes(125), bytes(10_000)])
def test_what_follows_the_samples_of_a_wav_file_is_not_sound(tmp_path, rest):
    path = write_media(tmp_path / "a.wav", Coding(".wav", "", "pcm_s16le"), 4.0, pictures_s=0)
    path.write_bytes(path.read_bytes() + rest)

    with path.open("rb") as file:
        assert not has_stale_size(file)
    assert next(probe_file(str(path), IngestParams()))["duration_s"] == pytest.approx(4, abs=0.05)


@pytest.mark.parametrize(("share", "is_cut"), [(1.0, False), (0.6, True)])
def test_durations_copied_from_another_matroska_file_mean_nothing(tmp_path, share, is_cut):
    path = write_media(tmp_path / "a.mkv", Coding(".mkv", "", "aac"), 9.0, pictures_s=0)
    content = path.read_bytes().replace(b"00:00:09", b"00:00:39")
    path.write_bytes(content[: round(share * len(content))])

    (*_, account) = clip_file(str(path), "0" * 32, ClipParams(coverage="everything"))

    assert (account.cut_short is not None) == is_cut
