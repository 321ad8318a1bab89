"""Web servers that trickle, are silent or speak something else are given up in time, and called what they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from tests.storage.test_fetching import Answering, probed, silent_server
from tests.storage_servers import http_server
from xmodal_kedro.datasets.sources import SourcesDataset
from xmodal_kedro.storage import FileRef, files, web


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FETCH_PAUSE_S", 0.001)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http_server(Answering) as address:
        yield address


@contextmanager
def raw_server(first: bytes, pause_s: float = 0.0, rest: bytes = b"") -> Iterator[str]:
    """A server that answers each request with some bytes, and then with others one by one."""

    class Raw(StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.recv(1 << 16)
                self.wfile.write(first)
                for byte in rest:
                    time.sleep(pause_s)
                    self.wfile.write(bytes([byte]))

    with ThreadingTCPServer(("127.0.0.1", 0), Raw) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_header_that_trickles_is_given_up_in_the_time_of_one_that_does_not_come() -> None:
    with raw_server(b"HTTP/1.1 200 OK\r\n", 0.05, b"X-A: b\r\n" * 500) as address:
        source = SourcesDataset(path=f"{address}/a.mp4", network={"silence_s": 0.4})
        with pytest.raises(Exception, match=r"did not answer in 0\.\d+ s"):
            source.load()


def test_a_page_that_trickles_is_given_up() -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n"
    with (
        raw_server(page, 0.05, b" " * 5000) as address,
        pytest.raises(Exception, match=r"sent .* bytes of an answer in"),
    ):
        SourcesDataset(path=f"{address}/folder/", network={"silence_s": 0.4, "slowest_kb_per_s": 1}).load()


def test_what_is_no_http_is_called_so_in_one_line() -> None:
    with raw_server(b"SSH-2.0-OpenSSH_9\r\n\x00hello\r\n\r\n") as address:
        detail = probed(FileRef("a.mp4", f"{address}/a.mp4", 0, 0))["detail"]
    assert "does not speak HTTP" in detail and "\n" not in detail
    with raw_server(b"HTTP/1.1 500 " + b"long " * 1000 + b"\r\n\r\n") as address:
        detail = probed(FileRef("a.mp4", f"{address}/a.mp4", 0, 0))["detail"]
    assert "500 long long" in detail and len(detail) < 300


def test_a_server_that_is_not_secure_is_called_so(server: str) -> None:
    detail = probed(FileRef("a.mp4", f"https{server.removeprefix('http')}/200/a.mp4", 0, 0))["detail"]
    assert "no secure connection to 127.0.0.1:" in detail and "not permitted" not in detail


def test_a_silent_server_holds_up_no_other_and_its_own_files_less_and_less(tmp_path: Path) -> None:
    with silent_server() as one, silent_server() as other:
        rows = [f"{address}/{number}.mp4" for number in range(40) for address in (one, other)]
        (tmp_path / "list.csv").write_text("\n".join(["uri", *rows]))
        began = time.monotonic()
        files = SourcesDataset(path=str(tmp_path / "list.csv"), network={"silence_s": 1.0}).load()
        assert (
            time.monotonic() - began < 6
        )  # with all of the limit for each request, one server after the other, it takes 8 s
    assert len(files) == len(rows)


def test_a_server_that_answers_again_has_all_of_its_time(server: str) -> None:
    web._silent[server] = web.Silence(web.DEAD_AFTER, time.monotonic())
    assert "500" in probed(FileRef("a.mp4", f"{server}/500/a.mp4", 0, 0))["detail"]
    assert server not in web._silent
