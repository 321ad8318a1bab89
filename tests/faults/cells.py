"""Cells of the fault matrix: a stage of a small world, a fault, a storage; what a run then says, and what it leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import fsspec
import psutil
import pytest
import yaml
from distributed import Client

from tests.dask_cluster import Cluster, running
from tests.faults import injection
from tests.faults.catalogue import SHOWS, STAGES, Fault
from tests.faults.proxy import Proxy
from tests.faults.results import LAYERS, contents, without_fingerprints
from tests.project import PROJECT, SMALL_WORLD, Project
from tests.storage_servers import BUCKET, s3_server

DISK_MB = 256
SERVING = "    replies: Generator[bytes] | None = None\n"
"""The line with which a decoder process begins to serve."""
WORKING = "            for item in items:\n"
"""The line with which it begins to work on a file."""
DECODER = "xmodal_kedro.media.sandbox.process"
TOO_LONG = 124
"""Exit status of a run that does not end."""
SILENCE_S = 5
"""Of the storage, after which it is given up."""


class Outcome(NamedTuple):
    """What became of a cell.

    Attributes:
        status: exit status of the run with the fault; negative for a signal.
        line: what it said of the fault, without the paths of this machine; empty if it went on unharmed.
        lines: how many lines its error has.
        same: whether the fault came about, no traceback is shown, and another run leaves the bytes of an unbroken run.
    """

    status: int
    line: str
    lines: int
    same: bool

    @property
    def word(self) -> str:
        """What the table has of it."""
        if not self.same:
            return "WRONG"
        if self.status == 0:
            return "goes on"
        return "resumes" if self.status < 0 or self.status == 137 else "fails, resumes"


class World:
    """A small world, as it is before each stage and after all, and servers on which runs of it can fail.

    Args:
        folder: empty, for all of it.
        stack: of servers, which end with it.
        data: what a run of the small world has made, for faults in `ingest` alone; by default the stages are run.
    """

    def __init__(self, folder: Path, stack: ExitStack, data: Path | None = None) -> None:
        self.folder, self._stack = folder, stack
        self.project = Project(folder / "project", SMALL_WORLD)
        self._add_faults()
        self._made = folder / "made"
        if data is None:
            self._run_whole()
            return
        self.project.track_nothing()
        for stage, layers in (("ingest", LAYERS[:1]), ("clip", LAYERS[:2])):
            for layer in layers:
                of_later_stages = shutil.ignore_patterns("benchmarks")
                shutil.copytree(data / layer, folder / f"before-{stage}" / layer, ignore=of_later_stages)

    def run(self, stage: str, fault: Fault) -> Outcome:
        """Run a stage with a fault, and then again without it."""
        number = len(list(self.folder.glob("cell-*")))
        (cell := self.folder / f"cell-{number}").mkdir()
        with ExitStack() as stack:
            place = self._place(stage, fault, cell, stack)
            self._plan(fault, cell)
            self.project.track_nothing()
            if fault.name == "artifacts full":
                self._track(cell / "artifacts")
                injection.fill(cell / "artifacts")
            broken = self._kedro(stage, place, cell)
            happened = self._happened(fault, broken.stdout + broken.stderr)
            status, line, lines = self._said(broken)
            self._mend(cell, fault)
            again = self._kedro(stage, place, cell)
            same = (
                happened
                and broken.returncode != TOO_LONG
                and again.returncode == 0
                and self._same(stage, place)
                and "Traceback" not in broken.stderr
            )
            if not same:
                (self.folder / f"wrong-{number}.log").write_text(
                    f"{stage} {fault}\n{broken.stdout}{broken.stderr}\n--- again\n{again.stdout}{again.stderr}"
                )
        shutil.rmtree(cell, ignore_errors=True)
        cell.mkdir()  # keeps its number
        return Outcome(status, line, lines, same)

    def _place(self, stage: str, fault: Fault, cell: Path, stack: ExitStack) -> str:
        before = self.folder / f"before-{stage}"
        if fault.storage == "S3":
            place = f"s3://{BUCKET}/{cell.name}"
            fsspec.filesystem("s3", **self._s3[0]).put(str(before), f"{BUCKET}/{cell.name}", recursive=True)
            if fault.name == "TMPDIR full":
                stack.enter_context(small_disk(cell / "tmp", 4))
            return place
        root = cell / "data"
        if fault.name in ("data_root full", "read-only"):
            stack.enter_context(small_disk(root, DISK_MB))
        if fault.name == "artifacts full":
            stack.enter_context(small_disk(cell / "artifacts", 4))
        shutil.copytree(before, root, dirs_exist_ok=True)
        if fault.name == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)
        return str(root)

    def _plan(self, fault: Fault, cell: Path) -> None:
        plan: dict[str, str] = {}
        if fault.name.endswith("killed"):
            plan = {"kind": fault.name.split()[0]}
        elif fault.name == "decoder not started":
            plan = {"kind": "start"}
            self._end_decoders()
        elif fault.name == "data_root full":
            plan = {"kind": "full", "disk": str(cell / "data")}
        elif fault.name.startswith("storage"):
            plan = {"kind": "storage"}
            self._s3[1].fail(fault.name.split()[-1])  # type: ignore[arg-type]
        if fault.name == "TMPDIR full":
            injection.fill(cell / "tmp", free=32 << 10)  # Python takes another folder if there is none at all
        if plan:
            (self.project.folder / injection.PLAN.name).write_text(json.dumps(plan))
        self._engine(self._cluster if fault.storage == "Dask" else "")

    def _mend(self, cell: Path, fault: Fault) -> None:
        for name in (injection.PLAN, injection.NOW, injection.ONCE):
            (self.project.folder / name.name).unlink(missing_ok=True)
        if fault.storage == "S3":
            self._s3[1].fail("")
        if fault.name == "read-only":
            subprocess.run(["mount", "-o", "remount,rw", str(cell / "data")], check=True)
        for folder in ("data", "tmp", "artifacts"):
            (cell / folder / "ballast").unlink(missing_ok=True)

    def _happened(self, fault: Fault, said: str) -> bool:
        """Whether the run came to where the fault is: a cell in which nothing broke says nothing."""
        if fault.name in SHOWS:
            return SHOWS[fault.name] in said
        is_once = fault.name.startswith(("worker", "decoder", "data_root"))
        return (self.project.folder / (injection.ONCE if is_once else injection.NOW).name).exists()

    def _kedro(self, stage: str, place: str, cell: Path) -> subprocess.CompletedProcess[str]:
        changed = {"TMPDIR": str(cell / "tmp")} if (cell / "tmp").exists() else {}
        if place.startswith("s3://"):
            options, proxy = self._s3
            changed |= {
                "AWS_ACCESS_KEY_ID": options["key"],
                "AWS_SECRET_ACCESS_KEY": options["secret"],
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}",
                "AWS_DEFAULT_REGION": options["client_kwargs"]["region_name"],
            }
        before = dict(os.environ)
        os.environ.update(changed)
        try:
            return self.project.run(
                "kedro", "run", "--env", "sample", f"--pipelines={stage}", "--params", f"data_root={place}"
            )
        except pytest.fail.Exception as hung:  # one cell costs itself
            return subprocess.CompletedProcess([], TOO_LONG, "", f"Error: {hung}")
        finally:
            os.environ.clear()
            os.environ.update(before)

    def _said(self, run: subprocess.CompletedProcess[str]) -> tuple[int, str, int]:
        shown = run.stdout + run.stderr
        if run.returncode > 0 and run.returncode != 137:
            error = run.stderr[run.stderr.find("Error: ") :].strip().splitlines()
            return run.returncode, self._plain(error[-1] if len(error) > 1 else error[0]), len(error)
        warned = [line for line in shown.splitlines() if " WARNING " in line or " ERROR " in line]
        return run.returncode, self._plain(warned[0].split(maxsplit=2)[2]) if warned else "", len(warned)

    def _plain(self, line: str) -> str:
        return line.replace(str(self.folder), "...").strip()

    def _same(self, stage: str, place: str) -> bool:
        following = STAGES.index(stage) + 1
        wanted = self.folder / f"before-{STAGES[following]}" if following < len(STAGES) else self._made
        reference = contents(str(wanted), {})
        found = contents(place, self._s3[0] if place.startswith("s3://") else {})
        if stage == "embed" and place.startswith("s3://"):
            # The version of a recording, which counts in the fingerprint, is what its storage says: here an ETag.
            return without_fingerprints(found) == without_fingerprints(reference)
        return found == reference

    def _run_whole(self) -> None:
        self.project.track_nothing()
        self._made.mkdir()
        for stage in STAGES:
            shutil.copytree(self._made, self.folder / f"before-{stage}")
            done = self._kedro(stage, str(self._made), self.folder)
            assert done.returncode == 0, done.stderr

    def _track(self, artifacts: Path) -> None:
        settings = {
            "server": {"mlflow_tracking_uri": f"sqlite:///{artifacts.parent}/mlflow.db"},
            "tracking": {"experiment": {"create_experiment_kwargs": {"artifact_location": artifacts.as_uri()}}},
        }
        (self.project.folder / "conf" / "local" / "mlflow.yml").write_text(yaml.safe_dump(settings))

    def _engine(self, scheduler: str) -> None:
        path = self.project.folder / "conf" / "sample" / "globals.yml"
        settings = yaml.safe_load(path.read_text())
        engine = {"backend": "dask" if scheduler else "loky", "workers": 2, "scheduler": scheduler}
        path.write_text(yaml.safe_dump(settings | {"engine": engine, "network": {"silence_s": SILENCE_S}}))

    def _add_faults(self) -> None:
        package = self.project.folder / "src" / "xmodal_kedro"
        shutil.copy(PROJECT / "tests" / "faults" / "injection.py", package / "fault_injection.py")
        load = "from xmodal_kedro import fault_injection\n"
        with (package / "datasets" / "atomic.py").open("a") as code:
            code.write(f"\n\n{load}\nwhole_file = fault_injection.with_fault(whole_file)\n")
        with (package / "settings.py").open("a") as code:
            code.write(f"\n\n{load}\nfault_injection.driver_begins()\n")
        process = package / "media" / "sandbox" / "process.py"
        code = process.read_text()
        assert SERVING in code and WORKING in code
        for line, indent, call in ((SERVING, 4, "decoder_begins"), (WORKING, 16, "decoder_works")):
            added = f"{load}fault_injection.{call}()\n"
            code = code.replace(line, line + textwrap.indent(added, indent * " "))
        process.write_text(code)

    def _end_decoders(self) -> None:
        """Those that workers of the cluster keep, so that new ones must start."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                of_this = process.environ().get("PYTHONPATH", "").startswith(str(self.project.folder))
                if of_this and any(DECODER in part for part in process.cmdline()):
                    process.kill()

    @cached_property
    def _s3(self) -> tuple[dict, Proxy]:
        options = self._stack.enter_context(s3_server())
        options["config_kwargs"] |= {"connect_timeout": 120, "read_timeout": 120}  # of this process, on a busy machine
        now = self.project.folder / injection.NOW.name
        proxy = Proxy(urlsplit(options["endpoint_url"]).port or 0, now.exists)
        self._stack.callback(proxy.close)
        return options, proxy

    @cached_property
    def _cluster(self) -> str:
        cluster: Cluster = self._stack.enter_context(running(self.folder / "cluster"))
        address = cluster.start_scheduler()
        cluster.start_workers(
            "--nworkers", "2", environment={"PYTHONPATH": str(self.project.folder / "src"), "OMP_NUM_THREADS": "1"}
        )
        with Client(address) as client:
            client.wait_for_workers(2, timeout=120)
        return address


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[None]:
    """A disk of a few megabytes in memory, mounted at a folder."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def small_world() -> Iterator[World]:
    """A world in a folder that is removed."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, ExitStack() as stack:
        yield World(Path(folder), stack)
