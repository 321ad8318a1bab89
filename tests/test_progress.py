"""Progress where there is no terminal: few lines of the log, with rate and time left."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from xmodal_kedro import progress
from xmodal_kedro.progress import ProgressBar, refreshed, watched


class Clock:
    """Seconds that pass as a test says."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> Clock:
    """A clock for bars, and a standard error that is no terminal."""
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock)
    monkeypatch.setattr("tqdm.std.time", clock)
    caplog.set_level("INFO")
    return clock


def test_a_line_comes_now_and_then_and_not_with_each_step(clock: Clock, caplog: Any, capsys: Any) -> None:
    with ProgressBar(desc="clips", total=1000, unit="shards") as bar:
        bar._time = clock
        for _ in range(1000):
            clock.now_s += 0.1
            bar.update()
            bar.set_postfix(loss="0.1")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert re.match(r"clips: 30 %, 30\d of 1000 shards, \d+\.\d+shards/s, 00:30 so far, 01:1. left", lines[0])
    assert capsys.readouterr().err == ""


def test_bytes_are_told_in_megabytes(clock: Clock, caplog: Any) -> None:
    with ProgressBar(desc="weights", total=10**8, unit="B", unit_scale=True, name="of the hub") as bar:
        bar._time = clock
        clock.now_s += 40
        bar.update(4 * 10**7)
    assert "weights: 40 %, 40.0MB of 100MB, 1.00MB/s" in caplog.text


def test_work_of_which_nothing_is_finished_has_lines_too(
    clock: Clock, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "REFRESH_EVERY_S", 0.001)
    with ProgressBar(desc="folds", total=10, unit="shards") as bar:
        bar._time = clock
        clock.now_s += 40
        with refreshed(bar):
            for _ in range(60_000):
                if caplog.records:
                    break
                time.sleep(0.001)
    assert "folds: 0 %, 0 of 10 shards" in caplog.text and "00:40 so far" in caplog.text


def test_what_is_soon_done_leaves_no_line(clock: Clock, caplog: Any) -> None:
    assert list(watched(iter("abc"), "folds", total=3, unit="folds")) == ["a", "b", "c"]
    assert not caplog.records


def test_a_bar_that_is_off_says_nothing(clock: Clock, caplog: Any) -> None:
    with ProgressBar(desc="clips", total=10, disable=True) as bar:
        clock.now_s += 100
        bar.update(5)
        bar.set_postfix(loss="1")
    assert not caplog.records
