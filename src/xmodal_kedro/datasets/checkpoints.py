"""Checkpoints of a training run: a handle that the training node loads from and saves to while it works."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import fsspec
from kedro.io import AbstractDataset, DatasetError

from xmodal_kedro.datasets.storage import is_local, sweep, whole_file

if TYPE_CHECKING:
    import torch

STATE_KEY = "state"


class CheckpointFile:
    """One checkpoint in one safetensors file, its JSON state in the header: the newest whole one, or none.

    Implements `handles.Checkpoints`.
    """

    def __init__(self, path: str) -> None:
        self._fs, self._path = fsspec.url_to_fs(path)

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        """Tensors and state of the newest checkpoint; None before the first one."""
        from safetensors import safe_open

        if not self._fs.isfile(self._path):
            return None
        with self._as_local_file() as path, safe_open(path, framework="pt") as stored:
            names = stored.keys()
            return {name: stored.get_tensor(name) for name in names}, json.loads(stored.metadata()[STATE_KEY])

    def save(self, tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
        """Store a checkpoint in the place of the one before, whole or not at all."""
        from safetensors.torch import save, save_file

        metadata = {STATE_KEY: json.dumps(state)}
        with whole_file(self._fs, self._path) as partial_path:
            if is_local(self._fs):  # straight to the disk, without the whole file in memory
                save_file(tensors, partial_path, metadata)
            else:
                self._fs.pipe_file(partial_path, save(tensors, metadata))

    @contextmanager
    def _as_local_file(self) -> Iterator[str]:
        if is_local(self._fs):
            yield self._path
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = f"{folder}/checkpoint"
            self._fs.get_file(self._path, copy)
            yield copy


class CheckpointDataset(AbstractDataset[NoReturn, CheckpointFile]):
    """Gives the training node its `CheckpointFile`; it exists always, empty at first."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """
        Args:
            filepath: where the checkpoint is kept.
            metadata: for plugins; not used here.
        """
        self._filepath = filepath
        self.metadata = metadata

    def load(self) -> CheckpointFile:
        fs, path = fsspec.url_to_fs(self._filepath)
        sweep(fs, path.rpartition("/")[0], path.rpartition("/")[2])
        return CheckpointFile(self._filepath)

    def save(self, data: NoReturn) -> None:
        raise DatasetError("checkpoints are saved through the handle that load() gives")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
