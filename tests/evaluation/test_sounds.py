from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.sounds import write_benchmark, write_tone
from tests.fakes import MemoryShard, folder_of, shard_of
from tests.storage_servers import flaky, http_server
from xmodal_kedro.evaluation import sounds
from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
from xmodal_kedro.evaluation.sounds import count_silent, decode_benchmark, decode_sounds, level_dbfs, stored_sounds
from xmodal_kedro.media.sound_file import read_audio
from xmodal_kedro.params import TransferParams
from xmodal_kedro.schemas import BenchmarkSounds
from xmodal_kedro.storage import FileRef, files


def test_shards_hold_every_sound_in_the_order_of_the_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "SHARD_SOUNDS", 4)
    files, params = write_benchmark(tmp_path), TransferParams(benchmark="esc50")
    shards = {key: shard_of(job) for key, job in decode_benchmark(files, params).items()}
    assert [shard.num_rows for shard in shards.values()] == [4, 4, 4, 3]
    stored = [name for shard in shards.values() for part in stored_sounds(shard, 3) for name, _ in part]
    assert stored == read_benchmark(files, "esc50").clips["file"].tolist()


def test_a_stored_sound_is_what_was_decoded(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 440, 0.7)
    table = decode_sounds([("a.wav", folder_of(tmp_path)["a.wav"])])
    BenchmarkSounds.validate(table.to_pandas())
    ((name, audio),) = next(stored_sounds(MemoryShard(table), 8))
    assert name == "a.wav"
    np.testing.assert_array_equal(audio, read_audio(str(tmp_path / "a.wav")))


def test_all_sounds_that_cannot_be_decoded_are_named_in_one_error(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"this is no sound")
    write_tone(tmp_path / "c.wav", 440, 0.7)
    files = [(file.name, file) for file in folder_of(tmp_path).values()]
    with pytest.raises(ValueError, match=r"2 sounds .* decoded: a.wav .*; b.wav .*: replace them from the benchmark's"):
        decode_sounds(files)


def test_a_sound_that_storage_withholds_is_not_to_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FETCH_PAUSE_S", 0)
    with http_server(flaky(files.FETCH_ATTEMPTS)) as address:
        sound = ("a.wav", FileRef("a.wav", f"{address}/a.wav", 0, 0))
        with pytest.raises(OSError, match="cannot be fetched"):
            decode_sounds([sound])
        with pytest.raises(ValueError, match="replace them"):
            decode_sounds([sound])


def test_silent_sounds_are_counted_not_left_out(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 440, 0.7)
    write_tone(tmp_path / "b.wav", 0, 0.7)
    table = decode_sounds([(file.name, file) for file in folder_of(tmp_path).values()])
    assert table.num_rows == 2
    assert count_silent({"0": MemoryShard(table)}) == 1


def test_the_level_is_that_of_a_tone() -> None:
    tone = 32_767 * np.sin(np.linspace(0, 200 * np.pi, 16_000))
    assert level_dbfs(tone.astype(np.int16)) == pytest.approx(-3.01, abs=0.01)
    assert level_dbfs(np.zeros(0, np.int16)) == sounds.SILENCE_DBFS
