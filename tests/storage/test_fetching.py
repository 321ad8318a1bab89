"""A copy of a remote file fails with the reason as it is, in time, and waits for room that others give back."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pyarrow as pa
import pytest

from tests.project import PROJECT
from tests.storage_servers import NOBODY, http_server
from xmodal_kedro.datasets.sources import SourcesDataset
from xmodal_kedro.errors import MachineError
from xmodal_kedro.media.probe import SourceFile, probe_shard
from xmodal_kedro.params import IngestParams
from xmodal_kedro.storage import FileRef, Limits, fetching, files, network

QUICK = Limits(silence_s=0.4, slowest_kb_per_s=1)


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    monkeypatch.setattr(files, "FETCH_PAUSE_S", 0.001)
    monkeypatch.setattr(fetching, "LOOKS_EVERY_S", 0.01)
    return room


def probed(file: FileRef) -> dict[str, Any]:
    """The row of a source in `probes`."""
    table: pa.Table = probe_shard((SourceFile(file),), IngestParams())
    (row,) = table.to_pylist()
    return row


class Answering(BaseHTTPRequestHandler):
    """A server of one kind for each folder."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        kind = self.path.split("/")[1]
        if kind == "circle":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif kind == "dripping":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            with suppress(OSError):
                while body:
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.05)
        else:
            self.send_error(int(kind))

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http_server(Answering) as address:
        yield address


