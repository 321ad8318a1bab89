"""Checkpoints of a training run: a handle that the training node loads from and saves to while it works."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

import fsspec
from kedro.io import AbstractDataset, DatasetError

from xmodal_kedro.datasets.storage import sweep, whole_file

if TYPE_CHECKING:
    import torch

STATE_KEY = "state"


class CheckpointFile:
    """One checkpoint in one safetensors file, its JSON state in the header: the newest whole one, or none."""

    def __init__(self, path: str) -> None:
        self._fs, self._path = fsspec.url_to_fs(path)

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        """Tensors and state of the newest checkpoint; None before the first one."""
        from safetensors import safe_open
        from safetensors.torch import load

        if not self._fs.isfile(self._path):
            return None
        with safe_open(self._path, framework="pt") as header:
            state = json.loads(header.metadata()[STATE_KEY])
        return load(self._fs.cat_file(self._path)), state

    def save(self, tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
        """Store a checkpoint in the place of the one before, whole or not at all."""
        from safetensors.torch import save

        content = save(tensors, metadata={STATE_KEY: json.dumps(state)})
        with whole_file(self._fs, self._path) as partial_path:
            self._fs.pipe_file(partial_path, content)

    def clear(self) -> None:
        """Forget the checkpoint."""
        if self._fs.isfile(self._path):
            self._fs.rm_file(self._path)


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
