"""Calls in the decoder process: errors, crashes, hangs and excessive memory affect one call."""

from __future__ import annotations

import os
import signal
import sys
import time
import types
from pathlib import Path

import pytest

from tests.media import misbehaving
from tests.media.decoders import LIMIT_S, decoder_pid, gone, reason_of
from xmodal_kedro.media.sandbox import isolation
from xmodal_kedro.media.sandbox.isolation import IsolationError, isolated
from xmodal_kedro.reasons import MediaError


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


def test_nothing_that_a_library_prints_is_shown(capfd):
    assert list(isolated(misbehaving.print_from_c, timeout_s=LIMIT_S)) == [0]
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_imported_there_is_no_fault_of_the_file(monkeypatch):
    ghost = types.ModuleType("ghost")
    exec("def function():\n    yield 0", vars(ghost))
    monkeypatch.setitem(sys.modules, "ghost", ghost)

    with pytest.raises(IsolationError, match="No module named 'ghost'"):
        list(isolated(ghost.function, timeout_s=LIMIT_S))


def test_a_file_that_has_gone_is_an_error_of_the_file_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(isolated(_read, tmp_path / "gone", timeout_s=LIMIT_S))


def _read(path: Path):
    yield path.read_bytes()
