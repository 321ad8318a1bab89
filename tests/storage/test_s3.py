"""S3 as `data_root`: an endpoint that is silent is given up in time, and the line says which, and what sets that."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tests.storage_servers import BUCKET, NOBODY, s3_server
from xmodal_kedro.datasets.atomic import write_json
from xmodal_kedro.datasets.executor import Engine, run_all
from xmodal_kedro.datasets.files import JsonDataset
from xmodal_kedro.storage import Limits, limit_storage, network, s3, storage_limits, storage_of
from xmodal_kedro.storage.patient_body import PatientBody

SILENCE_S = 0.5
KEYS = {"key": "some-key", "secret": "some-secret", "client_kwargs": {"region_name": "eu-west-1"}}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)
    before = storage_limits()
    limit_storage(Limits(silence_s=SILENCE_S))
    yield
    limit_storage(before)


@contextmanager
def silent_server(is_read: bool) -> Iterator[str]:
    """A server that takes connections and never answers; it reads what it is sent, or not even that."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    taken: list[socket.socket] = []

    def drain(connection: socket.socket) -> None:
        with suppress(OSError):
            while connection.recv(1 << 16):
                pass

    def accept() -> None:
        with suppress(OSError):
            while True:
                taken.append(listening.accept()[0])
                if is_read:
                    threading.Thread(target=drain, args=(taken[-1],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        for each in (listening, *taken):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class Halting(BaseHTTPRequestHandler):
    """Promises an object, sends the first bytes of it, and then one more from time to time, or none."""

    protocol_version = "HTTP/1.1"
    size, first, pause_s = 100_000, 1000, 0.0
    requests = 0
    ended = threading.Event()

    def do_HEAD(self) -> None:
        self.send_response(200)
        for name, value in {"Content-Length": self.size, "ETag": '"a"', "Content-Type": "binary/octet-stream"}.items():
            self.send_header(name, str(value))
        self.end_headers()

    def do_GET(self) -> None:
        type(self).requests += 1
        self.do_HEAD()
        self.wfile.write(bytes(self.first))
        while self.pause_s and not self.ended.wait(self.pause_s):
            self.wfile.write(b"a")
        self.ended.wait(60)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def halting_server(pause_s: float = 0.0) -> Iterator[tuple[str, type[Halting]]]:
    """An endpoint that stalls in the middle of each object, or sends a byte after each pause."""

    class Handler(Halting):
        ended = threading.Event()

    Handler.pause_s = pause_s
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # of those who hang up
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", Handler
    finally:
        Handler.ended.set()
        server.shutdown()
        server.server_close()


def _cat(fs: fsspec.AbstractFileSystem, _: Path) -> None:
    fs.cat_file(f"{BUCKET}/a.bin")


def _get(fs: fsspec.AbstractFileSystem, folder: Path) -> None:
    fs.get_file(f"{BUCKET}/a.bin", str(folder / "copy"))


def _read(fs: fsspec.AbstractFileSystem, _: Path) -> None:
    with fs.open(f"{BUCKET}/a.bin", "rb") as stream:
        stream.read()


@pytest.mark.parametrize("read", [_cat, _get, _read])
@pytest.mark.parametrize(
    ("pause_s", "said"),
    [
        (0.0, r"sent nothing more of an answer for 0\.5 s \(`network\.silence_s` in globals\.yml"),
        (0.05, r"sent 1,0\d\d bytes of an answer in 0\.\d+ s \(`network` in globals\.yml"),
    ],
    ids=["stalls", "trickles"],
)
def test_an_answer_that_halts_midway_is_given_up_once(read: Any, pause_s: float, said: str, tmp_path: Path) -> None:
    with halting_server(pause_s) as (address, handler):
        fs = fsspec.filesystem("s3", endpoint_url=address, **KEYS)
        began = time.monotonic()
        with pytest.raises(OSError, match=f"{address} {said}"):
            read(fs, tmp_path)
        assert time.monotonic() - began >= SILENCE_S
        assert handler.requests == 1


class Slow:
    """A stream that takes some time for each byte."""

    def __init__(self, byte_s: float) -> None:
        self.byte_s = byte_s

    async def read(self, size: int) -> bytes:
        await asyncio.sleep(self.byte_s)
        return b"a"


def test_the_time_between_reads_is_not_the_servers() -> None:
    async def read(byte_s: float, between_s: float) -> None:
        body = PatientBody(Slow(byte_s), "some-server", Limits(silence_s=SILENCE_S))
        for _ in range(5):
            await body.read(10)
            await asyncio.sleep(between_s)

    asyncio.run(read(0, SILENCE_S))
    with pytest.raises(OSError, match="some-server sent 3 bytes of an answer in"):
        asyncio.run(read(SILENCE_S / 2.5, 0))


def test_an_error_says_what_was_waited() -> None:
    with silent_server(is_read=True) as address:
        fs = fsspec.filesystem("s3", endpoint_url=address, **KEYS)
        with pytest.raises(OSError, match=r"did not answer for 0\.5 s \("):
            fs.ls(BUCKET)
        with pytest.raises(OSError, match=r"silent just before, did not answer for 0\.05 s either \(a tenth of its"):
            fs.ls(BUCKET)


@pytest.mark.parametrize(("is_read", "size"), [(True, 10), (False, 20 << 20)])
def test_a_silent_endpoint_is_given_up_in_time(is_read: bool, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one request each; what that waited is read in its error, as on a busy machine all takes longer."""
    sent, send = list[str](), s3.PatientSession.send

    async def counted(session: s3.PatientSession, request: Any) -> Any:
        sent.append(request.method)
        return await send(session, request)

    monkeypatch.setattr(s3.PatientSession, "send", counted)
    with silent_server(is_read) as address:
        fs = fsspec.filesystem("s3", endpoint_url=address, **KEYS)
        began = time.monotonic()
        with pytest.raises(OSError, match=rf"{address} did not answer for 0\.5 s \(`network.silence_s` in globals"):
            fs.pipe_file(f"{BUCKET}/a.bin", bytes(size))
        assert time.monotonic() - began >= SILENCE_S
        with pytest.raises(OSError, match=r"silent just before, did not answer for 0\.05 s either"):
            fs.ls(BUCKET)
    assert sent == ["PUT", "GET"]


def test_what_cannot_be_written_is_one_line_with_its_remedy() -> None:
    with silent_server(is_read=True) as address:
        fs = fsspec.filesystem("s3", endpoint_url=address, **KEYS)
        with pytest.raises(
            OSError, match=r"cannot write .*a\.json \(http://127.*did not answer.*\): see that this disk"
        ):
            write_json(fs, f"{BUCKET}/a.json", {})


def test_an_endpoint_that_answers_again_has_all_of_its_time() -> None:
    limit_storage(Limits())
    with s3_server() as options:
        endpoint = options["endpoint_url"]
        fs = fsspec.filesystem("s3", **(KEYS | {"endpoint_url": endpoint}))
        s3._silent_since[endpoint] = time.monotonic()
        fs.pipe_file(f"{BUCKET}/a.bin", b"a")
        assert endpoint not in s3._silent_since
        assert fs.cat_file(f"{BUCKET}/a.bin") == b"a"


def test_a_wait_is_in_the_log_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "SAYS_AFTER_S", 0.1)
    with silent_server(is_read=True) as address, caplog.at_level(logging.WARNING):
        fs = fsspec.filesystem("s3", endpoint_url=address, **KEYS)
        with pytest.raises(OSError, match="did not answer"):
            fs.cat([f"{BUCKET}/{number}" for number in range(5)])
        said = [record.getMessage() for record in caplog.records if "still waiting" in record.getMessage()]
        assert said == [f"{address}: still waiting after 0 s for an answer"]


def test_datasets_of_kedro_have_the_limits_too() -> None:
    with silent_server(is_read=True) as address:
        options: dict[str, Any] = {**KEYS, "endpoint_url": address}
        dataset = JsonDataset(filepath=f"s3://{BUCKET}/a.json", credentials=options)
        began = time.monotonic()
        with pytest.raises(Exception, match="did not answer"):
            dataset.load()
        assert time.monotonic() - began < 4 * SILENCE_S


def _require_limits(limits: Limits) -> None:
    assert storage_limits() == limits
    for fs in (fsspec.filesystem("s3", endpoint_url="http://127.0.0.1:1"), storage_of(f"s3://{BUCKET}/a")[0]):
        assert fs.config_kwargs["read_timeout"] == limits.silence_s


def test_workers_are_as_patient_as_the_driver() -> None:
    tasks = {str(number): partial(_require_limits, Limits(silence_s=SILENCE_S)) for number in range(2)}
    assert not run_all(tasks, Engine(backend="loky", workers=2), "limits")


def test_what_a_user_sets_for_s3_takes_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "OWN_S3_CONFIG", {"read_timeout": 77})
    limit_storage(Limits(silence_s=3))
    set_for_all = fsspec.filesystem("s3", endpoint_url="http://127.0.0.1:2").config_kwargs
    assert (set_for_all["read_timeout"], set_for_all["connect_timeout"]) == (77, 3)
    of_one = fsspec.filesystem("s3", endpoint_url="http://127.0.0.1:2", config_kwargs={"connect_timeout": 5})
    assert of_one.config_kwargs["connect_timeout"] == 5
