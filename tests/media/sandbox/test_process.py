"""The life of the decoder process: one for each thread, light, and none outlives its worker."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from tests.media import misbehaving
from tests.media.decoders import LIMIT_S, decoder_pid, gone
from tests.project import PROJECT
from xmodal_kedro.media.sandbox import isolation
from xmodal_kedro.media.sandbox.isolation import IsolationError, isolated

HEAVY = {"dask", "fsspec", "joblib", "kedro", "pandas", "pandera", "pyarrow", "s3fs", "scipy", "sklearn", "torch"}


def test_ctrl_c_is_for_the_worker_alone():
    pid = decoder_pid()

    assert list(isolated(misbehaving.signal_itself, signal.SIGINT, timeout_s=LIMIT_S)) == [pid]
    assert os.getpgid(pid) != os.getpgid(0)


def test_every_thread_has_its_own_process_which_ends_with_it():
    pids = [decoder_pid()]
    threads = [threading.Thread(target=lambda: pids.append(decoder_pid())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(pids)) == 3
    assert all(gone(pid) for pid in pids[1:])
    assert decoder_pid() == pids[0]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_daemonic_worker_starts_its_own_process(method):
    context = multiprocessing.get_context(method)
    theirs, ours = context.SimpleQueue(), decoder_pid()

    worker = context.Process(target=_tell_decoder, args=(theirs,), daemon=True)
    worker.start()
    other = theirs.get()
    worker.join()

    assert ours != other
    assert gone(other)
    assert decoder_pid() == ours


def _tell_decoder(queue) -> None:
    queue.put(decoder_pid())


WORKER = """
import sys
from tests.media import misbehaving
from xmodal_kedro.media.sandbox.isolation import isolated

items = isolated(getattr(misbehaving, sys.argv[1]), timeout_s=1000)
print(next(items), flush=True)
next(items, None)
"""


def start_worker(hang: str) -> tuple[subprocess.Popen[str], int]:
    """A worker whose decoder process runs a given function, and the id of that process."""
    worker = subprocess.Popen([sys.executable, "-c", WORKER, hang], stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    return worker, int(worker.stdout.readline())


@pytest.mark.parametrize("hang", ["sleep_for_ever", "loop_for_ever", "compute_for_ever"])
def test_a_worker_that_is_killed_leaves_no_process_behind(hang):
    worker, pid = start_worker(hang)
    time.sleep(0.1)

    worker.kill()
    worker.communicate()

    assert gone(pid)


def test_a_worker_that_ends_leaves_no_process_behind():
    worker, pid = start_worker("process_id")
    worker.communicate(timeout=20)

    assert worker.returncode == 0
    assert gone(pid)


def test_ctrl_c_ends_worker_and_decoder():
    worker, pid = start_worker("sleep_for_ever")
    worker.stdout.close()

    worker.send_signal(signal.SIGINT)

    assert worker.wait(20) != 0
    assert gone(pid)


def test_a_process_that_does_not_start_is_no_fault_of_the_file(monkeypatch):
    monkeypatch.setattr(isolation, "PROGRAM", "raise SystemExit(7)")
    monkeypatch.setattr(isolation._of_thread, "decoder", None)

    with pytest.raises(IsolationError, match="does not start: exit code 7"):
        list(isolated(misbehaving.count, 1, timeout_s=LIMIT_S))


@pytest.mark.parametrize("module", ["streams", "clipper"])
def test_the_process_is_light(module):
    pid = decoder_pid()
    isolated_module = f"xmodal_kedro.media.{module}"

    def look() -> None:
        loaded.extend(isolated(misbehaving.modules_after_importing, isolated_module, timeout_s=LIMIT_S))
        megabytes.append(psutil.Process(decoder_pid()).memory_full_info().uss / 1e6)

    loaded: list[set[str]] = []
    megabytes: list[float] = []
    thread = threading.Thread(target=look)  # a new process, without other imports
    thread.start()
    thread.join()

    assert {name.partition(".")[0] for name in loaded[0]} & HEAVY == set()
    assert megabytes[0] < 110
    assert decoder_pid() == pid
