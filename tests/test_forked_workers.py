"""Workers that are forked for tests are those that joblib asked for."""

from __future__ import annotations

import subprocess
import sys

from tests.project import PROJECT

SCRIPT = """
import os, random, socket, time
from concurrent.futures import ThreadPoolExecutor
import numpy, threadpoolctl, torch
from joblib.externals.loky import ProcessPoolExecutor
from tests.command_server import end_after
from tests.forked_workers import fork_workers_of_this_process

fork_workers_of_this_process(end_after)
send_fds = socket.send_fds

def send_and_be_interrupted(*arguments):
    sent = send_fds(*arguments)
    time.sleep(random.random() / 20)
    return sent

socket.send_fds = send_and_be_interrupted

def is_own(_):
    with ProcessPoolExecutor(max_workers=1) as workers:
        pid = workers.submit(os.getpid).result()
        return list(workers._processes) == [pid]

with ThreadPoolExecutor(4) as threads:
    print(sum(threads.map(is_own, range(12))))
"""


def test_threads_that_start_workers_at_once_get_each_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=PROJECT, capture_output=True, text=True, timeout=100)
    assert done.stdout.strip() == "12", done.stderr
