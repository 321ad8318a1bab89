"""Work on untrusted files in a process of its own, so that a crash or a hang costs the file and nothing else.

Each thread of a worker has one decoder process, started when first needed and used again until it crashes or hangs.
It is a plain program, not a `multiprocessing.Process`, which daemonic workers such as Dask's may not start.
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

from xmodal_kedro.media.sandbox import process
from xmodal_kedro.media.sandbox.process import CLOSE, NEXT, Reply
from xmodal_kedro.reasons import MediaError, describe

T = TypeVar("T")

PROGRAM = f"from {process.__name__} import main; main()"

START_LIMIT_S = 120.0
"""Longest wait for a decoder process to start and to import a function: slow where the disk is cold."""

END_LIMIT_S = 5.0
"""Longest wait for a decoder process to end, or to put down a call that nobody wants to the end."""

INTERRUPTIONS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
"""Signals by which people and schedulers end a process: no fault of the file."""

ATTEMPTS = 2
"""How often a call may crash before its file is blamed: the first crash may be due to what an earlier file broke."""


class IsolationError(RuntimeError):
    """The decoder process cannot be used, through no fault of a file: it does not start, or was interrupted."""


class _CrashError(Exception):
    """A decoder process ended by itself; the text says how."""

    def __init__(self, text: str, reason: str = "crashed") -> None:
        super().__init__(text)
        self.reason = reason


def isolated(function: Callable[..., Iterator[T]], *args: Any, timeout_s: float) -> Iterator[T]:
    """Run a generator function in this thread's decoder process, and give on what it yields as it yields it.

    It runs only while its next item is waited for. Where it crashes, it is run a second time in a fresh process, from
    the item that it had come to, so it must yield the same items each time. It may be left before its end.

    Args:
        function: of a module, not a closure; its arguments, and what it yields, are pickled.
        timeout_s: longest time to wait for all items together, seconds, without the start of the process.

    Raises:
        MediaError: `timed_out`, `crashed`, also where decoding takes too much memory, or `killed`.
        IsolationError: if the process does not start, or is interrupted. It says nothing of the file.
        Exception: what the function raises, with its own traceback as a note; one that cannot be pickled comes as a
            RuntimeError that describes it.
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
            asked_s = time.monotonic()
            try:
                reply, content = decoder.ask(NEXT, left_s)
            except TimeoutError:
                raise MediaError("timed_out", f"it was not done within its limit of {timeout_s:g} s") from None
            left_s -= time.monotonic() - asked_s
            if reply is Reply.DONE:
                return
            if reply is Reply.FAILED:
                raise content
            yield content


class _Decoder:
    """A decoder process and the conversation with it."""

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
                    process_group=0,  # Ctrl-C is for the worker alone
                )
            except OSError as error:
                raise IsolationError(f"the decoder process cannot be started: {describe(error)}") from error
        self._owner = os.getpid()
        self._started = self._waiting = self._paused = False
        self.end = weakref.finalize(self, _end, self._process, self._owner)

    @property
    def alive(self) -> bool:
        """Whether this process, not one that it was forked from, started the decoder process, and it still runs."""
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
        """Close a call that was left before its end; False if the process is of no more use."""
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
    """What makes the process find this one's modules, and keeps libraries from starting a thread for every core."""
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
    """This thread's decoder; a new one if there is none, or while it is lent. One of no more use is ended."""
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
