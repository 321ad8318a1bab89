"""Provenance of a model: hashes of its training data, by this project and by DVC, and the commit."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import yaml
from kedro.io import DataCatalog

from xmodal_kedro.datasets.atomic import is_local
from xmodal_kedro.storage import Shards

TRAINING_DATA = (
    "clips",
    "labels",
    "label_vocabulary",
    "teacher_embeddings",
    "visual_teacher_embeddings",
    "teacher_views",
)
RUN_PROVENANCE = "run_provenance"
"""Dataset with facts about the run for its reports, by the name that readers see; empty unless a hook fills it."""
GIT_TIMEOUT_S = 10.0


def fingerprint_data(data: Shards | pd.DataFrame) -> str:
    """Digest of the content of shards or of a table, 32 hex digits. It does not depend on location or file format."""
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(data, pd.DataFrame):
        digest.update(data.to_json(orient="split", index=False, double_precision=15).encode())
    else:
        for key in sorted(data):
            digest.update(f"{key} {data[key].fingerprint}\n".encode())
    return digest.hexdigest()


def data_tags(inputs: Mapping[str, Any]) -> dict[str, str]:
    """`data.<name>` for each input that is training data."""
    return {f"data.{name}": fingerprint_data(inputs[name]) for name in TRAINING_DATA if name in inputs}


def teacher_tags(catalog: DataCatalog) -> dict[str, str]:
    """`teacher.visual` and `teacher.audio`: model and commit, where it is noted which model of the hub labelled."""
    tags = {}
    for modality in ("visual", "audio"):
        name = f"{modality}_teacher_files"
        note = getattr(catalog[name], "note", None) if name in catalog else None
        if facts := note.read() if note else None:
            tags[f"teacher.{modality}"] = "@".join(filter(None, (facts.get("name"), facts.get("commit"))))
    return tags


def dvc_tags(project: Path, locations: Mapping[str, str]) -> dict[str, str]:
    """`dvc.<name>`, DVC's md5, for each location in the project's `dvc.lock` whose size is still the recorded one.

    Args:
        locations: paths or URLs of datasets by name; relative paths are relative to `project`.
    """
    recorded = {(project / out["path"]).resolve(): out for out in _locked_outputs(project / "dvc.lock")}
    tags = {}
    for name, place in locations.items():
        fs, path = fsspec.url_to_fs(str(project / place) if "://" not in place else place)
        out = recorded.get(Path(path).resolve()) if is_local(fs) else None
        if out is not None and _size_bytes(Path(path)) == out.get("size"):
            tags[f"dvc.{name}"] = str(out["md5"])
    return tags


def _locked_outputs(lock: Path) -> Iterator[dict[str, Any]]:
    if not lock.is_file():
        return
    try:
        stages = yaml.safe_load(lock.read_text())["stages"].values()
        yield from (out for stage in stages for out in stage.get("outs", []) if "md5" in out)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError):
        return  # not a lock of DVC, or one that is being written


def _size_bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def git_tags(project: Path) -> dict[str, str]:
    """`git.commit`, with `-dirty` if tracked files differ from it; empty outside a repository."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    quiet = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        described = subprocess.run(
            command, cwd=project, env=quiet, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"git.commit": described.stdout.strip()}
