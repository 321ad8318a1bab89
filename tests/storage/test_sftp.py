"""SFTP: a server that does not answer is given up, and a connection that has ended is made anew."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fsspec.registry import _registry

from xmodal_kedro.storage import Limits, storage_of

SILENCE_S = 0.5


class Transport:
    active = True

    def is_active(self) -> bool:
        return self.active


class Channel:
    timeout: float | None = None

    def settimeout(self, seconds: float) -> None:
        self.timeout = seconds


class Connection:
    """Of paramiko: an `SFTPClient` that answers once, and not a second time."""

    def __init__(self) -> None:
        self.channel, self.answers = Channel(), 1

    def get_channel(self) -> Channel:
        return self.channel

    def listdir_iter(self, path: str) -> list[Any]:
        self.answers -= 1
        if self.answers < 0:
            raise TimeoutError
        return []


class Client:
    """Of paramiko: an `SSHClient`."""

    made: list[Client]

    def __init__(self) -> None:
        self.made.append(self)
        self.transport, self.options = Transport(), dict[str, Any]()

    def set_missing_host_key_policy(self, policy: Any) -> None:
        pass

    def connect(self, host: str, **options: Any) -> None:
        self.options = options

    def open_sftp(self) -> Connection:
        return Connection()

    def get_transport(self) -> Transport:
        return self.transport

    def close(self) -> None:
        self.transport.active = False


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Client]]:
    """Connections that are made by a stand-in for paramiko, which is no dependency."""
    stand_in, made = ModuleType("paramiko"), list[Client]()
    policy = type("MissingHostKeyPolicy", (), {})
    for name in ("AutoAddPolicy", "RejectPolicy", "WarningPolicy", "MissingHostKeyPolicy"):
        setattr(stand_in, name, policy)
    stand_in.SSHClient = type("SSHClient", (Client,), {"made": made})  # type: ignore[attr-defined]
    drivers = ("fsspec.implementations.sftp", "xmodal_kedro.storage.sftp")
    for name in ("paramiko", *drivers):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "paramiko", stand_in)
    _registry.pop("sftp", None)  # it is imported anew
    yield made
    _registry.pop("sftp", None)
    for name in drivers:
        sys.modules.pop(name, None)


def test_every_wait_has_the_projects_limit_unless_a_user_sets_one(clients: list[Client]) -> None:
    fs, path = storage_of("sftp://me@host/a/b", {"banner_timeout": 77}, Limits(silence_s=SILENCE_S))
    assert path == "/a/b"
    (client,) = clients
    waits = {name: seconds for name, seconds in client.options.items() if name.endswith("timeout")}
    others = dict.fromkeys(("timeout", "auth_timeout", "channel_timeout"), SILENCE_S)
    assert waits == others | {"banner_timeout": 77}
    assert fs.ftp.get_channel().timeout == SILENCE_S


def test_after_a_timeout_another_connection_is_made(clients: list[Client]) -> None:
    fs, path = storage_of("sftp://me@host/a/c", {}, Limits(silence_s=SILENCE_S))
    assert fs.ls(path) == []
    with pytest.raises(TimeoutError):
        fs.ls(path)
    assert fs.ls(path) == []
    assert len(clients) == 2
    assert fs.ftp.get_channel().timeout == SILENCE_S


@pytest.fixture
def stalled_server(tmp_path: Path) -> Iterator[str]:
    """A real server that lists no folder; where paramiko is installed."""
    pytest.importorskip("paramiko")
    asyncssh = pytest.importorskip("asyncssh")
    ready, loop = threading.Event(), asyncio.new_event_loop()
    address: list[str] = []

    class Anybody(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return False

    class Stalling(asyncssh.SFTPServer):
        async def scandir(self, path: bytes) -> Any:
            await asyncio.sleep(60)
            yield

    def stalling(channel: Any) -> Any:
        return Stalling(channel, str(tmp_path))

    async def serve() -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        server = await asyncssh.create_server(
            Anybody,
            "127.0.0.1",
            0,
            server_host_keys=[key],
            sftp_factory=stalling,
        )
        address.append(f"sftp://me:some-password@127.0.0.1:{server.sockets[0].getsockname()[1]}")
        ready.set()

    loop.create_task(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    assert ready.wait(30)
    yield address[0]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def test_a_real_server_that_stalls_is_given_up(stalled_server: str, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"bytes")
    fs, _ = storage_of(f"{stalled_server}/a.wav", {}, Limits(silence_s=SILENCE_S))
    with pytest.raises(TimeoutError):
        fs.ls("/")
    assert fs.info("/a.wav")["size"] == len(b"bytes")
