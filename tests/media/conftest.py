"""Fixtures of the tests of hostile files."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.media.baits import Bait
from tests.media.synthetic import CODINGS, write_media

IN_ACCESS, IN_OPEN = 0x1, 0x20


@pytest.fixture(scope="module")
def canary(tmp_path_factory) -> Path:
    return write_media(tmp_path_factory.mktemp("secrets") / "canary.ts", CODINGS[5], 1.0)


@pytest.fixture
def bait(canary) -> Iterator[Bait]:
    if sys.platform != "linux":
        pytest.skip("inotify, which sees who reads a file, is Linux's")
    libc = ctypes.CDLL(None, use_errno=True)
    notes = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert libc.inotify_add_watch(notes, os.fsencode(canary), IN_ACCESS | IN_OPEN) > 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield Bait(canary, listener.getsockname()[1], notes, listener)
    os.close(notes)
