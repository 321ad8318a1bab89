"""Real storage servers on the loopback device, for tests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

import fsspec
import pytest
from moto.server import ThreadedMotoServer

BUCKET = "recordings"

NOBODY = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
}
"""Environment in which no account or proxy of this machine is used."""


@contextmanager
def s3_server() -> Iterator[dict[str, Any]]:
    """An S3 server with an empty bucket; yields options of s3fs for it, without retries."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = {
        "key": "some-key",
        "secret": "some-secret",
        "endpoint_url": f"http://{host}:{port}",
        "client_kwargs": {"region_name": "eu-west-1"},
        "config_kwargs": {"retries": {"max_attempts": 0}},
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, value in NOBODY.items():
            environment.setenv(name, value)
        # All moto servers in a process share their content.
        urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
        fsspec.filesystem("s3", **options).mkdir(BUCKET)
        try:
            yield options
        finally:
            server.stop()


class Flaky(BaseHTTPRequestHandler):
    """Serves `content`, but breaks off half-way for the first `failures` requests."""

    content = bytes(range(256)) * 400
    failures = 0
    downloads = 0

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()

    def do_GET(self) -> None:
        type(self).downloads += 1
        self.do_HEAD()
        broken = self.downloads <= self.failures
        self.wfile.write(self.content[: len(self.content) // 2] if broken else self.content)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def http_server(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """An HTTP server; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    with pytest.MonkeyPatch.context() as environment:
        for name, value in NOBODY.items():
            environment.setenv(name, value)
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def flaky(failures: int) -> type[Flaky]:
    """A handler whose first `failures` requests fail."""
    return type("FlakyTimes", (Flaky,), {"failures": failures, "downloads": 0})
