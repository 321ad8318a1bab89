"""SFTP by fsspec's driver, which gives up a server that does not answer; by itself it would wait for ever."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fsspec.implementations.sftp import SFTPFileSystem

from .network import storage_limits

TIMEOUTS = ("timeout", "banner_timeout", "auth_timeout", "channel_timeout")
"""Of paramiko's `SSHClient.connect`, seconds; a user's own take precedence."""

logging.getLogger("paramiko.transport").setLevel(logging.CRITICAL)  # it logs tracebacks of what it raises as well


class PatientSFTPFileSystem(SFTPFileSystem):
    """fsspec's driver, with the project's limits, which connects again where its connection has ended.

    Args:
        host: of the server.
        silence_s: how long it may be silent; by default as `limit_storage` says.
        options: of paramiko.
    """

    def __init__(self, host: str, *, silence_s: float | None = None, **options: Any) -> None:
        self._silence_s = storage_limits().silence_s if silence_s is None else silence_s
        super().__init__(host, **(dict.fromkeys(TIMEOUTS, self._silence_s) | options))

    def _connect(self) -> None:
        super()._connect()
        self._sftp.get_channel().settimeout(self._silence_s)

    @property
    def ftp(self) -> Any:
        """The connection, which is made anew where the server, or a timeout, has ended it."""
        transport = self.client.get_transport()
        if transport is None or not transport.is_active():
            self._connect()
        return self._sftp

    @ftp.setter
    def ftp(self, connection: Any) -> None:
        self._sftp = connection

    def ls(self, path: str, detail: bool = False) -> Any:
        with self._given_up_in_time():
            return super().ls(path, detail)

    def info(self, path: str, **_: Any) -> Any:
        with self._given_up_in_time():
            return super().info(path)

    def get_file(self, rpath: str, lpath: str, **options: Any) -> None:
        with self._given_up_in_time():
            super().get_file(rpath, lpath, **options)

    @contextmanager
    def _given_up_in_time(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            self.client.close()  # the rest of the answer may still come, and be taken for that to another question
            raise
