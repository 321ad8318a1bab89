"""Train in several processes, on this machine or on several, by torch's elastic launcher.

The launcher starts the processes and, when one dies, starts them all again; they resume from the last checkpoint. Each
has a connection to this process: metrics of the leading one go to callbacks here, an error that no restart would mend
is raised here, and a process whose line breaks ends itself, so that none outlives the run.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import sys
import threading
import uuid
from contextlib import closing, suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

import torch
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from xmodal_kedro import metric_callbacks
from xmodal_kedro.models.device import choose_device
from xmodal_kedro.params import TrainParams
from xmodal_kedro.storage import Checkpoints
from xmodal_kedro.training.interruption import Interruption
from xmodal_kedro.training.loop import train
from xmodal_kedro.training.ranks import joined
from xmodal_kedro.training.training_data import TrainingData

logger = logging.getLogger(__name__)

_LOOK_S = 0.2
"""Seconds between two looks at whether the launcher has ended."""
_BACKLOG = 64
"""Processes that may call at once."""


def launch(data: TrainingData, params: TrainParams, checkpoints: Checkpoints) -> None:
    """Train in `params.devices` processes here and as many on each other of `params.nodes` machines.

    The outcome is in the checkpoints. After Ctrl-C or SIGTERM the processes store the state and end.

    Raises:
        KeyboardInterrupt, SystemExit: then.
        Exception: as a process raised it, if another start would meet it again.
        RuntimeError: if processes died more often than `params.restarts` allows.
    """
    # A store that outlives a start keeps the addresses of those that died, and the new ones wait for them for ever.
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    # A process that has torch loaded and nothing else begun is forked, so that starting again takes no half a minute.
    multiprocessing.get_context("forkserver").set_forkserver_preload([__name__])
    exchange = _Exchange()
    config = LaunchConfig(
        min_nodes=params.nodes,
        max_nodes=params.nodes,
        nproc_per_node=params.devices,
        run_id=f"{params.model}-{data.fingerprint}" if params.nodes > 1 else uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint=params.rendezvous or "localhost:0",
        max_restarts=params.restarts,
        start_method="forkserver",
        local_addr=None if params.nodes > 1 else "localhost",
    )
    failures: list[BaseException] = []

    def run() -> None:
        try:
            elastic_launch(config, run_rank)(exchange.address, exchange.key, data, params, checkpoints)
        except BaseException as error:
            failures.append(error)

    launcher = threading.Thread(target=run, name="launcher", daemon=True)
    # Listeners expect to be called by the thread that trains, so the launcher has the other one.
    launcher.start()
    with Interruption() as interruption, closing(exchange):
        while launcher.is_alive():
            exchange.relay(_LOOK_S)
            if interruption.number is not None:
                exchange.interrupt(interruption.number)
        exchange.relay(0)
    interruption.end()
    if exchange.error is not None:
        raise exchange.error
    if failures and isinstance(failures[0], ChildFailedError):
        rank, first = failures[0].get_first_failure()
        message = first.message["message"] if isinstance(first.message, dict) else first.message
        raise RuntimeError(
            f"process {rank} of training died ({message}), the last of {params.restarts + 1} times: "
            "look above for why; the same command goes on from the last checkpoint"
        ) from failures[0]
    if failures:
        raise failures[0]


def run_rank(address: str, key: bytes, data: TrainingData, params: TrainParams, checkpoints: Checkpoints) -> None:
    """What each process does: join the others and train."""
    line = Client(address, authkey=key)
    if not line.recv():  # the error that ended the processes before is final
        sys.exit(1)
    interruption = Interruption()
    threading.Thread(target=_follow, args=[line, interruption], daemon=True).start()
    device_type = choose_device(params.device, "train.device").type
    if device_type == "cpu":
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // params.devices))
    with joined(device_type) as ranks:
        if ranks.leads:
            logging.basicConfig(level=logging.INFO, format="%(message)s")
        try:
            with metric_callbacks.listening(lambda metrics, step: line.send((dict(metrics), step))), interruption:
                train(data, params, checkpoints, ranks, interruption)
        except Exception as error:
            if _is_passing(error):
                raise
            line.send(error)
            os._exit(1)  # at once, as the others wait for this process


def _is_passing(error: Exception) -> bool:
    """Whether another start may not meet it again: what collectives raise when another process has died."""
    return isinstance(error, RuntimeError) and not isinstance(error, torch.OutOfMemoryError)


def _follow(line: Connection, interruption: Interruption) -> None:
    """Be interrupted when the process at the other end of the line is, and end when it does."""
    with suppress(EOFError, OSError):
        while True:
            interruption.number = line.recv()
    os._exit(1)


class _Exchange:
    """Where the lines of all processes come together."""

    def __init__(self) -> None:
        self.key = os.urandom(32)
        self.error: Exception | None = None
        self._listener = Listener(authkey=self.key, backlog=_BACKLOG)
        self._closed = self._interrupted = False
        self._warned = 0
        self._lines: list[Connection] = []
        self._heard: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._accept, name="exchange", daemon=True).start()

    @property
    def address(self) -> str:
        """For `multiprocessing.connection.Client`."""
        return str(self._listener.address)

    def relay(self, patience_s: float) -> None:
        """Pass on the messages received; wait for one at most so long."""
        with suppress(queue.Empty):
            message = self._heard.get(timeout=patience_s) if patience_s else self._heard.get_nowait()
            while True:
                metric_callbacks.emit(*message)
                message = self._heard.get_nowait()

    def interrupt(self, number: int) -> None:
        """Let the processes that do not know it yet store the state and end, as by this signal; none starts again."""
        self._interrupted = True
        for line in self._lines[self._warned :]:
            self._warned += 1
            with suppress(OSError):
                line.send(number)

    def close(self) -> None:
        """Cut all lines."""
        self._closed = True
        with suppress(OSError):
            # Wakes the thread that accepts. It may have ended, or wait for another process, so no answer is expected.
            Client(self.address).close()
        self._listener.close()
        for line in self._lines:
            line.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                line = self._listener.accept()
                line.send(self.error is None and not self._interrupted)
            except (OSError, EOFError, AuthenticationError):  # closed, or a process that died while it called
                continue
            self._lines.append(line)
            threading.Thread(target=self._listen, args=[line], daemon=True).start()

    def _listen(self, line: Connection) -> None:
        with suppress(EOFError, OSError):
            while True:
                message = line.recv()
                if isinstance(message, Exception):
                    self.error = self.error or message
                else:
                    self._heard.put(message)
