"""Recordings of any kind, embedded window by window."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from tests.fakes import folder_of, shard_of
from tests.network_files import Trained
from tests.project import PROJECT
from tests.tones import TONES_HZ, tone
from xmodal_kedro.datasets.files import HtmlDataset, TableDataset
from xmodal_kedro.datasets.parquet import write_tables
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.inference.audio_model import AudioModel
from xmodal_kedro.inference.recordings import WindowEmbedder, embed_recordings_shard
from xmodal_kedro.media.probe import SourceFile
from xmodal_kedro.models.card import restore_backbone
from xmodal_kedro.params import EmbedParams
from xmodal_kedro.pcm import INT16_FULL_SCALE
from xmodal_kedro.pipelines.embed import create_pipeline
from xmodal_kedro.pipelines.embed.nodes import embed_recordings
from xmodal_kedro.schemas import RECORDING_EMBEDDINGS_ARROW, RecordingEmbeddings, UnheardRecordings
from xmodal_kedro.storage import Folder

SETTINGS = EmbedParams(window_s=1.0, hop_s=1.0, batch_size=2, min_score=0.0, tags=2, shard_files=2, device="cpu")
LENGTHS_S = {"a.wav": 3.5, "below/b.wav": 1.0, "c.wav": 0.3}


def write_sound(file: Path, audio: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(16_000)
        stream.writeframes(audio.astype("<i2").tobytes())


def embedder_of(trained: Trained, params: EmbedParams = SETTINGS) -> WindowEmbedder:
    backbone = restore_backbone(trained.card, trained.weights)
    return WindowEmbedder(AudioModel.of(backbone, trained.card, torch.device("cpu")), params)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    for seed, (name, seconds) in enumerate(LENGTHS_S.items()):
        write_sound(tmp_path / "sounds" / name, tone(1_000, seconds, seed))
    (tmp_path / "sounds" / "notes.txt").write_text("not a sound")
    return tmp_path / "sounds"


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    return Trained(tmp_path)


def catalog_of(folder: Path, sounds: Path, trained: Trained, params: EmbedParams = SETTINGS) -> DataCatalog:
    engine = {"backend": "threading", "workers": 1}
    return DataCatalog(
        {
            "source_videos": MemoryDataset(folder_of(sounds), copy_mode="assign"),
            "model_weights": MemoryDataset(trained.weights, copy_mode="assign"),
            "model_thresholds": MemoryDataset({}),
            "example_files": MemoryDataset(Folder("none", {}), copy_mode="assign"),
            "model_card": MemoryDataset(trained.card),
            "params:embed": MemoryDataset(params),
            "recording_embeddings": ShardedParquetDataset(path=str(folder / "embeddings"), engine=engine),
            "unheard_recordings": TableDataset(filepath=str(folder / "unheard.parquet")),
            "embed_report": HtmlDataset(filepath=str(folder / "report.html")),
        }
    )


def test_a_folder_becomes_embeddings_and_tags_with_their_times(tmp_path: Path, sounds: Path, trained: Trained) -> None:
    catalog = catalog_of(tmp_path, sounds, trained)
    SequentialRunner().run(create_pipeline(), catalog)
    shards = catalog.load("recording_embeddings")
    assert len(shards) > 1
    rows = [row for shard in shards.values() for row in shard().to_pylist()]
    assert all(RecordingEmbeddings.validate(shard().to_pandas()) is not None for shard in shards.values())
    spans = {name: [(row["start_s"], row["end_s"]) for row in rows if row["uri"] == name] for name in LENGTHS_S}
    assert spans == {
        "a.wav": [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (2.5, 3.5)],
        "below/b.wav": [(0.0, 1.0)],
        "c.wav": [(0.0, 0.3)],
    }
    (last,) = (row for row in rows if row["start_s"] == 2.5)
    audio = tone(1_000, 3.5, 0)[40_000:].astype(np.float32) / INT16_FULL_SCALE
    scores, embedding = trained.predict(audio)
    np.testing.assert_allclose(last["embedding"], embedding, rtol=1e-4, atol=1e-4)
    best = np.argsort(-scores)[:2]
    assert [tag["name"] for tag in last["tags"]] == [list(TONES_HZ)[at] for at in best]
    unheard = UnheardRecordings.validate(catalog.load("unheard_recordings"))
    assert unheard[["uri", "outcome", "reason"]].values.tolist() == [["notes.txt", "no_recording", "not_media"]]


def test_a_second_run_hears_nothing_again_and_a_new_file_only_its_shard(
    tmp_path: Path, sounds: Path, trained: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    catalog = catalog_of(tmp_path, sounds, trained)
    SequentialRunner().run(create_pipeline(), catalog)
    shards = len(catalog.load("recording_embeddings"))
    caplog.clear()
    SequentialRunner().run(create_pipeline(), catalog_of(tmp_path, sounds, trained))
    assert f"0 shards written, {shards} unchanged" in caplog.text
    caplog.clear()
    write_sound(sounds / "a.wav", tone(300, 2.0, 9))
    SequentialRunner().run(create_pipeline(), catalog_of(tmp_path, sounds, trained))
    assert f"1 shard written, {shards - 1} unchanged" in caplog.text


def test_a_file_that_breaks_off_is_heard_up_to_there(tmp_path: Path, trained: Trained, real_data: Path) -> None:
    whole = next(iter(sorted((real_data / "esc10" / "audio").glob("*.ogg")))).read_bytes()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "half.ogg").write_bytes(whole[: len(whole) // 2])
    embedder = embedder_of(trained)
    (file,) = folder_of(tmp_path / "cut").values()
    assert shard_of(lambda: embed_recordings_shard((SourceFile(file),), embedder)).num_rows >= 1


def test_hostile_files_cost_nothing_but_themselves(real_data: Path, trained: Trained, sounds: Path) -> None:
    some = dict(list(folder_of(real_data / "hostile").items())[::6])
    files = [*some.values(), *folder_of(sounds).values()]
    embedder = embedder_of(trained)
    shard = shard_of(lambda: embed_recordings_shard(tuple(map(SourceFile, files)), embedder))
    heard = set(shard()["uri"].to_pylist())
    failed = {row["uri"] for row in json.loads(shard.metadata["failed"])}
    assert set(LENGTHS_S) <= heard and heard | failed == {file.name for file in files}


def test_an_error_of_the_network_is_not_blamed_on_the_file(trained: Trained, sounds: Path) -> None:
    embedder = embedder_of(trained)

    def fails(*_: Any) -> None:
        raise RuntimeError("out of memory")

    embedder.rows = fails  # type: ignore[assignment, method-assign]
    with pytest.raises(RuntimeError, match="out of memory"):
        shard_of(lambda: embed_recordings_shard((SourceFile(folder_of(sounds)["a.wav"]),), embedder))


@pytest.mark.parametrize(
    ("changes", "same"), [({"batch_size": 7}, True), ({"hop_s": 0.5}, False), ({"tags": 1}, False)]
)
def test_what_changes_the_answers_makes_another_job(trained: Trained, changes: dict[str, Any], same: bool) -> None:
    def mark(params: EmbedParams) -> str:
        return embedder_of(trained, params).fingerprint

    assert (mark(SETTINGS.model_copy(update=changes)) == mark(SETTINGS)) is same


def test_a_folder_without_files_is_told(tmp_path: Path, trained: Trained) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="put recordings there.*`source`"):
        embed_recordings(folder_of(tmp_path / "empty"), trained.weights, trained.card, {}, SETTINGS)


def test_windows_that_would_leave_sound_out_are_refused() -> None:
    with pytest.raises(ValueError, match=r"embed\.hop_s \(2\.0\) exceeds embed\.window_s \(1\.0\)"):
        EmbedParams.model_validate({"window_s": 1.0, "hop_s": 2.0})
    with pytest.raises(ValueError, match="hop_s is 1e-05"):  # less than a sample
        EmbedParams.model_validate({"hop_s": 1e-5})


def test_what_is_held_until_it_is_stored_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    entry = yaml.safe_load((PROJECT / "conf/base/catalog/07_model_output.yml").read_text())["recording_embeddings"]
    held_bytes = []

    def ten_hours() -> Iterator[pa.Table]:
        row = {"uri": "a", "start_s": 0.0, "end_s": 4.0, "embedding": np.zeros(2048, np.float32), "tags": []}
        part = pa.Table.from_pylist([row] * 32, schema=RECORDING_EMBEDDINGS_ARROW)
        for _ in range(9000 // 32):
            held_bytes.append(pa.total_allocated_bytes())
            yield pa.table(part.columns, schema=part.schema).take(list(range(32)))

    with (tmp_path / "0.parquet").open("wb") as stream:
        rows = entry["row_group_rows"]
        write_tables(stream, ten_hours(), lambda footer: footer, row_group_size=rows, compression="zstd")
    assert max(held_bytes) - held_bytes[0] < 24e6
