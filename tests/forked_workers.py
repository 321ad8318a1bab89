"""Starts joblib's worker processes of a command as forks of a process that has loaded large libraries.

joblib starts `python -m joblib...popen_loky_posix` for each worker, with some open files and variables. The fork runs
that module with the same arguments, files and variables, and is a child of the command as the new process would be.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import runpy
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

MODULE = "joblib.externals.loky.backend.popen_loky_posix"
PR_SET_CHILD_SUBREAPER = 36
MAX_MESSAGE_BYTES = 2**18


def fork_workers_of_this_process(end_after: Callable[[Callable[[], object]], NoReturn]) -> None:
    """Have the workers that joblib starts in this process forked from its present state.

    Args:
        end_after: runs a function, then ends the process as Python does.
    """
    from joblib.externals.loky.backend import fork_exec

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = os.getpid()
    if not os.fork():
        ours.close()
        end_after(_serve(theirs, command))
    theirs.close()
    start = fork_exec.fork_exec
    one_at_a_time = threading.Lock()  # or threads that start workers take each other's answer

    def start_worker(arguments: Sequence[str], files: Sequence[int], env: Mapping[str, str] | None = None) -> int:
        if arguments[1:3] != ["-m", MODULE]:
            return start(arguments, files, env)
        # The process between the server and the worker ends, and the worker comes to this one.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        variables = {**os.environ, **(env or {})}
        kept = sorted(set(files))
        request = {"arguments": arguments, "files": kept, "folder": os.getcwd(), "environment": variables}  # noqa: PTH109
        with one_at_a_time:
            socket.send_fds(ours, [json.dumps(request).encode()], kept)
            return int(ours.recv(16))

    fork_exec.fork_exec = start_worker


def _serve(clients: socket.socket, command: int) -> Callable[[], object]:
    """Fork a worker for each request until the command is gone; returns in each, what it is to run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # is for the command
    while True:
        message, files, _, _ = socket.recv_fds(clients, MAX_MESSAGE_BYTES, 250)
        if not message:
            os._exit(0)
        between = os.fork()
        if not between:
            between = os.getpid()
            if os.fork():
                os._exit(0)
            while (parent := os.getppid()) == between:
                time.sleep(0.001)
            if parent != command:  # which has ended meanwhile, and whose streams this process would keep open
                os._exit(1)
            clients.send(str(os.getpid()).encode())
            clients.close()
            return _worker(json.loads(message), files)
        os.waitpid(between, 0)
        for file in files:
            os.close(file)


def _worker(request: dict[str, Any], files: list[int]) -> Callable[[], object]:
    """Make this process the one that was asked for, up to its program."""
    import numpy
    import torch
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.default_int_handler)
    apart = [fcntl.fcntl(file, fcntl.F_DUPFD, max(request["files"]) + 1) for file in files]
    for file in files:
        os.close(file)
    for file, number in zip(apart, request["files"], strict=True):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if threads := os.environ.get("OMP_NUM_THREADS"):  # which libraries read as they are loaded
        threadpool_limits(int(threads))
        torch.set_num_threads(int(threads))
    numpy.random.seed()  # noqa: NPY002  # as in a new process
    sys.argv = [sys.argv[0], *request["arguments"][3:]]

    def program() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the module is loaded already
            runpy.run_module(MODULE, run_name="__main__")

    return program
