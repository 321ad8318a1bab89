from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.fakes import MemoryShard, folder_of
from xmodal_kedro.dedup.overlap import overlapping_pairs
from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
from xmodal_kedro.evaluation.leaks import Leak, find_leaks, freesound_id, require_no_leak, sign_sounds
from xmodal_kedro.evaluation.sounds import decode_sounds
from xmodal_kedro.params import NearDuplicateParams
from xmodal_kedro.schemas import BENCHMARK_SOUNDS_ARROW, Signatures

PARAMS = NearDuplicateParams()


def moving(seconds: float, seed: int) -> np.ndarray:
    """A sound that a fingerprint can recognise: tones that come and go."""
    rng = np.random.default_rng(seed)
    time_s, knots_s = np.arange(int(16_000 * seconds)) / 16_000, np.arange(int(5 * seconds) + 2) / 5
    tones = [
        np.sin(2 * np.pi * hz * time_s) * np.interp(time_s, knots_s, rng.random(len(knots_s)))
        for hz in rng.uniform(150, 2000, 24)
    ]
    return (600 * np.sum(tones, axis=0)).astype(np.int16)


def signed(sounds: dict[str, np.ndarray]) -> MemoryShard:
    rows = [{"file": name, "audio": sound.astype("<i2").tobytes(), "rms_dbfs": -20.0} for name, sound in sounds.items()]
    return MemoryShard(sign_sounds(MemoryShard(pa.Table.from_pylist(rows, schema=BENCHMARK_SOUNDS_ARROW))))


def test_a_sound_is_found_inside_a_longer_noisy_recording_and_no_other_is() -> None:
    sounds = {f"{seed}.wav": moving(5, seed) for seed in range(6)}
    rng = np.random.default_rng(9)
    recording = np.concatenate([moving(3.3, 90), sounds["2.wav"], moving(2.1, 91)])
    recording = recording + rng.normal(0, 60, len(recording))
    videos = {"a": signed({"video": recording, "unrelated": moving(8, 92)}), "b": signed({"third": moving(6, 93)})}
    others = {"0": signed(sounds)}
    Signatures.validate(others["0"]().to_pandas())
    assert [(pair.one, pair.other) for pair in overlapping_pairs(videos, others, PARAMS)] == [("video", "2.wav")]


def test_nothing_overlaps_with_nothing() -> None:
    shard = signed({"a": moving(4, 1)})
    assert list(overlapping_pairs({}, {"0": shard}, PARAMS)) == []
    assert list(overlapping_pairs({"0": shard}, {"0": signed({"silent": np.zeros(64_000)})}, PARAMS)) == []


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("1-100032-A-0.ogg", "100032"),
        ("audio/fold1/101415-3-0-2.wav", "101415"),
        ("s3://bucket/212764__qubodup__dog-bark.wav", "212764"),
        ("freesound-00123.flac", "123"),
        ("FSID_77 rain.wav", "77"),
        ("holiday-2019.mp4", None),
        ("1234.mp4", None),
        ("1-100032-A-0-copy.ogg", None),
    ],
)
def test_names_that_carry_a_freesound_id(name: str, known: str | None) -> None:
    assert freesound_id(name) == known


@pytest.fixture(scope="module")
def real(real_data: Path) -> tuple:
    """Some of the real ESC-10, and its signatures."""
    benchmark = read_benchmark(folder_of(real_data / "esc10"), "esc10")
    some = list(range(0, 400, 20))
    table = decode_sounds([(benchmark.clips["file"][place], benchmark.audio[place]) for place in some])
    return benchmark, table, {"0": MemoryShard(sign_sounds(MemoryShard(table)))}


def videos(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["video_id", "uri"])


def test_an_equal_file_is_a_leak_though_its_sound_is_too_short_to_tell(real: tuple) -> None:
    benchmark, _, signatures = real
    sources = videos((benchmark.audio[3].sha256[:32], "renamed.ogg"), ("0" * 32, "harmless.mp4"))
    (leak,) = find_leaks("esc10", benchmark, signatures, sources, {}, PARAMS)
    assert leak == Leak("renamed.ogg", benchmark.clips["file"][3], "the files are equal")
    require_no_leak([], "esc10")
    with pytest.raises(ValueError, match="training has heard the benchmark esc10: 1 of its sources .*renamed.ogg"):
        require_no_leak([leak], "esc10")


def test_the_freesound_recording_that_a_clip_was_cut_from_is_a_leak(real: tuple) -> None:
    benchmark, _, signatures = real
    known = freesound_id(benchmark.clips["file"][0])
    sources = videos(("a" * 32, f"in/{known}__someone__long.wav"), ("b" * 32, "99999999__someone__other.wav"))
    (leak,) = find_leaks("esc10", benchmark, signatures, sources, {}, PARAMS)
    assert leak.uri.endswith("long.wav") and f"Freesound {known}" in leak.how
    assert find_leaks("csv", benchmark, signatures, sources, {}, PARAMS) == []


def test_most_real_sounds_are_found_at_another_level_and_offset(real: tuple) -> None:
    benchmark, table, signatures = real
    heard = {
        f"v{row}": np.concatenate([np.zeros(5000), 0.4 * np.frombuffer(sound, "<i2")])
        for row, sound in enumerate(table["audio"].to_pylist())
    }
    sources = videos(*((name, f"{name}.mp4") for name in heard))
    found = find_leaks("esc10", benchmark, signatures, sources, {"0": signed(heard)}, PARAMS)
    right = {leak.uri for leak in found if leak.file == table["file"][int(leak.uri[1:-4])].as_py()}
    assert len(right) >= 0.75 * len(heard)
