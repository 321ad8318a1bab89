"""Checkpoints of a training run: an object that the training node loads from and saves to while it runs."""

from __future__ import annotations

import json
import logging
import posixpath
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import fsspec
from kedro.io import AbstractDataset

from xmodal_kedro.datasets.atomic import is_local, sweep, usual_mode, whole_file
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.errors import is_of_storage

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

STATE_KEY = "state"
_NAME = re.compile(r"step-(\d+)\.safetensors")


class CheckpointFolder:
    """Checkpoints in a folder, each one safetensors file with its JSON state in the header: loading runs no code.

    Implements `storage.Checkpoints`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._fs, self._folder = fsspec.url_to_fs(path)

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        """Tensors and state of the latest checkpoint that can be read; None before the first one.

        Raises:
            DataError: if there are checkpoints and none of them can be read.
            Exception: of storage or the machine, if that does not give the latest; it may be whole.
        """
        steps = self._steps()
        for step in reversed(steps):
            try:
                return self._read(self._file(step))
            except Exception as error:  # safetensors raises errors of its own types
                if is_of_storage(error):
                    raise
                logger.warning("%s cannot be read (%s): trying the one before", self._file(step), error)
        if steps:
            raise DataError(f"none of the checkpoints in {self.path} can be read: delete that folder to start over")
        return None

    def state(self) -> dict[str, Any] | None:
        """State of the latest checkpoint whose header can be read, without its tensors; None if there is none."""
        for step in reversed(self._steps()):
            try:
                with self._fs.open(self._file(step), "rb") as stream:
                    header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
                state: dict[str, Any] = json.loads(header["__metadata__"][STATE_KEY])
                return state
            except (OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError):
                continue  # `load` says what is wrong with it
        return None

    def save(self, step: int, tensors: dict[str, torch.Tensor], state: dict[str, Any], kept: int) -> None:
        """Store the checkpoint of a step atomically, then remove all but the `kept` latest."""
        from safetensors.torch import save, save_file

        metadata = {STATE_KEY: json.dumps(state)}
        with whole_file(self._fs, self._file(step)) as partial_path:
            if is_local(self._fs):  # straight to the disk, without the whole file in memory
                with usual_mode(partial_path):
                    save_file(tensors, partial_path, metadata)
            else:
                self._fs.pipe_file(partial_path, save(tensors, metadata))
        steps = self._steps()
        unreadable = [later for later in steps if later > step]  # otherwise, training would have continued from it
        earlier = [other for other in steps if other <= step]
        for old in [*unreadable, *earlier[:-kept]]:
            self._fs.rm_file(self._file(old))

    def clear(self) -> None:
        """Remove all checkpoints."""
        for step in self._steps():
            self._fs.rm_file(self._file(step))

    def _steps(self) -> list[int]:
        """Steps of the checkpoints, ascending."""
        self._fs.invalidate_cache(self._folder)
        if not self._fs.isdir(self._folder):
            return []
        names = (posixpath.basename(path) for path in self._fs.ls(self._folder, detail=False))
        return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))

    def _file(self, step: int) -> str:
        return posixpath.join(self._folder, f"step-{step:09d}.safetensors")

    def _read(self, file: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        from safetensors import safe_open

        with self._as_local_file(file) as path, safe_open(path, framework="pt") as stored:
            names = stored.keys()
            return {name: stored.get_tensor(name) for name in names}, json.loads(stored.metadata()[STATE_KEY])

    @contextmanager
    def _as_local_file(self, file: str) -> Iterator[str]:
        if is_local(self._fs):
            yield file
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = f"{folder}/checkpoint"
            self._fs.get_file(file, copy)
            yield copy


class CheckpointDataset(AbstractDataset[NoReturn, CheckpointFolder]):
    """Loads the `CheckpointFolder` of the training node. It always exists, and is empty at first."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """
        Args:
            path: folder in which the checkpoints are kept.
            metadata: for plugins; not used here.
        """
        self._path = path
        self.metadata = metadata

    def load(self) -> CheckpointFolder:
        fs, folder = fsspec.url_to_fs(self._path)
        sweep(fs, folder)
        return CheckpointFolder(self._path)

    def save(self, data: NoReturn) -> None:
        raise DataError("checkpoints are saved through the object that load() returns")

    def _exists(self) -> bool:
        return True

    def content(self) -> str:
        """Where a training is kept while it goes on, which is no reason to train again."""
        return ""

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path}
