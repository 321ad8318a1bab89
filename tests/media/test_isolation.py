"""The decoder process: crashes, hangs and greed cost one call, and nothing outlives the worker."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import psutil
import pytest

from tests.media import misbehaving
from tests.project import PROJECT
from xmodal_kedro.media import isolation
from xmodal_kedro.media.isolation import IsolationError, isolated
from xmodal_kedro.reasons import MediaError

LIMIT_S = 20.0
HEAVY = {"dask", "fsspec", "joblib", "kedro", "pandas", "pandera", "pyarrow", "s3fs", "scipy", "sklearn", "torch"}


def decoder_pid() -> int:
    return next(isolated(misbehaving.process_id, timeout_s=LIMIT_S))


def gone(pid: int, within_s: float = 5.0) -> bool:
    """Whether a process ends within some seconds."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def reason_of(function, *args, timeout_s: float = LIMIT_S) -> tuple[str, str]:
    with pytest.raises(MediaError) as error:
        list(isolated(function, *args, timeout_s=timeout_s))
    return error.value.reason, error.value.detail


def test_items_come_from_another_process_that_is_used_again():
    assert list(isolated(misbehaving.count, 3, timeout_s=LIMIT_S)) == [0, 1, 2]
    assert decoder_pid() == decoder_pid() != os.getpid()


def test_large_items_come_whole():
    assert [len(blob) for blob in isolated(misbehaving.blobs, 3, 5_000_000, timeout_s=LIMIT_S)] == [5_000_000] * 3


def test_a_crash_ends_with_its_signal_and_the_next_call_has_a_fresh_process():
    before = decoder_pid()

    assert reason_of(misbehaving.segfault_after, 0) == ("crashed", "signal 11 (SIGSEGV)")
    assert decoder_pid() != before
    assert list(isolated(misbehaving.count, 2, timeout_s=LIMIT_S)) == [0, 1]


def test_what_came_before_a_crash_is_given_once():
    items = []

    with pytest.raises(MediaError, match="crashed"):
        for item in isolated(misbehaving.segfault_after, 3, timeout_s=LIMIT_S):
            items.append(item)  # noqa: PERF402

    assert items == [0, 1, 2]


@pytest.mark.parametrize("at", [0, 2])
def test_a_crash_that_does_not_happen_again_costs_nothing(tmp_path, at):
    items = isolated(misbehaving.segfault_the_first_time, tmp_path / "crashed", 4, at, timeout_s=LIMIT_S)

    assert list(items) == [0, 1, 2, 3]
    assert (tmp_path / "crashed").exists()


def test_a_call_is_tried_twice_and_not_more(tmp_path):
    assert reason_of(misbehaving.signal_itself, signal.SIGABRT, tmp_path / "tries")[0] == "crashed"
    assert (tmp_path / "tries").read_text().splitlines() == ["once", "once"]


def test_a_process_that_is_killed_is_no_fault_of_the_file():
    assert reason_of(misbehaving.signal_itself, signal.SIGKILL) == ("killed", "signal 9 (SIGKILL)")


def test_a_process_that_exits_has_crashed():
    assert reason_of(misbehaving.exit_with, 0) == ("crashed", "exit code 0")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_is_no_fault_of_the_file(tmp_path, number):
    with pytest.raises(IsolationError, match=signal.Signals(number).name):
        list(isolated(misbehaving.signal_itself, number, tmp_path / "tries", timeout_s=LIMIT_S))

    assert (tmp_path / "tries").read_text().splitlines() == ["once"]
    assert list(isolated(misbehaving.count, 1, timeout_s=LIMIT_S)) == [0]


def test_ctrl_c_is_for_the_worker_alone():
    pid = decoder_pid()

    assert list(isolated(misbehaving.signal_itself, signal.SIGINT, timeout_s=LIMIT_S)) == [pid]
    assert os.getpgid(pid) != os.getpgid(0)


@pytest.mark.parametrize("hang", [misbehaving.sleep_for_ever, misbehaving.loop_for_ever, misbehaving.compute_for_ever])
def test_a_hang_ends_at_the_limit_with_its_process(hang):
    started = time.monotonic()
    items = isolated(hang, timeout_s=1.5)
    pid = next(items)

    with pytest.raises(MediaError, match="timed_out.*1.5 s"):
        next(items)

    assert time.monotonic() - started < 20
    assert gone(pid)


def test_time_that_the_worker_takes_itself_does_not_count():
    items = []
    for item in isolated(misbehaving.count, 4, timeout_s=1.0):
        time.sleep(0.4)
        items.append(item)

    assert items == [0, 1, 2, 3]


