"""The benchmark has ESC-50's layout."""

from __future__ import annotations

import io
import re
import wave

import pandas as pd

from xmodal_kedro.params import SampleParams
from xmodal_kedro.sample.benchmark import benchmark_clip, benchmark_files
from xmodal_kedro.sample.world import BENCHMARK_CLASSES, ESC10


def test_the_table_names_every_file_in_the_official_way() -> None:
    files = benchmark_files(SampleParams(benchmark_clips_per_class=10))
    table = pd.read_csv(io.BytesIO(bytes(files.pop("meta/esc50.csv"))))
    assert list(table.columns) == ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
    assert {f"audio/{name}" for name in table["filename"]} == set(files)
    for row in table.itertuples():
        fold, source, take, target = re.fullmatch(r"(\d)-(\d+)-([A-Z])-(\d+)\.wav", row.filename).groups()
        assert (int(fold), int(source), take, int(target)) == (row.fold, row.src_file, row.take, row.target)
        assert BENCHMARK_CLASSES[row.target] == row.category
        assert row.esc10 == (row.category in ESC10)


def test_five_folds_share_every_class_evenly() -> None:
    table = pd.read_csv(
        io.BytesIO(bytes(benchmark_files(SampleParams(benchmark_clips_per_class=20))["meta/esc50.csv"]))
    )
    counts = table.groupby(["category", "fold"]).size()
    assert len(counts) == 5 * len(BENCHMARK_CLASSES)
    assert set(counts) == {4}
    assert table.loc[table["esc10"], "category"].nunique() == 10
    assert not table["src_file"].duplicated().any()


def test_a_clip_is_five_seconds_of_16_bit_sound_and_always_the_same() -> None:
    content = benchmark_clip(0, "helicopter", 8, 3)
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        assert file.getnframes() == 80_000
    assert benchmark_clip(0, "helicopter", 8, 3) == content
    assert benchmark_clip(0, "helicopter", 8, 4) != content
