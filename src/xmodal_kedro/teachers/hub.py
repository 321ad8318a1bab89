"""Models on the Hugging Face hub, from its cache on this machine or from the network."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from xmodal_kedro.storage import FileRef

ANSWER_S = 5.0
"""How long the hub may take to answer, seconds."""


def fetch_model(model_id: str, revision: str, patterns: Sequence[str], folder: str) -> dict[str, FileRef]:
    """Those of a model's files that match, by name. A model in the cache is taken from there, and nobody is asked.

    They lie in the hub's cache, which the environment variable `HF_HUB_CACHE` names. Workers on other machines need to
    see it under the same path.

    Args:
        revision: branch, tag or commit.
        folder: in which the model was looked for before, for the error.

    Raises:
        FileNotFoundError: the hub has no such model, or does not answer; says where it was looked for, and the remedy.
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
            etag_timeout=ANSWER_S,
            local_files_only=local_files_only,
        )

    try:
        cached = download(local_files_only=True)
    except LocalEntryNotFoundError:
        cached = ""
    if cached and _has_weights(Path(cached)):
        return cached
    HfApi().model_info(model_id, revision=revision, timeout=ANSWER_S)  # the download's own look-up has no limit
    return download(local_files_only=False)


def _has_weights(snapshot: Path) -> bool:
    """Whether a snapshot holds all safetensors; one whose download broke off may not."""
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
            f"no model {model_id!r}: it is no folder in {folder}, nor is revision {revision!r} of it in the hub's "
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
        GatedRepoError: "the hub gives it only to those whom its owner lets (see `hf auth login`)",
        RepositoryNotFoundError: "the hub has no such model",
        RevisionNotFoundError: "the hub has no such revision",
        HFValidationError: "it is no id of a model on the hub",
        OfflineModeIsEnabled: "HF_HUB_OFFLINE forbids to ask the hub",
    }
    for kind, reason in reasons.items():
        if isinstance(error, kind):
            return reason
    return f"the hub did not give it ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
