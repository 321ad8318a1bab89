"""No secret that a user gives to a run is in anything that the run leaves or prints."""

from __future__ import annotations

import os
import shutil
import subprocess
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.dask_cluster import running
from tests.media.synthetic import CODINGS, write_media
from tests.project import Project
from tests.storage_servers import http_server

MARKER = "markerofasecret"
"""Every secret begins with it, and ends in where it was given."""


class Guarded(SimpleHTTPRequestHandler):
    """Serves a folder to those who know the key. It refuses `closed.mp4`, and says why with all that it was sent."""

    folder: str
    served: set[str]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, directory=self.folder)

    def send_head(self) -> Any:
        known = self.headers.get("X-Api-Key", "").startswith(MARKER)
        if not known or "closed" in self.path:
            self.send_error(403, f"{self.headers.get('Authorization')} {self.headers.get('X-Api-Key')} {self.path}")
            return None
        self.served.add(self.path)
        return super().send_head()

    def log_message(self, *args: object) -> None:
        pass


@pytest.mark.parametrize(
    "engine",
    ["threading", pytest.param("loky", marks=pytest.mark.faults), pytest.param("dask", marks=pytest.mark.faults)],
)
def test_no_secret_is_left_or_printed(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "served").mkdir()
    write_media(tmp_path / "served" / "a.mp4", CODINGS[0], duration_s=6.0)
    shutil.copy(tmp_path / "served" / "a.mp4", tmp_path / "served" / "closed.mp4")
    project = Project(tmp_path / "project")
    git = ["git", "-C", str(project.folder), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["remote", "add", "origin", f"https://me:{MARKER}-git@host/x"], ["add", "src"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    served: set[str] = set()
    handler = type("GuardedFolder", (Guarded,), {"folder": str(tmp_path / "served"), "served": served})
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{MARKER}-aws")
    monkeypatch.setenv("HF_TOKEN", f"{MARKER}-hub")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", f"{MARKER}-tracking")
    with http_server(handler) as address, running(tmp_path / "cluster") as cluster:
        host = urlsplit(address).netloc
        local = project.folder / "conf" / "local"
        keys = {"headers": {"X-Api-Key": f"{MARKER}-key"}, "params": {"token": f"{MARKER}-params"}}
        secrets = {"sources": {"http": {host: keys}, "s3": {"key": f"{MARKER}-s3", "secret": f"{MARKER}-s3-2"}}}
        (local / "credentials.yml").write_text(yaml.safe_dump(secrets))
        rows = [
            f"http://me:{MARKER}-row@{host}/a.mp4",
            f"{address}/a.mp4?X-Amz-Signature={MARKER}-signed",
            f"{address}/a.mp4?X-Amz-Signature={MARKER}-signed-too",
            f"http://me:{MARKER}-refused@{host}/closed.mp4?token={MARKER}-refused-too",
            f"http://me:{MARKER}-gone@127.0.0.1:9/b.mp4",
            f"s3://{MARKER}-user:{MARKER}-pass@bucket/b.mp4",
        ]
        (tmp_path / "served" / "list.csv").write_text("\n".join(["uri,licence", *(f"{row},CC0" for row in rows)]))
        (project.folder / "conf" / "base" / "globals.yml").write_text(
            (project.folder / "conf" / "base" / "globals.yml")
            .read_text()
            .replace("backend: auto", f"backend: {engine}")
        )
        if engine == "dask":
            monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.start_scheduler())
            source = os.pathsep.join([str(project.folder / "src"), str(project.folder)])
            cluster.start_workers("--nworkers", "1", environment={"PYTHONPATH": source})
        source = f"http://me:{MARKER}-source@{host}/list.csv?token={MARKER}-query"
        pipelines = "ingest" if engine == "threading" else "ingest,clip"
        run = [
            "kedro",
            "run",
            "--env",
            "onnx",
            f"--pipelines={pipelines}",
            "--params",
            f"source={source},data_root=out",
        ]
        done = project.run(*run)
        assert done.returncode == 0, done.stderr
        wrong = project.run(*[part.replace("list.csv", "closed.csv") for part in run], "--verbose")
        assert wrong.returncode == 1
        (local / "mlflow.yml").write_text(
            yaml.safe_dump({"server": {"mlflow_tracking_uri": f"http://me:p/@{MARKER}-store@127.0.0.1:9/?x={MARKER}"}})
        )
        unreachable = project.run(*run)
        assert unreachable.returncode == 1
    assert any("a.mp4" in path for path in served)  # the key was sent
    for process in (done, wrong, unreachable):
        assert MARKER not in process.stdout + process.stderr
    (local / "credentials.yml").unlink()
    (local / "mlflow.yml").unlink()
    left = [path for place in (project.folder, tmp_path / "cluster") for path in place.rglob("*") if path.is_file()]
    assert {"mlflow.db", "videos.parquet", "rejected_videos.parquet"} <= {path.name for path in left}
    found = [path for path in left if path.name != "config" and MARKER.encode() in path.read_bytes()]
    assert not found
