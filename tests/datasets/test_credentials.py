"""Secrets of a server go to that server, and to no other that a manifest, a page or a redirect names."""

from __future__ import annotations

import base64
import logging
import pickle
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.storage_servers import http_server
from xmodal_kedro.datasets.credentials import options_for, require_bound
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.sources import SourcesDataset

SECRET = "marker-of-a-secret"
SECRETS = {"headers": {"X-Api-Key": SECRET}, "cookies": {"session": SECRET}, "auth": ["user", SECRET]}
BASIC = "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode()


class Recording(BaseHTTPRequestHandler):
    """Answers every request with a few bytes, or sends it on, and keeps the headers of all."""

    headers_of: list[dict[str, str]]
    elsewhere = ""

    def do_HEAD(self) -> None:
        type(self).headers_of.append(dict(self.headers))
        if self.elsewhere:
            self.send_response(302)
            self.send_header("Location", self.elsewhere + self.path)
        else:
            self.send_response(200)
        self.send_header("Content-Length", "0" if self.elsewhere else "5")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(b"" if self.elsewhere else b"bytes")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def servers() -> Iterator[list[tuple[str, type[Recording]]]]:
    """Addresses of two servers, and what they were asked."""
    handlers = [type(name, (Recording,), {"headers_of": []}) for name in ("One", "Other")]
    with http_server(handlers[0]) as one, http_server(handlers[1]) as other:
        yield [(one, handlers[0]), (other, handlers[1])]


def of_host(address: str) -> dict[str, Any]:
    return {"http": {urlsplit(address).netloc: SECRETS}}


def test_a_manifest_sends_the_secrets_of_one_server_to_no_other(
    servers: list[tuple[str, type[Recording]]], tmp_path: Path
) -> None:
    (one, asked), (other, asked_too) = servers
    (tmp_path / "list.csv").write_text(f"uri\n{one}/a.wav\n{other}/b.wav\n")
    folder = SourcesDataset(path=str(tmp_path / "list.csv"), credentials=of_host(one)).load()
    for file in folder.values():
        assert pickle.loads(pickle.dumps(file)).read_bytes() == b"bytes"  # a worker gets it so
    for headers in asked.headers_of:
        assert (headers["X-Api-Key"], headers["Authorization"]) == (SECRET, BASIC)
        assert headers["Cookie"] == f"session={SECRET}"
    assert len(asked_too.headers_of) >= 2
    assert SECRET not in repr(asked_too.headers_of)
    assert BASIC not in repr(asked_too.headers_of)


def test_a_redirect_takes_no_secrets_along(servers: list[tuple[str, type[Recording]]]) -> None:
    (one, asked), (other, asked_too) = servers
    asked.elsewhere = other
    folder = SourcesDataset(path=f"{one}/a.wav", credentials=of_host(one)).load()
    assert folder["a.wav"].read_bytes() == b"bytes"
    assert SECRET in repr(asked.headers_of)
    assert asked_too.headers_of
    assert SECRET not in repr(asked_too.headers_of)
    assert BASIC not in repr(asked_too.headers_of)


def test_two_secrets_of_one_server_are_not_mistaken_for_each_other(servers: list[tuple[str, type[Recording]]]) -> None:
    (one, asked), _ = servers
    for key in ("first-key", "second-key"):
        options = {"http": {urlsplit(one).netloc: {"client_kwargs": {"headers": {"X-Api-Key": key}}}}}
        SourcesDataset(path=f"{one}/a.wav", credentials=options).load()
        assert asked.headers_of[-1]["X-Api-Key"] == key


@pytest.mark.parametrize(
    ("address", "named", "given"),
    [
        ("https://files.example.org/a", "files.example.org", True),
        ("https://Files.Example.org:443/a", "files.example.org", True),
        ("https://files.example.org:8443/a", "files.example.org", False),
        ("https://files.example.org:8443/a", "files.example.org:8443", True),
        ("https://files.example.org@evil.example/a", "files.example.org", False),
        ("https://evil.example/files.example.org/a", "files.example.org", False),
        ("https://files.example.org.evil.example/a", "files.example.org", False),
        ("https://[::1]:8443/a", "[::1]:8443", True),
        ("sftp://files.example.org/a", "files.example.org", True),
        ("sftp://me@files.example.org:22/a", "files.example.org", True),
        ("sftp://evil.example/a", "files.example.org", False),
        ("hdfs://files.example.org/a", "files.example.org:8020", True),
    ],
)
def test_options_are_those_of_host_and_port(address: str, named: str, given: bool) -> None:
    protocol = address.partition(":")[0]
    options = {"password": SECRET}
    assert options_for(address, {protocol: {named: options}}) == (options if given else {})
    other = "http" if protocol == "https" else "https"
    assert options_for(address, {other: {named: options}}) == {}


def test_a_server_at_another_port_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        options_for("http://127.0.0.7:8123/a", {"http": {"127.0.0.7": SECRETS}})
    (message,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert "127.0.0.7:8123" in message


def test_no_warning_where_both_ports_are_named(caplog: pytest.LogCaptureFixture) -> None:
    named = {"http": {"127.0.0.8:8001": {"headers": {"X": "one"}}, "127.0.0.8:8002": {"headers": {"X": "two"}}}}
    assert options_for("http://127.0.0.8:8002/a", named) == {"headers": {"X": "two"}}
    assert not caplog.records


def test_keys_of_azure_go_to_their_account() -> None:
    options = {"account_name": "mine", "account_key": SECRET}
    credentials = {"abfs": options}
    assert options_for("abfs://box/a", credentials) == options
    assert options_for("abfs://box@mine.dfs.core.windows.net/a", credentials) == options
    assert options_for("abfs://box@theirs.dfs.core.windows.net/a", credentials) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"http": {"headers": {"X-Api-Key": SECRET}}},
        {"https": {"client_kwargs": {"headers": {"X-Api-Key": SECRET}}}},
        {"sftp": {"username": "me", "password": SECRET}},
        {"sftp": {"files.example.org": {"host": "other.example.org", "password": SECRET}}},
        {"http": {"http://files.example.org/": {"headers": {"X-Api-Key": SECRET}}}},
    ],
)
def test_options_for_every_host_are_refused_without_showing_them(wrong: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="such as") as raised:
        require_bound(wrong)
    assert next(iter(wrong)) in str(raised.value)
    assert SECRET not in str(raised.value)
