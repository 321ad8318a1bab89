"""A process that has loaded large libraries, and forks for each command of Kedro, DVC and Python that a test runs.

A command is a process of its own, with its own arguments, folder, environment, streams, group and exit status, and
loads the code of the project in which it runs. It saves the seconds in which a new interpreter loads Torch and others.

`command_client.py` asks for it, in place of the real program. `with_stand_ins` puts it there.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NoReturn

# Not Kedro's framework, which looks at the folder in which it is loaded, and nothing of this project.
LIBRARIES = (
    *("numpy", "pandas", "pyarrow.parquet", "pyarrow.dataset", "scipy.signal", "scipy.stats"),
    *("pandera.pandas", "pandera.backends.pandas.builtin_checks", "sklearn.linear_model", "av", "cv2", "omegaconf"),
    *("plotly.express", "plotly.graph_objects", "PIL.Image", "joblib.externals.loky.backend.synchronize"),
    *("torch", "torchvision", "torchaudio", "torch.distributed.elastic.multiprocessing.errors"),
    *("transformers", "onnxruntime", "distributed", "dvc.repo"),
    # What MLflow and others load as they are used.
    *("mlflow", "mlflow.store.tracking.sqlalchemy_store", "mlflow.pyfunc", "IPython", "sqlalchemy.orm", "flask"),
    *("kedro_datasets.json.json_dataset", "kedro_datasets.pandas.csv_dataset", "kedro_datasets.text.text_dataset"),
    *("kedro_datasets.plotly.plotly_dataset", "kedro_datasets_experimental.safetensors.safetensors_dataset"),
)
IRRELEVANT = (
    *("PYTEST_", "DVC_", "AWS_", "PWD", "OLDPWD", "SHLVL", "_="),
    *("MLFLOW_TRACKING_URI=", "MLFLOW_EXPERIMENT_ID=", "MLFLOW_RUN_ID=", "_MLFLOW_TELEMETRY_SESSION_ID="),
    *("MLFLOW_TRACKING_PASSWORD=", "HF_TOKEN=", "KEDRO_ENV=", "NO_PROXY=", "no_proxy="),
    *("PATH=", "COLUMNS=", "NO_COLOR="),
)
"""Beginnings of variables that none of them reads as it is loaded."""
REFUSED = ".refused"
"""End of a file's name; it has a line for each command that could not be a fork: the variables in its way."""
_pipes: list[subprocess.Popen[bytes]] = []


