"""Which model of the Hugging Face hub a card means, and its files: from this machine's cache, or from the network."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from xmodal_kedro.params import TeacherCard, VisualTeacherCard
from xmodal_kedro.storage import FileRef, Folder, Note
from xmodal_kedro.teachers.hub_download import download, offer_of
from xmodal_kedro.teachers.hub_errors import one_line_errors

logger = logging.getLogger(__name__)

_RECORDED_NOW: set[str] = set()
"""Paths of the records that this process wrote: what it chose has been said."""


@dataclass(frozen=True)
class Model:
    """A model that labels.

    Attributes:
        name: its id on the hub, or its folder in the teacher's folder.
        revision: branch, tag or commit that the card names.
        commit: what the revision was when the model was first used; empty before that, and for a folder.
        licence: as its page states it; empty if it states none, or was not asked.
    """

    name: str
    revision: str
    commit: str = ""
    licence: str = ""


def choose_model(card: TeacherCard, folder: Folder) -> Model:
    """The model that labels with this card: the recorded one, or else the one for this machine.

    A record counts as long as the card asks for the same models. Of a card with `on_cuda`, a machine with CUDA takes
    that model, unless the folder has the other one alone.
    """
    recorded = read_record(card, folder.note)
    if recorded is not None:
        assert folder.note
        if folder.note.path not in _RECORDED_NOW:
            _say(
                f"{_modality(card)} teacher: {_described(recorded)}, as {folder.note.path} records it; remove that "
                "file to choose anew, which makes the labels again if the model differs"
            )
        return recorded
    own = Model(card.weights, card.revision)
    if card.on_cuda is None:
        return own
    larger = Model(card.on_cuda.weights, card.on_cuda.revision)
    has_cuda = _has_cuda()
    chosen, other = (larger, own) if has_cuda else (own, larger)
    if in_folder(other.name, folder) and not in_folder(chosen.name, folder):
        chosen = other
    where = "with" if has_cuda else "without"
    _say(f"{_modality(card)} teacher: {chosen.name}, on a machine {where} CUDA; the other choice is {other.name}")
    return chosen


def in_folder(name: str, folder: Folder) -> dict[str, FileRef]:
    """The files of a model that lies in the teacher's folder, named relative to it; empty if there is none."""
    prefix = "" if name == "." else f"{name.rstrip('/')}/"
    return {path.removeprefix(prefix): file for path, file in folder.items() if path.startswith(prefix)}


def fetch_model(model: Model, patterns: Sequence[str], folder: str) -> tuple[Model, dict[str, FileRef]]:
    """The files of a model that match the patterns, by name. A cached model needs no network.

    The files are in the hub's cache, whose folder is set by the environment variable `HF_HUB_CACHE`. Workers on other
    machines need it under the same path. Sizes and licence are logged before a download.

    Args:
        folder: where the model was looked for first; named in the error.

    Returns:
        The model with its commit, and its files.

    Raises:
        FileNotFoundError: the hub has no such model or does not answer; names the searched places and the remedy.
    """
    with one_line_errors(model.name, model.revision, model.commit, patterns, folder):
        files, commit, licence = _snapshot(model.name, model.commit or model.revision, tuple(patterns))
    found = Model(model.name, model.revision, commit, licence or model.licence)
    return found, {file.name: FileRef(file.name, str(file), *_size_and_time(file)) for file in files}


def read_record(card: TeacherCard, note: Note | None) -> Model | None:
    """The model that was recorded for a card; None if there is none, or the card asks for other models by now."""
    stored = note.read() if note else None
    if not stored or stored.get("asked_for") != _asked_for(card):
        return None
    return Model(**{name: str(stored.get(name, "")) for name in ("name", "revision", "commit", "licence")})


def record_model(card: TeacherCard, note: Note | None, model: Model, files: dict[str, FileRef]) -> None:
    """Record which model labels, so that a later run, or another machine, takes the same."""
    if note is None or read_record(card, note) == model:
        return
    _RECORDED_NOW.add(note.path)
    sizes = {name: file.size_bytes for name, file in files.items()}
    note.write({"asked_for": _asked_for(card), **asdict(model), "size_bytes": sizes})


@lru_cache(maxsize=8)
def _snapshot(model_id: str, revision: str, patterns: tuple[str, ...]) -> tuple[list[Path], str, str]:
    """Files of a model in the cache, its commit, and its licence, if the hub was asked."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if cached := _cached(model_id, revision, patterns):
        return [file for file in sorted(cached.iterdir()) if file.is_file()], cached.name, ""
    offer = offer_of(model_id, revision, patterns)
    return download(offer), offer.commit, offer.licence


def _cached(model_id: str, revision: str, patterns: tuple[str, ...]) -> Path | None:
    """Folder of a model in the cache; None if it is not there as a whole."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        cached = snapshot_download(model_id, revision=revision, allow_patterns=list(patterns), local_files_only=True)
    except LocalEntryNotFoundError:
        return None
    return Path(cached) if _has_weights(Path(cached)) else None


def _has_weights(snapshot: Path) -> bool:
    """Whether a snapshot has all its safetensors files. They are fetched last."""
    index = snapshot / "model.safetensors.index.json"
    if index.is_file():
        return all((snapshot / name).is_file() for name in json.loads(index.read_bytes())["weight_map"].values())
    return any(snapshot.glob("*.safetensors"))


def _asked_for(card: TeacherCard) -> dict[str, Any]:
    """The fields of a card that determine which model is downloaded."""
    return card.model_dump(mode="json", include={"weights", "revision", "on_cuda"})


def _modality(card: TeacherCard) -> str:
    return "visual" if isinstance(card, VisualTeacherCard) else "audio"


def _described(model: Model) -> str:
    return f"{model.name} at commit {model.commit}" if model.commit else model.name


def _size_and_time(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


@lru_cache(maxsize=64)
def _say(text: str) -> None:
    """Log a line once, though a run asks for its teachers several times."""
    logger.info("%s", text)
