"""Packets that cannot be decoded: what is around them stays in its place, and a table says how much is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media.flac import write_flac
from tests.media.synthetic import Coding, write_media
from tests.media.test_sound_plan import RATE_HZ, noise
from xmodal_kedro.media.clip_rows import Account, ClipRow
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.media.sound_file import read_audio
from xmodal_kedro.params import ClipParams

SECONDS = 9.0
BAD = {
    "libopus": b"\xff\x00",  # no frames in it
    "vorbis": b"\xff" * 40,  # a header
    "flac": b"\xff\xf8\xc9\x18" + bytes(60),
    "aac": b"\xff" * 60,
}
CODINGS = [
    *(Coding(suffix, "", "libopus") for suffix in (".opus", ".mp4")),
    *(Coding(suffix, "", "vorbis", audio_options=(("strict", "-2"),), layout="stereo") for suffix in (".ogg", ".mkv")),
    *(Coding(suffix, "", "flac") for suffix in (".mka", ".mp4")),
    *(Coding(suffix, "", "aac") for suffix in (".m4a", ".mka")),
]


def with_bad_packets(path: Path, numbers: Sequence[int], bad: bytes) -> Path:
    """A copy of a file of one stream, some of whose packets are replaced."""
    damaged = path.with_stem(f"{path.stem}-damaged")
    with av.open(str(path)) as source, av.open(str(damaged), "w") as target:
        (read,) = source.streams
        stream = target.add_stream_from_template(read)
        for at, packet in enumerate(packet for packet in source.demux() if packet.size):
            if at in numbers:
                new = av.Packet(bad)
                new.pts, new.dts, new.duration = packet.pts, packet.dts, packet.duration
                new.time_base = packet.time_base
                packet = new
            packet.stream = stream
            target.mux(packet)
    return damaged


def clipped(path: Path) -> tuple[list[ClipRow], Account]:
    *clips, account = clip_file(str(path), "0" * 32, ClipParams(coverage="everything"))
    assert isinstance(account, Account)
    return [clip for clip in clips if isinstance(clip, ClipRow)], account


@pytest.mark.parametrize("coding", CODINGS, ids=str)
def test_packets_that_cannot_be_decoded_are_silence_in_their_place(tmp_path, coding):
    sound = noise(SECONDS).astype(np.float32)
    path = write_media(tmp_path / f"a{coding.suffix}", coding, SECONDS, sound=sound, pictures_s=0)
    damaged = with_bad_packets(path, range(60, 70), BAD[coding.audio])

    whole_T, audio_T = (read_audio(str(each)).astype(np.float64) for each in (path, damaged))
    _, account = clipped(damaged)

    assert len(audio_T) == pytest.approx(len(whole_T), abs=16_000 * 0.03)
    for part in (slice(0, 16_000), slice(-32_000, -16_000)):
        end = min(len(whole_T), len(audio_T))
        assert np.corrcoef(whole_T[:end][part], audio_T[:end][part])[0, 1] > 0.95
    assert account.cut_short is not None
    assert account.cut_short[0] == "corrupt"
    assert "cannot be decoded" in account.cut_short[1]


@pytest.mark.parametrize("coding", [CODINGS[0], CODINGS[6]], ids=str)
def test_a_single_bad_packet_is_no_reason(tmp_path, coding):
    path = write_media(tmp_path / f"a{coding.suffix}", coding, SECONDS, pictures_s=0)

    assert clipped(with_bad_packets(path, [60], BAD[coding.audio]))[1].cut_short is None


def flac_samples() -> np.ndarray:
    return np.rint(np.stack([noise(SECONDS)] * 2, axis=1) * 2**15).astype(np.int32)


def test_a_frame_of_flac_with_a_wrong_checksum_is_no_noise(tmp_path):
    content = bytearray(write_flac(flac_samples(), RATE_HZ, 16))
    at = len(content) // 2
    content[at : at + 8000] = np.random.default_rng(0).bytes(8000)
    (tmp_path / "a.flac").write_bytes(content)

    audio_T = read_audio(str(tmp_path / "a.flac")).astype(np.float64) / 2**15

    assert len(audio_T) == pytest.approx(SECONDS * 16_000, abs=16_000 * 0.1)
    assert np.abs(audio_T).max() < 0.6


@pytest.mark.parametrize("total", [0, 100_000, 1_000_000, 2**36 - 1])
def test_a_flac_file_is_whole_whatever_its_header_states(tmp_path, total):
    (tmp_path / "a.flac").write_bytes(write_flac(flac_samples(), RATE_HZ, 16, total))

    clips, account = clipped(tmp_path / "a.flac")

    assert account.cut_short is None
    assert clips[-1].end_s == pytest.approx(SECONDS, abs=0.05)


@pytest.mark.parametrize("share", [0.5, 0.7])
def test_a_flac_file_that_breaks_off_says_so(tmp_path, share):
    content = write_flac(flac_samples(), RATE_HZ, 16)
    (tmp_path / "a.flac").write_bytes(content[: round(share * len(content))])

    clips, account = clipped(tmp_path / "a.flac")

    assert account.cut_short is not None
    assert "are missing" in account.cut_short[1]
    assert clips[-1].end_s <= share * SECONDS
