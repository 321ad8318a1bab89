"""The soak's server fails as often as it is to, and a source that is lost is noticed."""

from __future__ import annotations

import importlib
import io
import wave
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pandas as pd
import pytest

from tests.project import PROJECT

IDS = ("03_primary/clips", "04_feature/audio_labels", "05_model_input/labels")
TABLES = ("02_intermediate/videos", "02_intermediate/rejected_videos", "03_primary/unclipped_videos")


@pytest.fixture
def soak(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    return importlib.import_module("soak")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What the line makes of two sources, as far as it is looked at."""
    for name in (*TABLES, *IDS):
        (tmp_path / name).mkdir(parents=True)
    for name in IDS:
        pd.DataFrame({"clip_id": ["a", "b"]}).to_parquet(tmp_path / name / "shard-0.parquet")
    for name, uris in zip(TABLES, (["0", "1"], [], []), strict=True):
        (tmp_path / name).rmdir()
        table = pd.DataFrame({"uri": uris, "reason": ["unreadable"] * len(uris), "detail": [""] * len(uris)})
        table.to_parquet(tmp_path / f"{name}.parquet")
    return tmp_path


def test_sums_that_hold_are_counted(soak: Any, data: Path) -> None:
    assert soak.check_sums(2, data) == (2, 2)


def test_a_lost_source_and_a_clip_of_nothing_are_noticed(soak: Any, data: Path) -> None:
    with pytest.raises(AssertionError, match="2 usable and 0 rejected of 3"):
        soak.check_sums(3, data)
    pd.DataFrame({"clip_id": ["c"]}).to_parquet(data / IDS[2] / "shard-1.parquet")
    with pytest.raises(AssertionError):
        soak.check_sums(2, data)


def test_the_server_fails_now_and_then_and_each_number_is_another_recording(soak: Any) -> None:
    ask, failed = build_opener(ProxyHandler({})), 0
    with soak.server(failing=0.3) as address:
        for number in range(40):
            try:
                content = ask.open(f"{address}/{number % 2}.wav", timeout=10).read()
            except (HTTPError, OSError):
                failed += 1
                continue
            except Exception:  # a body that breaks off
                failed += 1
                continue
            with wave.open(io.BytesIO(content)) as file:
                assert file.getnframes() == round(soak.SECONDS * soak.RATE_HZ)
    assert 2 < failed < 30
    assert soak.recording(0) != soak.recording(1)
