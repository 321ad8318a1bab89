"""One run at a time writes a dataset: who writes where is noted below `data_root`, for runs of all machines to see.

A run writes its note, then looks at those of others: of two that begin together, at least one sees the other. No clock
of another machine is trusted, and no lock of the storage is needed: a note that is not renewed while it is watched is
that of a run that was killed.
"""

from __future__ import annotations

import atexit
import getpass
import logging
import os
import platform
import posixpath
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import click
import psutil
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from xmodal_kedro.datasets.atomic import is_local, read_json, write_json
from xmodal_kedro.datasets.content import place_of
from xmodal_kedro.hooks.command import typed_command
from xmodal_kedro.hooks.data_root import data_root
from xmodal_kedro.masking import masked
from xmodal_kedro.storage import local_path, storage_of

logger = logging.getLogger(__name__)

FOLDER = ".runs"
RENEWED_EVERY_S = 15.0
SILENCE_S = 90.0
"""A note of another machine that is not renewed for so long is that of a run that is no more."""
LOOKS_EVERY_S = 0.5
CLAIMING, RUNNING = "claiming", "running"
Note = dict[str, Any]


class RunLock:
    """The note of a run that writes some datasets.

    Args:
        root: folder or URL that all runs see.
        places: of the datasets that are written.
        group: runs of one group write the same on purpose, such as a training on several machines; empty for none.
    """

    def __init__(self, root: str, places: set[str], group: str = "") -> None:
        self._fs, folder = storage_of(root)
        self._folder = posixpath.join(folder, FOLDER)
        self._id = uuid.uuid4().hex
        self._path = posixpath.join(self._folder, f"{self._id}.json")
        self._root = root
        self._places = {place_below(root, place): place for place in places}
        self._ended = threading.Event()
        self._writing = threading.Lock()
        self._note: Note = {
            "id": self._id,
            "state": CLAIMING,
            "places": sorted(self._places),
            "group": group,
            "host": platform.node(),
            "machine": _machine(),
            "process": os.getpid(),
            "process_began": psutil.Process().create_time(),
            "user": _user(),
            "began": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": typed_command() or "a run from Python",
        }

    def take(self) -> None:
        """Note the run, as soon as no other writes the same.

        Raises:
            click.ClickException: naming the other run.
        """
        self._write()
        try:
            self._wait_for_others()
            self._note["state"] = RUNNING
            self._write()
        except BaseException:
            self.release()
            raise
        threading.Thread(target=self._renew, name="renew-lock", daemon=True).start()
        atexit.register(self.release)

    def release(self) -> None:
        """The run has ended."""
        self._ended.set()
        atexit.unregister(self.release)
        with (
            self._writing,
            suppress(Exception),
        ):  # such as of storage that is gone: the note is recognised as that of a run that ended
            if self._fs.exists(self._path):
                self._fs.rm_file(self._path)
            if is_local(self._fs):
                Path(self._folder).rmdir()

    def _wait_for_others(self) -> None:
        watched: dict[str, tuple[Note, float]] = {}
        while others := self._others():
            for path, note in others.items():
                if _is_dead(note):
                    self._forget(path, note)
                    continue
                before, since = watched.setdefault(path, (note, time.monotonic()))
                is_here = note.get("machine") == self._note["machine"]
                if note["state"] == RUNNING and (is_here or note != before):
                    raise self._refusal(path, note)
                if note["state"] == CLAIMING and note["id"] < self._id:
                    raise self._refusal(path, note)
                if time.monotonic() - since > SILENCE_S:
                    self._forget(path, note)
                elif before is note and not is_here:
                    logger.info("%s: waiting to see whether it still runs", _describe(note))
            time.sleep(LOOKS_EVERY_S)
            self._write()

    def _others(self) -> dict[str, Note]:
        """Notes of other runs that write the same, by path."""
        self._fs.invalidate_cache(self._folder)
        found = {}
        for path in self._fs.ls(self._folder, detail=False):
            if path.endswith(".json") and posixpath.basename(path) != f"{self._id}.json":
                note = self._read(path)
                same_group = note is not None and note["group"] and note["group"] == self._note["group"]
                if note is not None and not same_group and {*note["places"]} & {*self._note["places"]}:
                    found[path] = note
        return found

    def _read(self, path: str) -> Note | None:
        try:
            note = read_json(self._fs, path)
            return note if {"id", "state", "places", "group", "host", "process"} <= note.keys() else None
        except (OSError, ValueError, AttributeError):  # it has ended, or is no note
            return None

    def _forget(self, path: str, note: Note) -> None:
        logger.info("%s: it was killed, and this run goes on from what it finished", _describe(note))
        with suppress(FileNotFoundError):
            self._fs.rm_file(path)

    def _refusal(self, path: str, note: Note) -> click.ClickException:
        place = self._places[min({*note["places"]} & self._places.keys())]
        return click.ClickException(
            f"another run writes to {masked(self._root)}, such as {masked(place)}: {_describe(note)}; wait until it "
            f"ends, or set another --params data_root=FOLDER (if nothing of it runs any more, remove {path})"
        )

    def _write(self) -> None:
        self._note["renewed"] = self._note.get("renewed", 0) + 1
        try:
            write_json(self._fs, self._path, self._note)
        except FileNotFoundError:  # another run has ended, and removed the empty folder
            write_json(self._fs, self._path, self._note)

    def _renew(self) -> None:
        while not self._ended.wait(RENEWED_EVERY_S):
            try:
                with self._writing:
                    if not self._ended.is_set():
                        self._write()
            except Exception as error:  # drivers of storage have errors of their own
                logger.warning("the note of this run cannot be renewed (%s)", masked(str(error)))


