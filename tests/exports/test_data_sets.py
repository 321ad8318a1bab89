"""The corpus is read back by the libraries that it is written for, to the last sample."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import webdataset
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

import datasets
from tests.exports import clips as corpus
from tests.teachers.fixtures import pitch_card
from xmodal_kedro.datasets.exported import ExportedFilesDataset
from xmodal_kedro.datasets.files import MarkdownDataset
from xmodal_kedro.params import ExportDatasetParams, VisualTeacherCard
from xmodal_kedro.pipelines.export_dataset import create_pipeline
from xmodal_kedro.storage import Folder


class KnownModel:
    """What an earlier run recorded of the visual teacher."""

    path = "note"

    def read(self) -> dict[str, Any]:
        asked_for = {"weights": "org/seen", "revision": "abc", "on_cuda": None}
        return {"asked_for": asked_for, "name": "org/seen", "revision": "abc", "commit": "0" * 8, "licence": "mit"}

    def write(self, facts: dict[str, Any]) -> None:
        raise AssertionError("a card records nothing")


LABELLED = {"train": [0, 1, 4], "validation": [3]}
ENGINE = {"backend": "threading", "workers": 1}
TEACHERS = {
    "visual_teacher_files": Folder("visual", {}, KnownModel()),
    "audio_teacher_files": Folder("audio", {}),
    "params:visual_teacher": VisualTeacherCard(backend="transformers", weights="org/seen", revision="abc", labels=None),
    "params:audio_teacher": pitch_card(),
}


def export(folder: Path, videos: pd.DataFrame = corpus.VIDEOS, **params: Any) -> DataCatalog:
    inputs = {
        "clips": corpus.clips(),
        "labels": corpus.labels(),
        "label_vocabulary": corpus.VOCABULARY,
        "videos": videos,
        "source_licences": corpus.LICENCES,
        "params:export_dataset": ExportDatasetParams(**params),
        **TEACHERS,
    }
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()}
        | {
            "huggingface_files": ExportedFilesDataset(path=str(folder / "hf" / "data"), engine=ENGINE),
            "webdataset_files": ExportedFilesDataset(path=str(folder / "wds"), engine=ENGINE),
            "dataset_readme": MarkdownDataset(filepath=str(folder / "hf" / "README.md")),
            "dataset_description": MemoryDataset(copy_mode="assign"),
        }
    )
    SequentialRunner().run(create_pipeline(), catalog)
    return catalog


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export(folder, frame=True)
    return folder


def pcm(content: bytes) -> bytes:
    samples, rate = soundfile.read(io.BytesIO(content), dtype="int16")
    assert rate == 16_000
    return samples.astype("<i2").tobytes()


def undecoded(rows: Any) -> Any:
    return rows.cast_column("audio", datasets.Audio(decode=False)).cast_column("image", datasets.Image(decode=False))


def expect(rows: list[dict[str, Any]], numbers: list[int]) -> None:
    assert [row["clip_id"] for row in rows] == [f"clip{number}" for number in numbers]
    uris = dict(zip(corpus.VIDEOS["video_id"], corpus.VIDEOS["uri"], strict=True))
    for number, row in zip(numbers, rows, strict=True):
        _, video_id, start_s, end_s, _, targets, weights, _ = corpus.ROWS[number]
        assert pcm(row["audio"]["bytes"]) == corpus.audio(number)
        assert (row["labels"], row["weights"], row["start_s"], row["end_s"]) == (targets, weights, start_s, end_s)
        assert row["uri"] == uris[video_id]
        assert row["licence"] == ("CC BY 4.0" if video_id == corpus.V0 else "")
        frames = corpus.frames(number)
        assert (row["image"] and row["image"]["bytes"]) == (frames[len(frames) // 2] if frames else None)


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_reads_the_folder_with_its_types(exported: Path, tmp_path: Path, streaming: bool) -> None:
    read = datasets.load_dataset(str(exported / "hf"), streaming=streaming, cache_dir=str(tmp_path))
    assert set(read) == set(LABELLED)
    for split, numbers in LABELLED.items():
        features = read[split].features
        assert features["audio"].sampling_rate == 16_000 and isinstance(features["image"], datasets.Image)
        assert features["labels"].feature.names == list(corpus.NAMES)
        expect(list(undecoded(read[split])), numbers)


def test_the_parquet_files_bring_their_types_without_the_card(exported: Path, tmp_path: Path) -> None:
    files = [str(path) for path in sorted((exported / "hf" / "data").glob("train-*.parquet"))]
    read = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    assert isinstance(read.features["audio"], datasets.Audio)
    assert read.features["labels"].feature.names == list(corpus.NAMES)
    expect(list(undecoded(read)), LABELLED["train"])


def test_webdataset_reads_the_tar_files(exported: Path) -> None:
    assert json.loads((exported / "wds" / "classes.json").read_text()) == list(corpus.NAMES)
    for split, numbers in LABELLED.items():
        urls = [str(path) for path in sorted((exported / "wds").glob(f"{split}-*.tar"))]
        samples = list(webdataset.WebDataset(urls, shardshuffle=False, empty_check=False))
        assert [sample["__key__"] for sample in samples] == [f"clip{number}" for number in numbers]
        for number, sample in zip(numbers, samples, strict=True):
            _, _, start_s, end_s, _, targets, weights, frames = corpus.ROWS[number]
            about = json.loads(sample["json"])
            assert pcm(sample["flac"]) == corpus.audio(number)
            assert (about["targets"], about["weights"], about["split"]) == (targets, weights, split)
            assert about["labels"] == [corpus.NAMES[index] for index in targets]
            assert (about["start_s"], about["end_s"]) == (start_s, end_s)
            assert ("jpg" in sample) == (frames > 0)


def test_tar_files_have_no_times_and_are_the_same_each_time(exported: Path, tmp_path: Path) -> None:
    export(tmp_path, frame=True)
    for path in sorted((exported / "wds").glob("*.tar")):
        assert (tmp_path / "wds" / path.name).read_bytes() == path.read_bytes()
        with tarfile.open(path) as tar:
            assert {(member.mtime, member.uid, member.uname) for member in tar} == {(0, 0, "")}


def test_another_export_writes_nothing_again_and_another_recording_only_its_shard(tmp_path: Path) -> None:
    def times() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("*-shard-*")}

    export(tmp_path)
    before = times()
    export(tmp_path)
    assert times() == before and len(before) == 6
    renamed = corpus.VIDEOS.assign(uri=["trip/0001.mp4", "b, c.mp4", "renamed.wav"])
    export(tmp_path, videos=renamed)
    changed = {name for name, time in times().items() if before[name] != time}
    assert changed == {"train-shard-1.parquet", "train-shard-1.tar"}


def test_clips_without_a_label_and_wav_are_for_the_asking(tmp_path: Path) -> None:
    export(tmp_path, clips="all", audio="wav", formats="webdataset")
    with tarfile.open(tmp_path / "wds" / "train-shard-0.tar") as tar:
        assert tar.getnames() == [f"clip{number}.{end}" for number in (0, 1, 2) for end in ("wav", "json")]
        member = tar.extractfile("clip2.wav")
        assert member is not None and pcm(member.read()) == corpus.audio(2)
    assert not list((tmp_path / "hf").rglob("*.parquet"))
    assert "configs" not in head(tmp_path)


def head(folder: Path) -> dict[str, Any]:
    _, text, _ = (folder / "hf" / "README.md").read_text().split("---\n", 2)
    return dict(yaml.safe_load(text))


def test_the_head_of_the_card_says_what_there_is(exported: Path) -> None:
    found = head(exported)
    assert (found["license"], found["license_name"]) == ("other", "as-given-for-each-recording")
    assert found["size_categories"] == ["n<1K"] and found["task_categories"] == ["audio-classification"]
    files = {path.name: path.stat().st_size for path in (exported / "hf" / "data").glob("*.parquet")}
    assert [(split["name"], split["num_examples"]) for split in found["dataset_info"]["splits"]] == [
        ("train", 3),
        ("validation", 1),
    ]
    assert found["dataset_info"]["dataset_size"] == sum(files.values())
    assert [item["path"] for item in found["configs"][0]["data_files"]] == [
        "data/train-*.parquet",
        "data/validation-*.parquet",
    ]


def test_the_card_counts_clips_classes_and_licences_and_names_the_teachers(exported: Path) -> None:
    text = (exported / "hf" / "README.md").read_text()
    for row in (
        "| train | 3 | 0.00 | 2 |",
        "| validation | 1 | 0.00 | 1 |",
        "| `Bark` | 2 | 0 |",
        "| `Child speech, kid speaking` | 0 | 1 |",
        "| `rain` | 3 | 0 |",
        "| seen | `org/seen` (transformers, revision `00000000`, licence `mit`) |",
        f"| heard | `{pitch_card().weights}` (onnx) |",
        "| `CC BY 4.0` | 1 |",
        "| unknown | 2 |",
    ):
        assert row in text.splitlines(), text


def test_samples_are_those_of_full_scale_noise() -> None:
    assert np.abs(np.frombuffer(corpus.audio(0), "<i2")).max() >= 32_700
