"""Work on untrusted files in a separate process, so that a crash or a hang affects only that file.

Each thread of a worker has one decoder process. It is started when first needed and reused until it crashes or hangs.
It is a plain program, not a `multiprocessing.Process`, which daemonic workers such as Dask's cannot start.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any, TypeVar

from xmodal_kedro.errors import MachineError
from xmodal_kedro.media.sandbox import process
from xmodal_kedro.media.sandbox.process import CLOSE, NEXT, Reply
from xmodal_kedro.reasons import MediaError, describe

T = TypeVar("T")

PROGRAM = f"from {process.__name__} import main; main()"

START_LIMIT_S = 120.0
"""Timeout for a decoder process to start and to import a function, which is slow on a cold disk."""

END_LIMIT_S = 5.0
"""Timeout for a decoder process to end, or to close a call that is not needed to its end."""

INTERRUPTIONS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
"""Signals by which people and schedulers end a process. They are not the file's fault."""

ATTEMPTS = 2
"""Crashes of a call after which its file is rejected: an earlier file may have caused the first crash."""


class IsolationError(MachineError):
    """The decoder process does not start, or was interrupted. It is not a file's fault."""


class _CrashError(Exception):
    """A decoder process ended by itself; the message says how."""

    def __init__(self, text: str, reason: str = "crashed") -> None:
        super().__init__(text)
        self.reason = reason


def isolated(function: Callable[..., Iterator[T]], *args: Any, timeout_s: float) -> Iterator[T]:
    """Run a generator function in this thread's decoder process, and yield its items as they come.

    It runs only while its next item is waited for. If it crashes, it is run a second time in a fresh process, and the
    items already yielded are skipped: the function must yield the same items each time. The caller may stop early.

    Args:
        function: a module-level function; its arguments and items are pickled.
        timeout_s: timeout for all items together, seconds, without the start of the process.

    Raises:
        MediaError: `timed_out`, `killed`, or `crashed`, also if decoding takes too much memory.
        IsolationError: if the process does not start, or is interrupted, which is not the file's fault.
        Exception: what the function raises, with its own traceback as a note; a RuntimeError that describes it if it
            cannot be pickled.
    """
    call = pickle.dumps((function, args))
    given = 0
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with closing(_items(call, timeout_s)) as items:
                for index, item in enumerate(items):
                    if index >= given:
                        given += 1
                        yield item
            return
        except _CrashError as crash:
            if attempt == ATTEMPTS:
                raise MediaError(crash.reason, str(crash)) from None


def _items(call: bytes, timeout_s: float) -> Generator[Any]:
    left_s = timeout_s
    with _borrowed() as decoder:
        decoder.start(call)
        while True:
            start_s = time.monotonic()
            try:
                reply, content = decoder.ask(NEXT, left_s)
            except TimeoutError:
                raise MediaError("timed_out", f"it was not done within its limit of {timeout_s:g} s") from None
            left_s -= time.monotonic() - start_s
            if reply is Reply.DONE:
                return
            if reply is Reply.FAILED:
                raise content
            yield content


class _Decoder:
    """A decoder process and the connection to it."""

    def __init__(self) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", PROGRAM, str(theirs.fileno())],
                    stdin=subprocess.PIPE,  # never written to: it closes when this process ends
                    stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    env={**os.environ, **_environment()},
                    process_group=0,  # Ctrl-C goes to the worker alone
                )
            except OSError as error:
                raise IsolationError(f"the decoder process cannot be started: {describe(error)}") from error
        self._owner = os.getpid()
        self._started = self._waiting = self._paused = False
        self.end = weakref.finalize(self, _end, self._process, self._owner)

    @property
    def alive(self) -> bool:
        """Whether the decoder process still runs, and was started by this process, not by a parent that forked it."""
        return self._owner == os.getpid() and self._process.poll() is None

    def start(self, call: bytes) -> None:
        """Start a call, the pickle of a function and its arguments.

        Raises:
            IsolationError: if the process does not start, or cannot import the function.
        """
        fresh, self._started = not self._started, True
        try:
            reply, content = self.ask(call, START_LIMIT_S)
        except TimeoutError:
            raise IsolationError(f"the decoder process did not start within {START_LIMIT_S:g} s") from None
        except _CrashError as crash:
            if fresh:
                raise IsolationError(f"the decoder process does not start: {crash}") from None
            raise
        if reply is Reply.FAILED:
            raise IsolationError(f"the decoder process cannot load what it is to run: {content}") from content

    def ask(self, message: bytes, limit_s: float) -> tuple[Reply, Any]:
        """Send a message and wait for the reply.

        Raises:
            TimeoutError: if there is none within the limit.
            _CrashError, IsolationError: if the process has ended.
        """
        self._waiting = True
        try:
            self._connection.send_bytes(message)
            answer = self._connection.recv_bytes() if self._connection.poll(max(limit_s, 0.0)) else None
        except (EOFError, OSError):
            raise self._death() from None
        if answer is None:
            raise TimeoutError
        reply, content = pickle.loads(answer)
        self._waiting = False
        self._paused = reply in (Reply.STARTED, Reply.ITEM)
        return reply, content

    def put_down(self) -> bool:
        """Close a call that was stopped early; False if the process cannot be reused."""
        if self._paused and not self._waiting:
            with suppress(TimeoutError, _CrashError, IsolationError):
                self.ask(CLOSE, END_LIMIT_S)
        return not self._waiting

    def _death(self) -> Exception:
        try:
            code = self._process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            return _CrashError("it closed its connection")
        if -code in INTERRUPTIONS:
            return IsolationError(f"the decoder process was interrupted by {_name(-code)}: run again")
        if code == -signal.SIGKILL:
            return _CrashError(_name(signal.SIGKILL), "killed")
        return _CrashError(_name(-code) if code < 0 else f"exit code {code}")


def _environment() -> dict[str, str]:
    """Variables by which the process finds this one's modules, and libraries start no thread for every core."""
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() == owner:
        process.kill()
        process.communicate()


def _name(number: int) -> str:
    known = number in list(signal.Signals)
    return f"signal {number} ({signal.Signals(number).name})" if known else f"signal {number}"


class _OfThread(threading.local):
    decoder: _Decoder | None = None


_of_thread = _OfThread()


@contextmanager
def _borrowed() -> Iterator[_Decoder]:
    """This thread's decoder; a new one if there is none, or while it is in use. One that cannot be reused is ended."""
    decoder, _of_thread.decoder = _of_thread.decoder, None
    if decoder is None or not decoder.alive:
        decoder = _Decoder()
    try:
        yield decoder
    finally:
        if decoder.put_down() and _of_thread.decoder is None:
            _of_thread.decoder = decoder
        else:
            decoder.end()
