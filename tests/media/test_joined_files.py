"""Recordings joined byte by byte, or whose streams begin apart: all is used, and nothing is missing."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.formats.master import CLIP_RATE_HZ, SECONDS, locate, sound
from tests.media.synthetic import Coding, write_media
from xmodal_kedro.media.clip_rows import Account
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.media.sound_file import read_audio
from xmodal_kedro.media.streams import probe_file
from xmodal_kedro.params import ClipParams, IngestParams

HALF_S = SECONDS / 2
PARAMS = ClipParams(min_s=1.0, target_s=1.0, max_s=1.5)


def write_half(path: Path, half: int, codec: str, rate_hz: int, layout: str) -> bytes:
    """A half of the master's sound, in the left channel alone if there are more than two."""
    samples = sound(rate_hz)[round(half * HALF_S * rate_hz) :][: round(HALF_S * rate_hz)]
    channels = av.AudioLayout(layout).nb_channels
    gains = np.ones(channels) if channels < 3 else np.eye(channels)[0] + np.eye(channels)[1]
    with av.open(str(path), "w", format={".aac": "adts"}.get(path.suffix)) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        stream.options = {"strict": "experimental"}
        packed = (samples[:, None] * gains).astype(np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate = rate_hz
        container.mux(stream.encode(frame) + stream.encode(None))
    return path.read_bytes()


JOINED = [
    (".aac", "aac", (44_100, "mono"), (48_000, "stereo")),
    (".aac", "aac", (48_000, "stereo"), (16_000, "mono")),
    (".mp3", "libmp3lame", (48_000, "mono"), (48_000, "mono")),
    (".mp3", "libmp3lame", (48_000, "mono"), (44_100, "stereo")),
    (".ogg", "vorbis", (48_000, "stereo"), (48_000, "stereo")),
    (".opus", "libopus", (48_000, "stereo"), (48_000, "stereo")),
    (".opus", "libopus", (48_000, "mono"), (48_000, "stereo")),
    (".opus", "libopus", (48_000, "stereo"), (48_000, "mono")),
    (".ogg", "vorbis", (48_000, "stereo"), (44_100, "stereo")),
    (".ts", "ac3", (48_000, "stereo"), (48_000, "5.1")),
    (".ts", "ac3", (48_000, "5.1"), (48_000, "stereo")),
    (".ac3", "ac3", (48_000, "stereo"), (44_100, "5.1")),
]


@pytest.mark.parametrize(("suffix", "codec", "first", "second"), JOINED)
def test_both_halves_are_used_at_their_level_and_speed(tmp_path, suffix, codec, first, second):
    path = tmp_path / f"joined{suffix}"
    halves = [write_half(tmp_path / f"{at}{suffix}", at, codec, *kind) for at, kind in enumerate((first, second))]
    path.write_bytes(b"".join(halves))

    (row,) = probe_file(str(path), IngestParams())
    audio = read_audio(str(path)) / 2.0**15

    assert row["duration_s"] == pytest.approx(audio.size / CLIP_RATE_HZ, abs=0.05)
    assert audio.size == pytest.approx(SECONDS * CLIP_RATE_HZ, abs=0.15 * CLIP_RATE_HZ)
    for start_s in (0.5, 1.5, 4.5, 5.5):
        piece = audio[round(start_s * CLIP_RATE_HZ) :][:CLIP_RATE_HZ]
        place = locate(piece, sound(CLIP_RATE_HZ))
        assert place.correlation > 0.95
        assert place.start_s == pytest.approx(start_s, abs=0.12)
        original = sound(CLIP_RATE_HZ)[round(place.start_s * CLIP_RATE_HZ) :][:CLIP_RATE_HZ]
        assert 10 * np.log10(np.mean(piece**2) / np.mean(original**2)) == pytest.approx(0, abs=1)
    (*_, account) = clip_file(str(path), "0" * 32, PARAMS)
    assert isinstance(account, Account) and account.cut_short is None


@pytest.mark.parametrize(
    "coding",
    [
        Coding(".nut", "mpeg4", "pcm_s16le"),
        Coding(".wmv", "wmv2", "wmav2", muxer="asf", audio_options=(("b", "64000"),), layout="stereo"),
        Coding(".mkv", "libx264", "aac"),
        Coding(".mp4", "libx264", "aac"),
        Coding(".flv", "flv", "libmp3lame", rate_hz=44_100),
    ],
    ids=str,
)
def test_nothing_is_missing_where_sound_begins_late(tmp_path, coding):
    path = write_media(tmp_path / f"late{coding.suffix}", coding, 6.0, sound_starts_s=1.5)

    (*_, account) = clip_file(str(path), "0" * 32, PARAMS)

    assert isinstance(account, Account) and account.cut_short is None
