"""Which sounds the classes of a teacher stand for."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

import pandas as pd

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import AudioTeacherCard, VisualTeacherCard
from xmodal_kedro.storage import FileRef, Folder
from xmodal_kedro.teachers.opening import teacher_classes

COLUMNS = ("label", "sound", "audioset_id")

IMAGENET = "imagenet"
IMAGENET_TABLE = "imagenet_sounds.csv"
MAX_IMAGENET_CLASSES = 1001
"""ImageNet-1k's, and the background class that some networks add."""
MIN_FOUND = 0.9
"""Share of the table's classes that must be found for a list of at most that length to be ImageNet-1k's."""
TORCHVISION_CRANES = {"crane bird": "crane [134]", "crane": "crane [517]"}
"""How torchvision's class list distinguishes the two cranes."""


class Sound(NamedTuple):
    """A sound of a class; one of the two may be empty."""

    name: str
    audioset_id: str


class SoundEntry(NamedTuple):
    """A row of a table of sounds."""

    line: int
    label: str
    sound: Sound


def visual_classes(card: VisualTeacherCard, folder: Folder) -> pd.DataFrame:
    """The classes of a visual teacher with the sounds that they make, from the table that `card.sounds` names.

    A class that a user's `.csv` does not list is silent. A class that the table of ImageNet classes does not list is
    silent if the teacher has the classes of ImageNet-1k: at most 1001, with 90 % of the table among them. For a teacher
    of other classes, such as those of the full ImageNet, the sounds of such a class are unknown.

    Returns:
        `TeacherClasses`, in the order of the teacher's scores.

    Raises:
        FileNotFoundError: a file that the card names is not in the folder.
        UserError: naming the file, or the card's field, that is wrong.
    """
    labels = [named.label for named in teacher_classes(card, folder)]
    sounds: Mapping[str, Sequence[Sound]] = {}
    rest_is_silent = False
    if card.sounds == IMAGENET:
        sounds, rest_is_silent = imagenet_sounds(labels)
    elif card.sounds.lower().endswith(".csv"):
        sounds, rest_is_silent = read_sounds(folder.file(card.sounds), labels), True
    elif card.sounds:
        raise UserError(
            f"visual_teacher.sounds is {card.sounds!r}: write {IMAGENET}, the name of a .csv in the teacher's folder, "
            "or nothing, in its card"
        )
    rows = [
        (label, sound.name, sound.audioset_id, rest_is_silent and label not in sounds)
        for label in labels
        for sound in sounds.get(label, [Sound("", "")])
    ]
    return _table(rows)


def audio_classes(card: AudioTeacherCard, folder: Folder, ontology: pd.DataFrame) -> pd.DataFrame:
    """The classes of an audio teacher: each is its own sound, with the AudioSet id from its class list or by its name.

    Args:
        ontology: `SoundOntology`.

    Returns:
        `TeacherClasses`, in the order of the teacher's scores.

    Raises:
        FileNotFoundError: a file that the card names is not in the folder.
        UserError: naming the file, or the card's field, that is wrong.
    """
    id_of = {
        name.casefold(): audioset_id
        for audioset_id, name in zip(ontology["audioset_id"], ontology["name"], strict=True)
    }
    rows = [
        (named.label, named.label, named.audioset_id or id_of.get(named.label.casefold(), ""), False)
        for named in teacher_classes(card, folder)
    ]
    return _table(rows)


def imagenet_sounds(labels: Sequence[str]) -> tuple[dict[str, list[Sound]], bool]:
    """The sounds of those of a teacher's classes that the table of ImageNet classes lists.

    The table names a class by all its synonyms, `tabby, tabby cat`, as most class lists do. The first synonym alone, as
    in torchvision, and underscores for spaces, as in Keras, match too. Case matters: only case distinguishes the dog
    Cardigan from the cardigan. Two classes have the name `crane`: they are at positions 134 and 517, or one later if
    the list begins with a background class.

    Returns:
        Sounds by the teacher's label, for labels in the table; and whether the classes are ImageNet-1k's.
    """
    table: defaultdict[str, list[Sound]] = defaultdict(list)
    text = files("xmodal_kedro.labels").joinpath(IMAGENET_TABLE).read_text(encoding="utf-8")
    for entry in _entries(text, IMAGENET_TABLE):
        table[entry.label].append(entry.sound)
    row_of = {spelling: label for label in table for spelling in _spellings(label)}
    if TORCHVISION_CRANES.keys() <= set(labels):
        row_of |= TORCHVISION_CRANES
    matched = {label: row_of[label.replace("_", " ")] for label in labels if label.replace("_", " ") in row_of}
    is_imagenet = len(labels) <= MAX_IMAGENET_CLASSES and len(matched) >= MIN_FOUND * len(table)
    return {label: table[row] for label, row in matched.items()}, is_imagenet


def _spellings(label: str) -> list[str]:
    """The spellings of a class of the ImageNet table in class lists."""
    name, _, position = label.partition(" [")
    if position:
        return [label, f"{name} [{int(position.removesuffix(']')) + 1}]"]
    return [label, label.partition(",")[0]]


def read_sounds(file: FileRef, labels: Sequence[str]) -> dict[str, list[Sound]]:
    """A user's table of the sounds of a teacher's classes.

    Args:
        file: CSV with the columns `label`, `sound` and `audioset_id`, one row for each sound. `sound` or `audioset_id`
            may be empty, but not both.
        labels: of the teacher.

    Returns:
        Sounds by label.

    Raises:
        UserError: naming the file and the line, if it is not such a table, has a label that is not a class of the
            teacher, or repeats a row.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"table of sounds {file.name!r} is not UTF-8 text: save it as UTF-8") from error
    known = set(labels)
    sounds: defaultdict[str, list[Sound]] = defaultdict(list)
    for line, label, sound in _entries(text, file.name):
        where = f"table of sounds {file.name!r}, line {line}"
        if label not in known:
            raise UserError(
                f"{where}: {label!r} is not a class of the teacher: write it as the class list does, or take the "
                "line out"
            )
        if sound in sounds[label]:
            raise UserError(f"{where}: {label!r} has this sound already: take the line out")
        sounds[label].append(sound)
    if not sounds:
        raise UserError(
            f"table of sounds {file.name!r} lists no class: write one line for each class that makes a sound"
        )
    return dict(sounds)


def _entries(text: str, file_name: str) -> Iterator[SoundEntry]:
    rows = csv.DictReader(text.splitlines())
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise UserError(
            f"table of sounds {file_name!r} has no column {missing[0]!r} (it has {list(rows.fieldnames or ())}): its "
            f"first line must name {', '.join(COLUMNS)}"
        )
    for row in rows:
        label, sound, audioset_id = ((row[name] or "").strip() for name in COLUMNS)
        where = f"table of sounds {file_name!r}, line {rows.line_num}"
        if not label:
            raise UserError(f"{where}: label is empty: name a class of the teacher")
        if not (sound or audioset_id):
            raise UserError(
                f"{where}: {label!r} has neither sound nor audioset_id: give one, or take the line out if it makes no "
                "sound"
            )
        yield SoundEntry(rows.line_num, label, Sound(sound, audioset_id))


def _table(rows: Sequence[tuple[str, str, str, bool]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["label", "sound", "audioset_id", "silent"])
