from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.evaluation.sounds import write_tone
from tests.fakes import MemoryShard, folder_of, shard_of
from tests.storage_servers import flaky, http_server
from xmodal_kedro.adapt.sounds import FAILED_KEY, MAX_CLIP_S, cut, decode_parts, decoded_clips, sound_jobs
from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.labelled import read_labelled
from xmodal_kedro.media.sound_file import read_audio
from xmodal_kedro.storage import FileRef, files

NONE_CONFIRMED = pd.DataFrame(columns=["clip_id", "video_id", "right", "wrong", "audio"])


def shards(root: Path, confirmed: pd.DataFrame = NONE_CONFIRMED) -> dict[str, MemoryShard]:
    folder = folder_of(root)
    return {key: shard_of(job) for key, job in sound_jobs(read_labelled(folder), folder, confirmed).items()}


def audio_of(stored: dict[str, MemoryShard]) -> dict[str, np.ndarray]:
    rows = [row for shard in stored.values() for row in shard().to_pylist()]
    return {row["file"]: np.frombuffer(row["audio"], np.int16) for row in rows}


def test_clips_are_the_samples_of_their_file_between_their_times(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 440, 3.0)
    write_tone(tmp_path / "b.wav", 880, 1.0)
    (tmp_path / "clips.csv").write_text("file,label,start_s,end_s\na.wav,x,0.5,1.25\na.wav,y,1,\nb.wav,x,,\n")
    whole, found = read_audio(str(tmp_path / "a.wav")), audio_of(shards(tmp_path))
    np.testing.assert_array_equal(found["a.wav|0.5-1.25"], whole[8_000:20_000])
    np.testing.assert_array_equal(found["a.wav|1-end"], whole[16_000:])
    assert len(found["b.wav"]) == 16_000


def test_a_file_that_cannot_be_decoded_costs_its_clips_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_tone(tmp_path / "a.wav", 440, 1.0)
    (tmp_path / "b.wav").write_bytes(b"no sound at all")
    (tmp_path / "clips.csv").write_text("file,label,start_s\na.wav,x,0\na.wav,x,9\nb.wav,y,0\n")
    stored = shards(tmp_path)
    (shard,) = stored.values()
    assert set(json.loads(shard.metadata[FAILED_KEY])) == {"a.wav|9-end", "b.wav"}
    kept = decoded_clips(read_labelled(folder_of(tmp_path)), stored)
    assert kept["clip"].tolist() == ["a.wav"]
    assert "2 labelled clips are left out" in caplog.text and "ends at 1.00 s" in caplog.text


def test_a_file_that_storage_withholds_fails_its_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FETCH_PAUSE_S", 0)
    with http_server(flaky(files.FETCH_ATTEMPTS)) as address:
        file = FileRef("a.wav", f"{address}/a.wav", 0, 0)
        parts = ((file, (("a.wav", 0.0, 1.0),)),)
        with pytest.raises(OSError, match="cannot be fetched"):
            list(decode_parts(parts))
        *_, account = decode_parts(parts)  # storage gives it now, and it is no sound
    assert set(json.loads((account.schema.metadata or {})[FAILED_KEY.encode()])) == {"a.wav"}


def test_nothing_that_can_be_decoded_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "b.wav").write_bytes(b"no sound at all")
    with pytest.raises(UserError, match=r"x/b\.wav"):
        decoded_clips(read_labelled(folder_of(tmp_path)), shards(tmp_path))


def test_confirmed_clips_keep_their_sound(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 440, 1.0)
    (tmp_path / "clips.csv").write_text("file,label\na.wav,x\n")
    audio = np.arange(16_000, dtype="<i2")
    confirmed = pd.DataFrame([("clip-1", "video", "x", "", audio.tobytes())], columns=NONE_CONFIRMED.columns)
    np.testing.assert_array_equal(audio_of(shards(tmp_path, confirmed))["clip-1"], audio)


def test_a_clip_of_more_than_ten_minutes_needs_times(tmp_path: Path) -> None:
    write_tone(tmp_path / "long.wav", 440, MAX_CLIP_S + 2)
    found = cut(str(tmp_path / "long.wav"), [("all", 0.0, float("inf")), ("end", MAX_CLIP_S, float("inf"))])
    assert isinstance(found["all"], str) and "start_s and end_s" in found["all"]
    assert len(found["end"]) == 32_000