@pytest.fixture
def refusing() -> str:
    """Address of a port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@contextmanager
def silent_server() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("circle", "circle"),
        ("500", "500"),
        ("403", "403"),
        ("404", "No such file"),
        ("dripping", r"bytes came in 0\.4 s"),
    ],
)
def test_the_reason_is_that_of_the_server(server: str, kind: str, said: str) -> None:
    limits = QUICK if kind == "dripping" else Limits()  # on a busy machine, a prompt answer is no quick one
    row = probed(FileRef("a.mp4", f"{server}/{kind}/a.mp4", 0, 0, limits=limits))
    assert row["reason"] == "unreadable"
    assert (said in row["detail"]) if "\\" not in said else "bytes came in 0.4 s" in row["detail"]


def test_a_refused_port_and_a_silent_server_are_called_so(refusing: str) -> None:
    assert "refused" in probed(FileRef("a.mp4", f"{refusing}/a.mp4", 0, 0))["detail"]
    with silent_server() as address:
        began = time.monotonic()
        row = probed(FileRef("a.mp4", f"{address}/a.mp4", 0, 0, limits=QUICK))
        assert time.monotonic() - began < 10
    assert row["reason"] == "unreadable"
    assert "bytes came in" in row["detail"] or "not answer" in row["detail"]


@pytest.mark.parametrize("place", ["a.mp4", "folder/", "list.csv"])
def test_a_source_that_cannot_be_reached_is_no_missing_file(refusing: str, place: str) -> None:
    with pytest.raises(Exception, match="refused"):
        SourcesDataset(path=f"{refusing}/{place}").load()


def test_a_folder_that_is_not_listed_for_now_does_not_take_its_files_away() -> None:
    class Page(Answering):
        def do_GET(self) -> None:
            if self.path == "/":
                content = b'<a href="one/">one/</a> <a href="two/">two/</a> <a href="gone/">gone/</a>'
            elif self.path == "/one/":
                content = b'<a href="a.mp4">a.mp4</a>'
            else:
                self.send_error(404 if self.path == "/gone/" else 503)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_HEAD = do_GET

    with http_server(Page) as address, pytest.raises(Exception, match="503"):
        SourcesDataset(path=f"{address}/").load()


def test_an_s3_endpoint_that_does_not_answer_is_given_up_after_a_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(fetching, "SAYS_AFTER_S", 0.2)
    with silent_server() as address:
        options = {"key": "some-key", "secret": "some-secret", "endpoint_url": address}
        row = probed(FileRef("a.mp4", "s3://bucket/a.mp4", 1000, 0, "", options, QUICK))
    assert row["reason"] == "unreadable"
    assert "0 bytes came in 0.4 s" in row["detail"]
    lines = [record.getMessage() for record in caplog.records if "still being fetched" in record.getMessage()]
    assert len(lines) == 1 and "a.mp4" in lines[0] and "of 1,000" in lines[0]


def test_a_listing_that_takes_long_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(network, "SAYS_AFTER_S", 0.1)
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)
    with silent_server() as address, pytest.raises(Exception, match=r"cannot list"):
        SourcesDataset(path=f"{address}/a.mp4", network={"silence_s": 0.4}).load()
    assert any("still waiting" in record.getMessage() for record in caplog.records)


def test_a_fast_file_is_not_given_up_however_long_it_takes() -> None:
    def get(copy: str, callback: Any) -> None:
        with Path(copy).open("wb") as stream:
            for _ in range(12):
                stream.write(bytes(2000))
                stream.flush()
                callback.relative_update(2000)
                time.sleep(0.1)

    with fetching.folder_for_copy() as folder:
        fetching.fetch(get, folder / "copy", 0, QUICK, "a.mp4")
        assert (folder / "copy").stat().st_size == 24_000


def remote(content: bytes, name: str = "a.mp4") -> FileRef:
    fsspec.filesystem("memory").pipe_file(f"/place/{name}", content)
    return FileRef(name, f"memory://place/{name}", len(content), 0)


def free_space(monkeypatch: pytest.MonkeyPatch, free: list[int]) -> None:
    """What is free in `TMPDIR` each time that it is looked at; the last number stays."""
    monkeypatch.setattr(
        fetching.shutil, "disk_usage", lambda _: SimpleNamespace(free=free.pop(0) if len(free) > 1 else free[0])
    )


def test_a_full_tmpdir_fails_the_shard_and_is_not_written_down_against_the_file(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_space(monkeypatch, [1000])
    with pytest.raises(MachineError, match="TMPDIR") as raised:
        probed(remote(bytes(5000)))
    for part in (str(room), "a.mp4", "5,000 bytes", "1,000 are free"):
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not list(room.iterdir())


def test_a_disk_that_fills_up_while_a_file_comes_is_the_machines_fault(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(self: FileRef, copy: str, callback: Any) -> None:
        with Path("/dev/full").open("wb", buffering=0) as stream:  # a disk without room
            stream.write(b"bytes")

    monkeypatch.setattr(FileRef, "_get", get)
    for size in (0, 5):
        with pytest.raises(MachineError, match="TMPDIR"):
            probed(FileRef("a.mp4", "memory://place/a.mp4", size, 0))
    assert not list(room.iterdir())


def test_a_disk_that_holds_no_file_so_large_is_the_machines_fault(room: Path) -> None:
    """By the system's limit of a process, which Python takes as an error and not as a signal."""
    code = (
        "import resource, sys, tempfile; from tests.storage.test_fetching import probed, remote\n"
        f"tempfile.tempdir = {str(room)!r}\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "probed(remote(bytes(300_000)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, check=False)
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("xmodal_kedro.errors.MachineError")]
    for part in ("TMPDIR", "a.mp4", "File too large", "300,000 bytes", "ulimit -f"):
        assert part in error


def test_room_that_another_copy_holds_is_waited_for(
    room: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free, ended = [100], threading.Event()
    free_space(monkeypatch, free)

    def hold() -> None:
        with fetching.folder_for_copy():
            ended.wait(10)
            free[:] = [10_000]

    other = threading.Thread(target=hold)
    other.start()
    while other.is_alive() and not list(room.iterdir()):
        time.sleep(0.01)
    threading.Timer(0.3, ended.set).start()
    with remote(bytes(5000)).fetched() as path:
        assert ended.is_set()
        assert Path(path).stat().st_size == 5000
    other.join()
    assert [record.levelno for record in caplog.records if "waits for room" in record.getMessage()] == [logging.WARNING]


def test_what_a_killed_process_left_is_removed_where_room_is_wanted(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import os, signal, tempfile; from xmodal_kedro.storage.fetching import folder_for_copy\n"
        f"tempfile.tempdir = {str(room)!r}\nwith folder_for_copy(): os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(room.iterdir())) == 1
    free_space(monkeypatch, [100])
    with pytest.raises(MachineError):
        probed(remote(bytes(5000)))
    assert not list(room.iterdir())


def test_a_tmpdir_that_is_gone_is_named(room: Path) -> None:
    room.rmdir()
    with pytest.raises(MachineError, match=str(room)):
        probed(remote(b"there"))


def test_too_many_open_files_are_not_the_files_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("xmodal_kedro.media.probe.isolated", refuse)
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(OSError, match="Too many open files"):
        probed(FileRef("a.mp4", str(tmp_path / "a.mp4"), 1, 0))
