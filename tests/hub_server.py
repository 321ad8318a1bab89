"""A hub on the loopback device, for tests: what a download asks of the Hugging Face hub, and what may go wrong."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LATER_COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


@dataclass
class Published:
    """A model on the hub.

    Attributes:
        commits: folder of its files at each commit.
        branches: commit of each branch.
        licence: as its page states it; None if it states none.
        gated: whether its files are for chosen users alone.
        cut: bytes after which the connection breaks, once for each entry, by the name of the file.
        truncated: names of files of which the hub sends all but the last byte, and says that this is all.
    """

    commits: dict[str, Path]
    branches: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})
    licence: str | None = "apache-2.0"
    gated: bool = False
    cut: dict[str, list[int]] = field(default_factory=dict)
    truncated: set[str] = field(default_factory=set)


class Hub(ThreadingHTTPServer):
    """Models by id, and a list of all that was asked."""

    daemon_threads = True

    def __init__(self, models: dict[str, Published]) -> None:
        super().__init__(("127.0.0.1", 0), HubRequest)
        self.models = models
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def elsewhere(self) -> str:
        """The address of weights: another host, as on the hub."""
        return f"http://localhost:{self.server_address[1]}"


class HubRequest(BaseHTTPRequestHandler):
    """Answers which commit a revision is, which files it has, and what is in them."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *_: object) -> None: ...

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path.rpartition("/")[2])
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self._describe("/".join(parts[2:4]), parts[4:], with_body)
        elif parts[2:3] == ["resolve"]:
            self._resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        elif parts[:1] == ["store"]:
            self._send_file("/".join(parts[1:3]), parts[3], "/".join(parts[4:]), with_body)
        else:
            self._refuse(404, "RepoNotFound")

    def _describe(self, model_id: str, asked: list[str], with_body: bool) -> None:
        model = self.server.models.get(model_id)
        if model is None:
            self._refuse(404, "RepoNotFound")
            return
        commit = model.branches.get(asked[1], asked[1])
        if commit not in model.commits:
            self._refuse(404, "RevisionNotFound")
            return
        files = sorted(model.commits[commit].iterdir())
        sizes = {file.name: file.stat().st_size for file in files}
        found: Any = {
            "id": model_id,
            "sha": commit,
            "gated": "manual" if model.gated else False,
            "cardData": {"license": model.licence} if model.licence else None,
            "siblings": [{"rfilename": name, "size": size} for name, size in sizes.items()],
        }
        if asked[0] == "tree":
            found = [{"type": "file", "path": name, "size": size, "oid": name} for name, size in sizes.items()]
        self._send(200, json.dumps(found).encode(), {"Content-Type": "application/json"}, with_body)

    def _resolve(self, model_id: str, revision: str, name: str) -> None:
        """Weights are elsewhere, as on the hub."""
        model = self.server.models[model_id]
        commit = model.branches.get(revision, revision)
        file = model.commits[commit] / name if commit in model.commits else None
        if model.gated:
            self._refuse(403, "GatedRepo")
        elif file is None or not file.is_file():
            self._refuse(404, "RevisionNotFound" if file is None else "EntryNotFound")
        else:
            content = file.read_bytes()
            headers = {"X-Repo-Commit": commit, "X-Linked-Size": str(len(content))}
            headers["ETag"] = headers["X-Linked-ETag"] = f'"{hashlib.sha256(content).hexdigest()}"'
            headers["Location"] = f"{self.server.elsewhere}/store/{model_id}/{commit}/{name}"
            self._send(302, b"", headers, with_body=True)

    def _send_file(self, model_id: str, commit: str, name: str, with_body: bool) -> None:
        model = self.server.models[model_id]
        content = (model.commits[commit] / name).read_bytes()
        first = int(self.headers.get("Range", "bytes=0-").partition("=")[2].partition("-")[0])
        content = content[first : len(content) - (name in model.truncated)]
        cuts = model.cut.get(name, [])
        if not cuts or not with_body:
            self._send(206 if first else 200, content, {"ETag": '"stored"'}, with_body)
            return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: cuts.pop(0)])
        self.close_connection = True

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"", {"X-Error-Code": code}, with_body=True)

    def _send(self, status: int, body: bytes, headers: dict[str, str], with_body: bool) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@contextmanager
def served(models: dict[str, Published]) -> Iterator[Hub]:
    """Serve models until the block ends."""
    with Hub(models) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
