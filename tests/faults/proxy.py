"""A proxy on the loopback device before a storage server: on command it breaks connections, refuses or stalls them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

Kind = Literal["", "once", "always", "stalls"]
BLOCK_BYTES = 1 << 16


class Proxy:
    """Forwards connections to a port of this machine, as long as nothing is to fail.

    Args:
        port: of the server.
        begins: whether a fault is due, asked at each block that a client sends.
    """

    def __init__(self, port: int, begins: Callable[[], bool]) -> None:
        self.kind: Kind = ""
        self._server, self._begins = port, begins
        self._failed = False
        self._stop = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def fail(self, kind: Kind) -> None:
        """From the next write of a run on."""
        self.kind, self._failed = kind, False

    def close(self) -> None:
        self._stop.set()
        self._listening.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._server)) as server:
            back = threading.Thread(target=self._forward, args=(server, client, False), daemon=True)
            back.start()
            self._forward(client, server, True)
            back.join()

    def _forward(self, source: socket.socket, target: socket.socket, is_request: bool) -> None:
        with suppress(OSError):
            while block := source.recv(BLOCK_BYTES):
                if is_request and self._is_due():
                    if self.kind == "stalls":
                        self._stop.wait(60)
                    break
                target.sendall(block)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _is_due(self) -> bool:
        if not self.kind or not self._begins() or (self.kind == "once" and self._failed):
            return False
        self._failed = True
        return True
