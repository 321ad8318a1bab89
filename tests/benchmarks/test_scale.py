"""What `benchmarks/scale.py` multiplies and `benchmarks/many_shards.py` measures is what they say."""

from __future__ import annotations

import importlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.project import PROJECT


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")


def script(name: str) -> Any:
    return importlib.import_module(name)


def constants() -> Any:
    """An hour of recordings that gave half an hour of 450 clips, in round numbers."""
    return script("scale_constants").Constants(
        source_s=3600.0,
        clip_s=1800.0,
        clips=450,
        cpu_s={"ingest": 36.0, "clip": 18.0, "audio_label": 4.5},
        merge_cpu_s=0.36,
        stored_bytes={"clips": 150_000.0},
        loaded_per_s=10_000.0,
        trained_per_s={"vggish_plus": 50.0, "vggish": 10.0},
        driver_bytes=1_000.0,
        driver_s=0.001,
    )


def test_a_corpus_asks_for_what_its_parts_do() -> None:
    scale = script("scale")
    asked = scale.plan(constants(), scale.Assumptions(clips=1_000_000, clip_hours=1_000.0, recording_s=7_200.0))
    assert asked.source_hours == pytest.approx(2_000)
    assert asked.recordings == 1_000
    hours = {"ingest": 20.0, "clip": 10.0, "audio_label": 1e6 * 0.01 / 3600, "merge_labels": 100.0}
    assert asked.core_hours == pytest.approx(hours)
    assert asked.stored_bytes["clips"] == 150e9
    assert asked.shards == 1_000  # two recordings of two hours are more than a shard may hold
    assert asked.files == 5 * asked.shards
    assert asked.driver_bytes == 1e6
    assert asked.gpu_hours["vggish"] == pytest.approx(30e6 / scale.GPU_CLIPS_PER_S["vggish"] / 3600)


def test_twice_the_corpus_asks_for_twice_as_much() -> None:
    scale = script("scale")
    given = scale.Assumptions(clips=100_000, clip_hours=100.0)
    once, twice = (scale.plan(constants(), one) for one in (given, replace(given, clips=200_000, clip_hours=200.0)))
    assert twice.core_hours == pytest.approx({stage: 2 * hours for stage, hours in once.core_hours.items()})
    assert 1.5 * once.shards < twice.shards < 2.7 * once.shards


def test_figures_that_were_not_measured_stand_with_their_source() -> None:
    scale = script("scale")
    given = scale.Assumptions(clips=100_000, clip_hours=100.0)
    assumed = scale.describe_assumptions(given)
    page = (PROJECT / "docs/performance.md").read_text()
    for speed in scale.GPU_CLIPS_PER_S.values():
        line = next(line for line in assumed.splitlines() if f"{speed:,.0f}" in line)
        assert "docs/performance.md" in line and f"{speed:,.0f}" in page
    printed = scale.describe_plan(scale.plan(constants(), given), constants(), given, machines=10, cores=32)
    assert "hours, 10 x 32 cores" in printed and "GPU-hours (assumed)" in printed


def test_every_stage_is_timed_and_every_dataset_weighed(real_data: Path, tmp_path: Path) -> None:
    measured = script("scale_constants")
    (tmp_path / "videos").mkdir()
    for name in sorted(path.name for path in (real_data / "videos").iterdir())[:2]:
        shutil.copy(real_data / "videos" / name, tmp_path / "videos")
    spent = measured.run_line(tmp_path / "videos", real_data / "teachers", tmp_path / "line")
    nodes = {node for nodes in measured.STAGES.values() for node in nodes}
    assert nodes <= spent.keys() and min(spent[node] for node in nodes) > 0
    assert all(measured.stored_bytes(tmp_path / "line" / path) > 0 for path in measured.STORED.values())


def test_the_driver_is_weighed_with_a_job_for_every_recording() -> None:
    jobs = script("scale_constants").jobs_of(500)
    assert sum(len(job.args[0]) for job in jobs.values()) == 500


def test_a_run_without_media_is_accounted_for_job_by_job(tmp_path: Path) -> None:
    found = script("many_shards").measure(tmp_path, shards=6, workers=2, seconds=0.2, backend="loky")
    assert found["shards"] == 6 and len(list((tmp_path / "clips").glob("*.parquet"))) == 6
    least_s = 6 * 0.2 * script("stub_media").SPREAD[0] / found["workers"]
    assert least_s < found["work_s"] < found["wall_s"]
    assert 0 < found["overhead"] < found["overhead_with_start"]
    assert found["most_bytes"] >= found["before_bytes"] > 0
    assert "6 " in script("many_shards").describe([found])
