"""Models of the Hugging Face hub, from its cache on this machine or from the network."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from xmodal_kedro.storage import FileRef

TIMEOUT_S = 5.0
"""Timeout of a request to the hub, seconds."""


def fetch_model(model_id: str, revision: str, patterns: Sequence[str], folder: str) -> dict[str, FileRef]:
    """The files of a model that match the patterns, by name. A cached model needs no network.

    The files are in the hub's cache, whose folder is set by the environment variable `HF_HUB_CACHE`. Workers on other
    machines need it under the same path.

    Args:
        revision: branch, tag or commit.
        folder: where the model was looked for first; named in the error.

    Raises:
        FileNotFoundError: the hub has no such model or does not answer; names the searched places and the remedy.
    """
    with _one_line_errors(model_id, revision, patterns, folder):
        snapshot = Path(_snapshot(model_id, revision, tuple(patterns)))
    files = [path for path in sorted(snapshot.iterdir()) if path.is_file()]
    return {path.name: FileRef(path.name, str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@lru_cache(maxsize=8)
def _snapshot(model_id: str, revision: str, patterns: tuple[str, ...]) -> str:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    def download(*, local_files_only: bool) -> str:
        return snapshot_download(
            model_id,
            revision=revision,
            allow_patterns=list(patterns),
            etag_timeout=TIMEOUT_S,
            local_files_only=local_files_only,
        )

    try:
        cached = download(local_files_only=True)
    except LocalEntryNotFoundError:
        cached = ""
    if cached and _has_weights(Path(cached)):
        return cached
    HfApi().model_info(
        model_id, revision=revision, timeout=TIMEOUT_S
    )  # the look-up by `snapshot_download` has no timeout
    return download(local_files_only=False)


def _has_weights(snapshot: Path) -> bool:
    """Whether a snapshot has all its safetensors files; an interrupted download may leave some out."""
    index = snapshot / "model.safetensors.index.json"
    if index.is_file():
        return all((snapshot / name).is_file() for name in json.loads(index.read_bytes())["weight_map"].values())
    return any(snapshot.glob("*.safetensors"))


@contextmanager
def _one_line_errors(model_id: str, revision: str, patterns: Sequence[str], folder: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the hub's errors and those of its transport share no public base class
        from huggingface_hub import constants

        include = " ".join(f'--include "{pattern}"' for pattern in patterns)
        raise FileNotFoundError(
            f"no model {model_id!r}: {folder} has no such folder, revision {revision!r} is not in the hub's "
            f"cache ({constants.HF_HUB_CACHE}), and {_reason(error)}: correct weights or revision in the teacher's "
            f"card, or run `hf download {model_id} --revision {revision} {include} --local-dir {model_id}` where there "
            f"is network, and put the folder {model_id} into {folder}"
        ) from error


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    reasons = {
        GatedRepoError: "its owner restricts who may download it (see `hf auth login`)",
        RepositoryNotFoundError: "the hub has no such model",
        RevisionNotFoundError: "the hub has no such revision",
        HFValidationError: "it is not a valid model id of the hub",
        OfflineModeIsEnabled: "HF_HUB_OFFLINE forbids requests to the hub",
    }
    for kind, reason in reasons.items():
        if isinstance(error, kind):
            return reason
    return f"the download from the hub failed ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
