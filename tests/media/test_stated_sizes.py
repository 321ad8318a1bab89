"""Files of sound whose headers state wrong or unknown sizes: all samples are used, wherever the file is."""

from __future__ import annotations

import struct
from pathlib import Path

import fsspec
import numpy as np
import pytest

from tests.media.test_joined_files import write_half
from tests.media.test_sound_plan import RATE_HZ, noise
from xmodal_kedro.media.clip_rows import Account
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.media.sound_file import read_audio
from xmodal_kedro.media.sound_plan import plan_sound
from xmodal_kedro.media.streams import probe_file
from xmodal_kedro.params import ClipParams, IngestParams

SECONDS = 6
SAMPLES = np.rint(np.stack([noise(SECONDS)] * 2, axis=1) * 2**15).astype("<i2")
LITTLE, BIG = SAMPLES.tobytes(), SAMPLES.astype(">i2").tobytes()
COUNT = len(LITTLE)
FORMAT = struct.pack("<HHIIHH", 1, 2, RATE_HZ, 4 * RATE_HZ, 4, 16)
W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
SIZES_32 = {"none": 0, "half": COUNT // 2, "all ones": 2**32 - 1, "arecord": 2**31, "sox": 2**31 - 1 - 36}
SIZES_64 = {"none": 0, "half": COUNT // 2, "all ones": 2**64 - 1, "signed": 2**63 - 1}


def wav(size: int, before: bytes = b"", kind: bytes = b"RIFF", after: bytes = b"") -> bytes:
    body = b"WAVE" + before + b"fmt " + struct.pack("<I", 16) + FORMAT + b"data" + struct.pack("<I", size) + LITTLE
    return kind + struct.pack("<I", min(size, 2**32 - 1)) + body + after


def bwf(size: int) -> bytes:
    return wav(size, b"bext" + struct.pack("<I", 602) + bytes(602))


def rf64(size: int) -> bytes:
    return wav(2**32 - 1, b"ds64" + struct.pack("<IQQQI", 28, 0, size, 0, 0), b"RF64")


def au(size: int) -> bytes:
    return b".snd" + struct.pack(">IIIII", 24, size, 3, RATE_HZ, 2) + BIG


def aiff(size: int) -> bytes:
    exponent = 16383 + int(np.log2(RATE_HZ))
    rate = struct.pack(">HQ", exponent, RATE_HZ << (63 - int(np.log2(RATE_HZ))))
    common = struct.pack(">hIh", 2, min(size // 4, 2**32 - 1) if size < 2**31 else size, 16) + rate
    body = b"AIFFCOMM" + struct.pack(">I", 18) + common + b"SSND" + struct.pack(">I", size) + bytes(8) + BIG
    return b"FORM" + struct.pack(">I", size) + body


def caf(size: int) -> bytes:
    description = struct.pack(">d4sIIIII", RATE_HZ, b"lpcm", 2, 4, 1, 2, 16)
    return (
        b"caff\0\1\0\0desc"
        + struct.pack(">q", 32)
        + description
        + b"data"
        + struct.pack(">Q", size)
        + bytes(4)
        + LITTLE
    )


def w64(size: int) -> bytes:
    head = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000") + struct.pack("<Q", size) + b"wave" + W64_TAIL
    chunks = b"fmt " + W64_TAIL + struct.pack("<Q", 40) + FORMAT + b"data" + W64_TAIL + struct.pack("<Q", size)
    return head + chunks + LITTLE


FILES = [(kind, size) for kind in (wav, bwf, au, aiff) for size in SIZES_32.values()]
FILES += [(kind, size) for kind in (rf64, caf, w64) for size in SIZES_64.values()]


@pytest.mark.parametrize(("kind", "size"), FILES, ids=lambda value: getattr(value, "__name__", str(value)))
def test_all_samples_are_used_whatever_size_is_stated(tmp_path, kind, size):
    path = tmp_path / f"a.{kind.__name__}"
    path.write_bytes(kind(size))

    (row,) = probe_file(str(path), IngestParams())
    *clips, account = clip_file(str(path), "0" * 32, ClipParams(coverage="everything"))

    assert row["duration_s"] == pytest.approx(SECONDS, abs=0.05)
    assert isinstance(account, Account) and account.cut_short is None
    assert sum(clip.end_s - clip.start_s for clip in clips) == pytest.approx(SECONDS, abs=0.05)


@pytest.mark.parametrize("kind", [wav, rf64, aiff, caf, w64], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("after", [b"", b"LIST\x04\x00\x00\x00INFO", bytes(10_000)], ids=["", "chunk", "zeros"])
def test_a_true_size_is_believed(tmp_path, kind, after):
    more = {aiff: 8, caf: 4, w64: 24}.get(kind, 0)
    (tmp_path / "a").write_bytes(kind(COUNT + more) + (after if kind in (wav, rf64) else b""))

    assert next(probe_file(str(tmp_path / "a"), IngestParams()))["duration_s"] == pytest.approx(SECONDS, abs=0.01)


def test_au_that_breaks_off_says_so(tmp_path):
    (tmp_path / "a.au").write_bytes(au(2 * COUNT))

    (*_, account) = clip_file(str(tmp_path / "a.au"), "0" * 32, ClipParams(coverage="everything"))

    assert isinstance(account, Account) and account.cut_short is not None


@pytest.mark.parametrize("kind", [wav, rf64, aiff, caf, w64], ids=lambda kind: kind.__name__)
def test_a_remote_file_is_read_like_a_local_one(tmp_path, kind):
    content = kind(COUNT // 2)
    (tmp_path / "a").write_bytes(content)
    with fsspec.open("memory://stated/a", "wb") as stored:
        stored.write(content)

    audio_T = read_audio("memory://stated/a")

    assert len(audio_T) == SECONDS * 16_000
    np.testing.assert_array_equal(audio_T, read_audio(str(tmp_path / "a")))


def test_24_bits_in_32_are_read_from_a_remote_file_too():
    layout = struct.pack("<HHIIHHHHIH", 0xFFFE, 2, RATE_HZ, 8 * RATE_HZ, 8, 32, 22, 24, 0, 1)
    layout += bytes.fromhex("000000001000800000aa00389b71")
    data = (SAMPLES.astype("<i4") << 16).tobytes()
    chunks = b"fmt " + struct.pack("<I", len(layout)) + layout + b"data" + struct.pack("<I", len(data)) + data
    with fsspec.open("memory://stated/b.wav", "wb") as stored:
        stored.write(b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks)

    audio_T = read_audio("memory://stated/b.wav") / 2.0**15

    assert 10 * np.log10(np.mean(audio_T**2)) == pytest.approx(-20.4, abs=0.3)


@pytest.mark.parametrize(("suffix", "codec"), [(".ogg", "vorbis"), (".opus", "libopus")])
def test_joined_ogg_files_are_read_to_their_end_from_anywhere(tmp_path, suffix, codec):
    kinds = [(48_000, "stereo"), (48_000 if codec == "libopus" else 44_100, "mono" if codec == "libopus" else "stereo")]
    joined = b"".join(write_half(tmp_path / f"{at}{suffix}", at, codec, *kind) for at, kind in enumerate(kinds))
    Path(tmp_path / f"joined{suffix}").write_bytes(joined)
    with fsspec.open(f"memory://joined{suffix}", "wb") as stored:
        stored.write(joined)

    np.testing.assert_array_equal(read_audio(f"memory://joined{suffix}"), read_audio(str(tmp_path / f"joined{suffix}")))


@pytest.mark.parametrize(("number", "dtype"), [(1, "<i2"), (3, "<f4")])
@pytest.mark.parametrize("channels", [3, 4, 9])
def test_of_b_format_wav_w_is_used(tmp_path, number, dtype, channels):
    sounds = [noise(2.0, seed=seed) for seed in range(channels)]
    scale = 2**15 if dtype == "<i2" else 1
    samples = (np.stack(sounds, axis=1) * scale).astype(dtype)
    size = samples.dtype.itemsize
    layout = struct.pack("<HHIIHH", 0xFFFE, channels, RATE_HZ, RATE_HZ * size * channels, size * channels, 8 * size)
    layout += struct.pack("<HHII", 22, 8 * size, 0, number) + bytes.fromhex("2107d3118644c8c1ca000000")
    data = samples.tobytes()
    chunks = b"fmt " + struct.pack("<I", 40) + layout + b"data" + struct.pack("<I", len(data)) + data
    (tmp_path / "a.amb").write_bytes(b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks)

    plan = plan_sound(str(tmp_path / "a.amb"))
    audio_T = read_audio(str(tmp_path / "a.amb")).astype(np.float64)

    assert "ambisonic" in plan.channel_use
    (tmp_path / "w.wav").write_bytes(_mono(sounds[0]))
    assert np.corrcoef(audio_T, read_audio(str(tmp_path / "w.wav")))[0, 1] > 0.999


def _mono(sound: np.ndarray) -> bytes:
    data = (sound * 2**15).astype("<i2").tobytes()
    layout = struct.pack("<HHIIHH", 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    return b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", 16) + layout + b"data" + struct.pack("<I", len(data)) + data
