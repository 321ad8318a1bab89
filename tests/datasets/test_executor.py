from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import pytest
import torch

from xmodal_kedro.datasets.executor import Engine, run_all

KEPT: list[Any] = []


def grow(folder: Path, number: int, size: int) -> None:
    """Keep memory, as a library does that is loaded, and write down which process this is."""
    KEPT.append(os.urandom(1) * size)
    time.sleep(1.1)  # loky looks at most once a second
    (folder / str(number)).write_text(str(os.getpid()))


def test_a_worker_that_loads_large_libraries_stays(tmp_path: Path) -> None:
    sizes = (1, 1, 400_000_000, 400_000_000, 1, 1)  # the first job of each worker is what its growth is counted from
    tasks = {str(number): partial(grow, tmp_path, number, size) for number, size in enumerate(sizes)}
    with warnings.catch_warnings(record=True) as warned:
        assert run_all(tasks, Engine("loky", 2), "jobs") == {}
    assert not warned
    assert len({path.read_text() for path in tmp_path.iterdir()}) <= 2


@pytest.fixture
def torch_threads() -> Iterator[None]:
    """What a test sets is set back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def threads_in_jobs(workers: int, jobs: int) -> list[int]:
    """Threads that torch has in each of some jobs of one process."""
    found: list[int] = []

    def count() -> None:
        found.append(torch.get_num_threads())
        time.sleep(0.05)

    assert run_all({str(number): count for number in range(jobs)}, Engine("threading", workers), "jobs") == {}
    return found


@pytest.mark.parametrize(("workers", "jobs", "at_once"), [(1, 3, 1), (2, 6, 2), (2, 1, 1)])
def test_jobs_at_once_share_the_threads_of_a_computation(
    monkeypatch: pytest.MonkeyPatch, torch_threads: None, workers: int, jobs: int, at_once: int
) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)
    torch.set_num_threads(4)
    assert threads_in_jobs(workers, jobs) == jobs * [4 // at_once]
    assert torch.get_num_threads() == 4


def test_jobs_have_no_more_threads_than_the_user_allows(torch_threads: None) -> None:
    torch.set_num_threads(1)
    assert set(threads_in_jobs(2, 6) + threads_in_jobs(1, 3)) == {1}