def test_asking_for_too_much_memory_is_refused():
    assert reason_of(misbehaving.allocate, 8_000_000_000) == ("crashed", "decoding it takes more than 4 GB of memory")
    assert list(isolated(misbehaving.allocate, 500_000_000, timeout_s=LIMIT_S)) == [500_000_000]


def test_errors_come_as_they_are_raised():
    assert reason_of(misbehaving.fail, "media") == ("no_audio", "there is no audio stream")
    with pytest.raises(ValueError, match="a value is wrong") as error:
        list(isolated(misbehaving.fail, "value", timeout_s=LIMIT_S))
    assert "misbehaving.py" in "".join(error.value.__notes__)


@pytest.mark.parametrize(
    ("kind", "message"), [("unpicklable", "UnpicklableError: one two"), ("exit", "SystemExit: 3"), ("item", "pickle")]
)
def test_what_cannot_be_pickled_is_described(kind, message):
    pid = decoder_pid()

    with pytest.raises(Exception, match=message):
        list(isolated(misbehaving.fail, kind, timeout_s=LIMIT_S))

    assert decoder_pid() == pid


def test_a_call_that_is_left_early_leaves_its_process_usable():
    pid = decoder_pid()
    items = isolated(misbehaving.count, 1000, timeout_s=LIMIT_S)

    assert (next(items), next(items)) == (0, 1)
    items.close()
    assert list(isolated(misbehaving.count, 2, timeout_s=LIMIT_S)) == [0, 1]
    assert decoder_pid() == pid


def test_a_call_that_does_not_let_itself_be_left_costs_its_process(monkeypatch):
    monkeypatch.setattr(isolation, "END_LIMIT_S", 0.2)
    items = isolated(misbehaving.close_slowly, 60.0, timeout_s=LIMIT_S)
    pid = next(items)

    items.close()

    assert gone(pid)
    assert decoder_pid() != pid


def test_two_calls_of_one_thread_do_not_mix():
    first, second = (isolated(misbehaving.count, 3, timeout_s=LIMIT_S) for _ in range(2))

    assert list(zip(first, second, strict=True)) == [(0, 0), (1, 1), (2, 2)]


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
from xmodal_kedro.media.isolation import isolated

items = isolated(getattr(misbehaving, sys.argv[1]), timeout_s=1000)
print(next(items), flush=True)
next(items, None)
"""


def start_worker(hang: str) -> tuple[subprocess.Popen[str], int]:
    """A worker whose decoder process does as told, and the id of that process."""
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


def test_nothing_that_a_library_prints_is_seen(capfd):
    assert list(isolated(misbehaving.print_from_c, timeout_s=LIMIT_S)) == [0]
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_imported_there_is_no_fault_of_the_file(monkeypatch):
    ghost = types.ModuleType("ghost")
    exec("def function():\n    yield 0", vars(ghost))
    monkeypatch.setitem(sys.modules, "ghost", ghost)

    with pytest.raises(IsolationError, match="No module named 'ghost'"):
        list(isolated(ghost.function, timeout_s=LIMIT_S))


def test_a_process_that_does_not_start_is_no_fault_of_the_file(monkeypatch):
    monkeypatch.setattr(isolation, "PROGRAM", "raise SystemExit(7)")
    monkeypatch.setattr(isolation._of_thread, "decoder", None)

    with pytest.raises(IsolationError, match="does not start: exit code 7"):
        list(isolated(misbehaving.count, 1, timeout_s=LIMIT_S))


@pytest.mark.parametrize("module", ["streams", "clips"])
def test_the_process_is_light(module):
    pid = decoder_pid()
    isolated_module = f"xmodal_kedro.media.{module}"

    def look() -> None:
        loaded.extend(isolated(misbehaving.modules_after_importing, isolated_module, timeout_s=LIMIT_S))
        megabytes.append(psutil.Process(decoder_pid()).memory_full_info().uss / 1e6)

    loaded: list[set[str]] = []
    megabytes: list[float] = []
    thread = threading.Thread(target=look)  # with a process that nothing else was imported into
    thread.start()
    thread.join()

    assert {name.partition(".")[0] for name in loaded[0]} & HEAVY == set()
    assert megabytes[0] < 110
    assert decoder_pid() == pid


def test_a_file_that_has_gone_is_an_error_of_the_file_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(isolated(_read, tmp_path / "gone", timeout_s=LIMIT_S))


def _read(path: Path):
    yield path.read_bytes()
