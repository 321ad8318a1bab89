"""Workers that tests fork are those that joblib takes them for."""

from __future__ import annotations

import subprocess
import sys

from tests.project import PROJECT

STARTED_BY_THREADS = """
import os
from concurrent.futures import ThreadPoolExecutor
from joblib.externals.loky import ProcessPoolExecutor
import torch
from tests.command_server import end_after
from tests.forked_workers import fork_workers_of_this_process

fork_workers_of_this_process(end_after)

def has_its_own_worker(_):
    with ProcessPoolExecutor(max_workers=1) as pool:
        return pool.submit(os.getpid).result() in pool._processes

with ThreadPoolExecutor(2) as threads:
    print([*threads.map(has_its_own_worker, range(20))])
"""


def test_threads_that_start_workers_at_once_get_each_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTED_BY_THREADS], cwd=PROJECT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == str([True] * 20), done.stderr