class RunLockHooks:
    """Lets one run at a time write a dataset.

    Raises:
        click.ClickException: another run writes the same.
    """

    def __init__(self) -> None:
        self._root: str | None = None
        self._lock: RunLock | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._end()  # in a notebook, the process outlives a run
        self._root = data_root(context)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        places = {place_of(catalog[name]) for name in pipeline.all_outputs() if name in catalog} - {""}
        if self._root and places:
            self._lock = RunLock(self._root, places, _group(pipeline, catalog))
            self._lock.take()

    @hook_impl
    def after_pipeline_run(self) -> None:
        self._end()

    @hook_impl
    def on_pipeline_error(self) -> None:
        self._end()

    def _end(self) -> None:
        if self._lock is not None:
            self._lock.release()
        self._lock = None


def place_below(root: str, place: str) -> str:
    """What a place is called by every run, also one that knows the root by another name, as by a link or another mount.

    Returns:
        the path relative to the root; of a place that is not below that, the path without links, or without protocol.
    """
    local_root, path = local_path(root), local_path(place)
    if local_root is None or path is None:
        address = place.rpartition("://")[2]
        return address.removeprefix(f"{root.rpartition('://')[2].rstrip('/')}/")
    for of_root, found in ((Path(local_root), Path(path)), (Path(local_root).resolve(), Path(path).resolve())):
        if found.is_relative_to(of_root):
            return found.relative_to(of_root).as_posix()
    return found.as_posix()


def _group(pipeline: Pipeline, catalog: DataCatalog) -> str:
    if "params:train" not in pipeline.inputs():
        return ""
    train = catalog.load("params:train")
    return f"training on {train.nodes} machines by {train.rendezvous}" if train.nodes > 1 else ""


def _is_dead(note: Mapping[str, Any]) -> bool:
    """Whether the run is one of this machine whose process has ended."""
    if note.get("machine") != _machine():
        return False
    try:
        return psutil.Process(note["process"]).create_time() != note["process_began"]
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


@cache
def _machine() -> str:
    """This machine since it was started, and the container in which processes have their numbers."""
    try:
        since = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{platform.node()} {since} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not on Linux
        return f"{platform.node()} {psutil.boot_time():.0f}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return str(os.getuid())


def _describe(note: Mapping[str, Any]) -> str:
    parts = (note.get(name, "?") for name in ("command", "user", "host", "process", "began"))
    return "`{}` of {} on {}, process {}, since {}".format(*parts)
