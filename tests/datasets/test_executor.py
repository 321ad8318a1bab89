from __future__ import annotations

import os
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

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
