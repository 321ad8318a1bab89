"""File references: local files are opened in place, remote ones are copied for as long as they are needed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pickle
import socket
import tempfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import fsspec
import pytest

from tests.storage_servers import Flaky, flaky, http_server
from xmodal_kedro.storage import FileRef, Limits, files, local_path, protocol_of, sha256_of, storage_of


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(files, "FETCH_PAUSE_S", 0.001)
    return tmp_path


def remote(content: bytes, size_bytes: int | None = None) -> FileRef:
    fsspec.filesystem("memory").pipe_file("/place/a.mp4", content)
    return FileRef("a.mp4", "memory://place/a.mp4", len(content) if size_bytes is None else size_bytes, 0)


@pytest.mark.parametrize(
    ("address", "protocol"),
    [
        ("s3://bucket/a::b.mp4", "s3"),
        ("S3A://bucket/a", "s3a"),
        ("zip://a.mp4::s3://bucket/x.zip", "zip"),
        ("simplecache::s3://bucket/a.mp4", "simplecache::s3"),
        ("file:///data/a.mp4", "file"),
        ("/data/http://a.mp4", "file"),
        ("a::b.mp4", "file"),
        ("http:b.mp4", "file"),
        ("concat:a|b", "file"),
    ],
)
def test_only_an_address_that_begins_like_a_url_is_one(address: str, protocol: str) -> None:
    assert protocol_of(address) == protocol


def test_a_local_address_is_a_path_with_all_its_colons() -> None:
    assert local_path("file:///data/a::b.mp4") == "/data/a::b.mp4"
    assert local_path("http:b.mp4") == "http:b.mp4"
    assert local_path("s3://bucket/b.mp4") is None


@pytest.mark.parametrize(
    "address", ["zip://a::s3://b/c.zip", "simplecache::s3://b/c", "ftp://host/a", "reference://x", "python://x"]
)
def test_a_protocol_that_is_not_on_the_list_is_refused(address: str) -> None:
    with pytest.raises(PermissionError, match="is not on the list of safe ones"):
        storage_of(address)


def test_a_chain_behind_a_safe_protocol_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "canary").write_text("canary")
    with pytest.raises(FileNotFoundError):
        FileRef("x", f"memory://nothing::file://{tmp_path}/canary", 0, 0).read_bytes()


def test_a_local_file_is_used_where_it_lies(tmp_path: Path, room: Path) -> None:
    (tmp_path / "a::b.mp4").write_bytes(b"here")
    file = FileRef("a::b.mp4", str(tmp_path / "a::b.mp4"), 4, 0)
    with file.fetched() as path:
        assert path == file.path
    assert Path(file.path).exists()


def test_a_remote_file_is_a_copy_with_its_suffix_until_the_block_ends(room: Path) -> None:
    with remote(b"there").fetched() as path:
        assert Path(path).read_bytes() == b"there"
        assert Path(path).suffix == ".mp4"
        assert Path(path).is_relative_to(room)
        assert sha256_of(path) == remote(b"there").sha256 == hashlib.sha256(b"there").hexdigest()
    assert not list(room.iterdir())


def test_a_copy_is_gone_after_an_error(room: Path) -> None:
    with pytest.raises(ZeroDivisionError), remote(b"there").fetched():
        raise ZeroDivisionError
    assert not list(room.iterdir())


def test_a_file_larger_than_a_block_comes_whole(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FETCH_BLOCK_BYTES", 1000)
    content = os.urandom(12_345)
    with remote(content).fetched() as path:
        assert Path(path).read_bytes() == content


def test_a_file_of_another_size_than_listed_is_a_fault(room: Path) -> None:
    with (
        pytest.raises(OSError, match=r"5 bytes .*9 .*memory://place/a.mp4"),
        remote(b"there", 9).fetched(),
    ):
        pass
    assert not list(room.iterdir())


def test_a_file_that_is_gone_is_named(room: Path) -> None:
    gone = FileRef("b", "memory://place/gone.mp4", 5, 0)
    with pytest.raises(FileNotFoundError, match="memory://place/gone.mp4"), gone.fetched():
        pass


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, room: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    file = FileRef("pipe.mp4", str(tmp_path / "pipe.mp4"), 0, 0)
    with pytest.raises(OSError, match="not a regular file"), file.fetched():
        pass
    with pytest.raises(OSError, match="not a regular file"):
        file.read_bytes()


def test_a_download_that_breaks_off_is_tried_again(room: Path) -> None:
    handler = flaky(failures=files.FETCH_ATTEMPTS - 1)
    with http_server(handler) as address, FileRef("a", f"{address}/a.mp4", len(Flaky.content), 0).fetched() as path:
        assert Path(path).read_bytes() == Flaky.content
    assert handler.downloads == files.FETCH_ATTEMPTS


def test_a_download_that_always_breaks_off_ends_in_one_error_that_names_the_address(room: Path) -> None:
    handler = flaky(failures=100)
    with http_server(handler) as address:
        file = FileRef("a", f"{address}/a.mp4", len(Flaky.content), 0)
        with pytest.raises(OSError, match=rf"{address}/a.mp4"), file.fetched():
            pass
    assert handler.downloads == files.FETCH_ATTEMPTS
    assert not list(room.iterdir())


class Endless(BaseHTTPRequestHandler):
    """Sends zeros for as long as they are read, and reports no length."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(bytes(1 << 16))

    def log_message(self, *args: object) -> None:
        pass


def test_a_download_that_does_not_end_is_broken_off_and_not_tried_again(room: Path) -> None:
    with http_server(Endless) as address:
        file = FileRef("a", f"{address}/a.mp4", 0, 0)
        with pytest.raises(OSError, match="it has more than 1,000,000 bytes") as error, file.fetched(1e6):
            pass
    assert error.value.errno == errno.EFBIG
    assert not list(room.iterdir())


def test_a_web_server_that_never_answers_is_given_up(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FETCH_PAUSE_S", 60.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        file = FileRef("a", f"http://{host}:{port}/a.mp4", 0, 0, limits=Limits(silence_s=0.3))
        with pytest.raises(TimeoutError, match="a.mp4"), file.fetched():
            pass


def test_secrets_are_neither_shown_nor_part_of_what_a_file_is_and_reach_workers() -> None:
    with_secret = FileRef("a", "s3://b/a", 1, 2, "v", {"secret": "hush"})
    plain = FileRef("a", "s3://b/a", 1, 2, "v")
    assert "hush" not in repr(with_secret)
    assert with_secret == plain
    assert hash(with_secret) == hash(plain)
    assert with_secret.listing_mark == plain.listing_mark == "a:1:2:v"
    assert pickle.loads(pickle.dumps(with_secret)).storage_options == {"secret": "hush"}
