"""The decoder process: runs generator functions on untrusted files for the worker that started it.

`isolation` starts it, with the descriptor of its end of a socket as the only argument. It imports only what the
functions import, ends when its worker does, and may be killed at any time.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Generator
from contextlib import closing, suppress
from enum import Enum, auto
from multiprocessing.connection import Connection
from pathlib import Path

from xmodal_kedro.reasons import MediaError

MEMORY_LIMIT_GB = 4.0
"""Max memory that the process may allocate. 8K frames take less than half of it."""

FIRST_TO_BE_KILLED = "1000"
"""Value of `oom_score_adj`, see proc(5), with which the kernel kills this process first if memory runs out."""

NEXT, CLOSE = b"next", b"close"
"""Messages to a call that has started. Any other message is the pickle of a new call."""


class Reply(Enum):
    """Replies of a call: `STARTED`, an `ITEM` for each `NEXT`, and `DONE` or `FAILED` at its end."""

    STARTED = auto()
    ITEM = auto()
    DONE = auto()
    FAILED = auto()


def main() -> None:
    """Serve the worker until it ends or closes the socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker handles Ctrl-C
    threading.Thread(target=_die_with_worker, daemon=True).start()
    _limit_resources()
    _silence()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        _serve(Connection(int(sys.argv[1])))


def _die_with_worker() -> None:
    """End the process at once when the worker's end of standard input is closed.

    Codecs release Python's lock (GIL) while they work, so this thread runs in parallel.
    """
    os.read(0, 1)
    os._exit(0)


def _limit_resources() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = int(MEMORY_LIMIT_GB * 1e9)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_BE_KILLED)


def _silence() -> None:
    """Discard what libraries print: some codecs write to standard error at any of FFmpeg's log levels."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def _serve(connection: Connection) -> None:
    """Answer every message with one reply. Between messages nothing runs.

    Raises:
        EOFError: when the worker closes the connection.
    """
    replies: Generator[bytes] | None = None
    while True:
        message = connection.recv_bytes()
        if message not in (NEXT, CLOSE):
            replies = _run(message)
        assert replies is not None
        if message == CLOSE:
            replies.close()
            connection.send_bytes(pickle.dumps((Reply.DONE, None)))
        else:
            connection.send_bytes(next(replies))


def _run(call: bytes) -> Generator[bytes]:
    """The pickled replies to a call, the pickle of a generator function and its arguments."""
    last: tuple[Reply, object] = (Reply.DONE, None)
    try:
        function, args = pickle.loads(call)
        yield pickle.dumps((Reply.STARTED, None))
        with closing(function(*args)) as items:
            for item in items:
                yield pickle.dumps((Reply.ITEM, item))
    except GeneratorExit:
        raise
    except BaseException as error:
        last = (Reply.FAILED, _portable(error))
    yield pickle.dumps(last)


def _portable(error: BaseException) -> Exception:
    """The error itself with its traceback as a note, if it can be pickled; else a RuntimeError that describes it."""
    if isinstance(error, MemoryError):
        return MediaError("crashed", f"decoding it takes more than {MEMORY_LIMIT_GB:g} GB of memory")
    if isinstance(error, Exception):
        if not isinstance(error, MediaError):
            error.add_note("".join(traceback.format_exception(error)))
        with suppress(Exception):
            pickle.loads(pickle.dumps(error))
            return error
    return RuntimeError(f"{type(error).__name__}: {error}")
