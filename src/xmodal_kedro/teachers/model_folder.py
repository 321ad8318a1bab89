"""A model in the layout of the transformers library: its files and the names of its classes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import TeacherCard
from xmodal_kedro.params.teachers import CONTRASTIVE
from xmodal_kedro.storage import FileRef, Folder
from xmodal_kedro.teachers.class_list import ClassName, distinct
from xmodal_kedro.teachers.hub import choose_model, fetch_model, in_folder, record_model

CONFIG = "config.json"
PROCESSOR = "preprocessor_config.json"
WEIGHTS = "model*.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
MODEL_FILES = (CONFIG, PROCESSOR, WEIGHTS, WEIGHTS_INDEX)
BOTH_PROCESSORS = "processor_config.json"
"""Where newer versions of the library save the processor of a model of two modalities."""
VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model")
TOKENIZER_FILES = (
    *VOCABULARIES,
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    BOTH_PROCESSORS,
)
"""Files for the text part of a contrastive model; a model has some of them."""
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")


def model_files(card: TeacherCard, folder: Folder) -> tuple[FileRef, ...]:
    """The files of the card's model, named relative to it: from the teacher's folder, otherwise from the hub.

    Which model, and which commit of it, is recorded in `folder.note` at first use.

    Raises:
        FileNotFoundError: naming the model, the places that were searched, and the remedy.
        UserError: naming the file that the model lacks.
    """
    patterns = MODEL_FILES + TOKENIZER_FILES if card.backend == CONTRASTIVE else MODEL_FILES
    model = choose_model(card, folder)
    asked, card = card, card.model_copy(update={"weights": model.name})
    present = in_folder(model.name, folder)
    if not present:
        model, present = fetch_model(model, patterns, folder.root)
    _require_whole(card, present)
    files = {name: replace(present[name], name=name) for name in sorted(present) if _matches(name, patterns)}
    record_model(asked, folder.note, model, files)
    return tuple(files.values())


def read_config(files: Iterable[FileRef], card: TeacherCard) -> dict[str, Any]:
    """The content of `config.json`.

    Raises:
        UserError: it is not a JSON object.
    """
    return _read_json(next(file for file in files if file.name == CONFIG), card)


def named_classes(files: Iterable[FileRef], card: TeacherCard) -> tuple[ClassName, ...]:
    """The classes in a model's `id2label`, in the order of its scores.

    Raises:
        UserError: `id2label` is missing or does not number the classes from 0 without gaps.
    """
    names = read_config(files, card).get("id2label") or {}
    try:
        by_index = {int(index): str(name) for index, name in names.items()}
    except (AttributeError, ValueError):
        by_index = {}
    if not by_index or sorted(by_index) != list(range(len(by_index))):
        raise UserError(
            f"{CONFIG} of {card.weights!r} does not name its classes one by one (id2label): name a class list under "
            "labels in the teacher's card"
        )
    return tuple(ClassName(name, "") for name in distinct([by_index[index] for index in range(len(by_index))]))


def _require_whole(card: TeacherCard, present: Mapping[str, FileRef]) -> None:
    if CONFIG not in present:
        raise UserError(f"model {card.weights!r} has no {CONFIG}: name the folder that has it")
    contrastive = card.backend == CONTRASTIVE
    if PROCESSOR not in present and not (contrastive and BOTH_PROCESSORS in present):
        raise UserError(f"model {card.weights!r} has no {PROCESSOR}: save the model's processor there too")
    if contrastive and not any(name in present for name in VOCABULARIES):
        raise UserError(
            f"model {card.weights!r} has no tokenizer ({VOCABULARIES[0]}): save the model's tokenizer there too, or "
            "name a model that embeds text"
        )
    if not any(_matches(name, [WEIGHTS]) for name in present):
        pickles = [name for name in sorted(present) if _matches(name, PICKLES)]
        instead = f", only {pickles[0]}, which may hold code and is never opened" if pickles else ""
        raise UserError(
            f"model {card.weights!r} has no {WEIGHTS}{instead}: save it with save_pretrained of transformers 5 or "
            "later, or name a model or revision that has safetensors"
        )
    if index := present.get(WEIGHTS_INDEX):
        parts = set(_read_json(index, card).get("weight_map", {}).values())
        if missing := sorted(parts - present.keys()):
            raise UserError(f"model {card.weights!r} has no {missing[0]}, which {WEIGHTS_INDEX} names: fetch it again")


def _read_json(file: FileRef, card: TeacherCard) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise UserError(f"{file.name} of model {card.weights!r} is not JSON ({error}): replace the file") from error
    if not isinstance(content, dict):
        raise UserError(f"{file.name} of model {card.weights!r} is not a JSON object: replace the file")
    return content


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return "/" not in name and any(fnmatchcase(name, pattern) for pattern in patterns)