def with_stand_ins(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, with stand-ins in its `PATH` that ask the server for their process.

    They are `kedro`, `dvc`, and `python`, which takes `-c` or `-m` as its first argument. Not for what counts the
    libraries or the memory of a process.

    All test processes of a session share a server. It ends with the one that started it; stand-ins then run programs.
    """
    from filelock import FileLock

    if not hasattr(os, "pidfd_open"):
        return dict(environment)  # not on Linux
    folder = folder_of(os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid())))
    changed = dict(environment) | {"PATH": f"{folder}{os.pathsep}{environment['PATH']}"}
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            _start(folder, changed)
    return changed


def folder_of(run: str) -> Path:
    """Where the server of a session of tests has its stand-ins."""
    return Path(tempfile.gettempdir()) / f"commands-{run}"


def _start(folder: Path, environment: Mapping[str, str]) -> None:
    folder.mkdir()
    tools, here = Path(sys.executable).parent, Path(__file__).parent
    for name in ("kedro", "dvc", "python"):
        stand_in = folder / name
        program = sys.executable if name == "python" else tools / name
        client = f"{sys.executable} -IS {here / 'command_client.py'} {folder / 'socket'} {program}"
        stand_in.write_text(f'#!/bin/sh\nexec {client} "$@"\n')
        stand_in.chmod(0o755)
    # What is on Python's path depends on the folder of a command.
    environment = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    with socket.socket(socket.AF_UNIX) as clients, (folder / "log").open("wb") as log:
        clients.bind(str(folder / "socket"))
        clients.listen(64)  # they wait until the libraries are loaded
        server = subprocess.Popen(
            [sys.executable, __file__, str(folder), str(clients.fileno())],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            pass_fds=[clients.fileno()],
            start_new_session=True,
        )
    _pipes.append(server)  # the server ends when its stdin does


def wait_for_command(
    folder: str, clients: int, prepare: Callable[[], None]
) -> tuple[socket.socket, Request, list[int]]:
    """Serve clients; returns in a fork, what the client asks for and its standard streams.

    Args:
        prepare: is called once, when the libraries are loaded.
    """
    started_in = dict(os.environ)
    with socket.socket(fileno=clients) as server:
        for name in LIBRARIES:
            import_module(name)
        prepare()
        assert not any(name.startswith("xmodal_kedro") for name in sys.modules)
        gc.freeze()  # for the same reason as in `end_after`
        while True:
            ready, _, _ = select.select([server, sys.stdin], [], [], 5)
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if sys.stdin in ready:
                shutil.rmtree(folder, ignore_errors=True)
                Path(f"{folder}.lock").unlink(missing_ok=True)
                sys.exit()
            if server not in ready:
                continue
            client, _ = server.accept()
            request, streams = receive(client)
            variables = [] if request is None else unfit(request.environment, started_in)
            if request is None or variables:
                with Path(f"{folder}{REFUSED}").open("a") as refused:
                    refused.write(f"{' '.join(variables)}\n")
                with suppress(OSError):  # it may be gone
                    client.sendall(b"no\n")
            elif not os.fork():
                # What a library set as it was loaded stays set.
                request.environment |= dict(os.environ.items() - started_in.items())
                return client, request, streams
            client.close()
            for stream in streams:
                os.close(stream)


@dataclass
class Request:
    """What a client asks for.

    Attributes:
        signals: numbers of the signals that the client got before its request was read.
    """

    command: list[str]
    folder: str
    environment: dict[str, str]
    signals: bytes = b""


def receive(client: socket.socket) -> tuple[Request | None, list[int]]:
    """What a client asks for, None if it died over it; and its standard streams."""
    message, streams, _, _ = socket.recv_fds(client, 2**16, 3)
    while message and b"\n" not in message:
        more = client.recv(2**16)
        message = message + more if more else b""
    fields, _, signals = message.partition(b"\n")
    return Request(**json.loads(fields), signals=signals) if message else None, streams


def unfit(environment: Mapping[str, str], started_in: Mapping[str, str]) -> list[str]:
    """Variables of an environment for which libraries are not as they would be, had they been loaded in it."""
    # Of a command that another one runs, such as a stage of DVC, it may have what libraries have set in that one.
    return sorted(
        name
        for name in environment.keys() | started_in.keys()
        if name != "PYTHONPATH"
        and not f"{name}=".startswith(IRRELEVANT)
        and environment.get(name) not in (started_in.get(name), os.environ.get(name))
    )


def supervise(client: socket.socket, command: int, signals: bytes) -> None:
    """Send signals to the command that its client sends or dies of; then send its exit status to the client."""
    ended = os.pidfd_open(command)
    _send(signals, command)
    while ended not in select.select([ended, client], [], [])[0]:
        _send(client.recv(16) or bytes([signal.SIGKILL]), command)
    _, status = os.waitpid(command, 0)
    with suppress(OSError):
        client.sendall(f"{status}\n".encode())


def _send(signals: bytes, command: int) -> None:
    for number in signals:
        try:
            os.killpg(command, number)
        except ProcessLookupError:  # it has no group yet
            os.kill(command, number)


def become(request: Request, streams: list[int]) -> None:
    """Make this process the one that was asked for, up to its program."""
    import numpy

    os.setsid()
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    numpy.random.seed()  # noqa: NPY002  # as in a new process, whose state no other one has
    program, *arguments = request.command
    first = str(Path(program).parent)
    if program == sys.executable:
        first = {"-c": "", "-m": request.folder}[arguments[0]]
    sys.argv = request.command
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [first, *(str(Path(path).absolute()) for path in given if path)]


def main() -> None:
    from forked_workers import fork_workers_of_this_process  # they are beside this file
    from unsynced_sqlite import sync_no_sqlite

    sys.path[0] = str(Path(sys.executable).parent)  # not the folder of this file
    client, request, streams = wait_for_command(sys.argv[1], int(sys.argv[2]), sync_no_sqlite)
    command = os.fork()
    if command:
        for stream in streams:
            os.close(stream)
        supervise(client, command, request.signals)
        os._exit(0)
    client.close()
    end_after(partial(run_command, request, streams, partial(fork_workers_of_this_process, end_after)))


def run_command(request: Request, streams: list[int], fork_workers: Callable[[], object]) -> None:
    """Run what a client asks for in this process; its workers are forked too if it is Kedro."""
    become(request, streams)
    if Path(sys.argv[0]).name == "kedro":
        fork_workers()
    run_program()


def run_program() -> None:
    """Run the program in `sys.argv`: a file, or code or a module that Python is given."""
    if sys.argv[0] != sys.executable:
        runpy.run_path(sys.argv[0], run_name="__main__")
        return
    option, code = sys.argv[1:3]
    sys.argv[:3] = [option]
    if option == "-m":
        runpy.run_module(code, run_name="__main__", alter_sys=True)
    else:
        exec(code, vars(sys.modules["__main__"]))


def end_after(program: Callable[[], object]) -> NoReturn:
    """Run a program as Python does, up to what it wants to be done at its exit; then end this process.

    What is in memory is not deleted: that would copy all pages that the fork shares with the server.
    """
    try:
        program()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
