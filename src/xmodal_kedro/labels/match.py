"""Matching the classes of two teachers: which are the same class, and which are ancestors of others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import MergeParams
from xmodal_kedro.storage import DataFrame

SEEN = " (seen)"
"""Added to the name of a visual class that equals the name of an unrelated sound, such as the insect and the clock's
`Tick`."""


@dataclass
class CandidateClass:
    """A class that a training target may have.

    Attributes:
        name: unique, ignoring case.
        audioset_id: its id in the ontology; empty if unknown.
        silent: whether it is known to make no sound.
        sounds: names of the candidates that it sounds like; for a sound, its own name.
    """

    name: str
    audioset_id: str = ""
    silent: bool = False
    sounds: list[str] = field(default_factory=list)


class Ontology:
    """The AudioSet ontology; empty where none is given.

    Args:
        table: `SoundOntology`; empty where there is none.
    """

    def __init__(self, table: DataFrame) -> None:
        self.name_of = dict(zip(table["audioset_id"], table["name"], strict=True))
        self.id_of = {name.casefold(): audioset_id for audioset_id, name in self.name_of.items()}
        self.parents_of = {row["audioset_id"]: split(row["parents"]) for row in _rows(table)}
        self.abstract = set(table.loc[table["abstract"], "audioset_id"])

    def __bool__(self) -> bool:
        return bool(self.name_of)

    def ancestors(self, audioset_id: str) -> set[str]:
        """All classes above one."""
        ancestors: set[str] = set()
        waiting = [audioset_id]
        while waiting:
            new = set(self.parents_of.get(waiting.pop(), ())) - ancestors
            ancestors |= new
            waiting += new
        return ancestors


def match_classes(
    visual_classes: DataFrame, audio_classes: DataFrame, sound_ontology: DataFrame, params: MergeParams
) -> tuple[DataFrame, DataFrame]:
    """Match the classes of two teachers.

    Two sounds are one class if they have the same AudioSet id, or the same name ignoring case. If `params.visual_names`
    is `sounds`, a visual class becomes the sounds that it stands for. Otherwise it is a class of its own that stands
    for them. It is the sound of the same name if it stands for that sound, or if its sounds are unknown.

    Args:
        visual_classes: `TeacherClasses`.
        audio_classes: `TeacherClasses`.
        sound_ontology: `SoundOntology`; without rows, no class has ancestors.
        params: `merge_labels`.

    Returns:
        `CandidateClasses`, in the order of their names, and `LabelClasses`.

    Raises:
        UserError: a visual class stands for a sound that neither the ontology nor the audio teacher knows, or
            `params.parents` is set without an ontology; names the field.
    """
    import pandas as pd  # slow to import; pipelines import this module for every command

    ontology = Ontology(sound_ontology)
    if params.parents and not ontology:
        raise UserError(
            "merge_labels.parents needs the sounds' ontology: name its file under audio_teacher.ontology, or set "
            "parents: false in parameters/merge_labels.yml"
        )
    collected = _Candidates(ontology)
    becomes: dict[str, Mapping[str, list[str]]] = {
        "audio": {row["label"]: [collected.sound(row["label"], row["audioset_id"])] for row in _rows(audio_classes)}
    }
    sounds_of: dict[str, list[str]] = {}
    for row in _rows(visual_classes):
        sounds = sounds_of.setdefault(row["label"], [])
        if row["sound"] or row["audioset_id"]:
            sounds.append(collected.known_sound(row["label"], row["sound"], row["audioset_id"]))
    silent = {row["label"]: row["silent"] for row in _rows(visual_classes)}
    becomes["visual"] = {
        label: sounds if sounds and params.visual_names == "sounds" else [collected.sight(label, sounds, silent[label])]
        for label, sounds in sounds_of.items()
    }
    if params.parents:
        collected.add_ancestors()
    candidates = collected.table()
    index_of = dict(zip(candidates["name"], candidates["index"], strict=True))
    rows = [
        (modality, label, index_of[name])
        for modality in ("visual", "audio")
        for label, names in becomes[modality].items()
        for name in dict.fromkeys(names)
    ]
    return candidates, pd.DataFrame(rows, columns=["modality", "label", "index"])


class _Candidates:
    """Collects the candidates while classes are matched."""

    def __init__(self, ontology: Ontology) -> None:
        self._ontology = ontology
        self._by_name: dict[str, CandidateClass] = {}
        self._by_id: dict[str, CandidateClass] = {}

    def sound(self, name: str, audioset_id: str) -> str:
        """Name of the candidate of a sound, which is added if it is new."""
        audioset_id = audioset_id or self._ontology.id_of.get(name.casefold(), "")
        candidate = self._by_id.get(audioset_id) or self._by_name.get(name.casefold())
        if candidate is not None and audioset_id and candidate.audioset_id not in ("", audioset_id):
            raise UserError(
                f"{name!r} is the name of two sounds, {candidate.audioset_id} and {audioset_id}: correct the audio "
                "teacher's class list, or the table that visual_teacher.sounds names"
            )
        if candidate is None:
            candidate = CandidateClass(name, sounds=[name])
            self._by_name[name.casefold()] = candidate
        if audioset_id and not candidate.audioset_id:
            candidate.audioset_id = audioset_id
            self._by_id[audioset_id] = candidate
        return candidate.name

    def known_sound(self, label: str, name: str, audioset_id: str) -> str:
        """The candidate of a sound that a visual class stands for."""
        if self._ontology and audioset_id and audioset_id not in self._ontology.name_of:
            raise UserError(
                f"visual class {label!r} stands for {name!r} with the id {audioset_id!r}, which is not in the "
                "ontology: correct the table that visual_teacher.sounds names, or the ontology that "
                "audio_teacher.ontology names"
            )
        known = audioset_id or name.casefold() in self._by_name or name.casefold() in self._ontology.id_of
        if not known:
            raise UserError(
                f"visual class {label!r} stands for {name!r}, which is not a class of the audio teacher: correct the "
                "table that visual_teacher.sounds names, or give the sound's audioset_id there"
            )
        return self.sound(name or self._ontology.name_of.get(audioset_id, audioset_id), audioset_id)

    def sight(self, label: str, sounds: Sequence[str], silent: bool) -> str:
        """The candidate of a visual class that keeps its own name."""
        homonym = self._by_name.get(label.casefold())
        is_known = bool(sounds) or silent
        is_sound = homonym is not None and homonym.sounds == [homonym.name]
        if homonym is not None and is_sound and (homonym.name in sounds or not is_known):
            return homonym.name
        name = label
        while name.casefold() in self._by_name:
            name += SEEN
        self._by_name[name.casefold()] = CandidateClass(name, silent=silent, sounds=list(sounds))
        return name

    def add_ancestors(self) -> None:
        """Add the ancestors of all candidates, without the classes that only group others."""
        above = set[str]().union(*map(self._ontology.ancestors, list(self._by_id)))
        for audioset_id in sorted(above - self._ontology.abstract):
            self.sound(self._ontology.name_of[audioset_id], audioset_id)

    def table(self) -> DataFrame:
        """`CandidateClasses`."""
        import pandas as pd

        ordered = sorted(self._by_name.values(), key=lambda candidate: candidate.name.casefold())
        index_of = {candidate.name: index for index, candidate in enumerate(ordered)}
        index_of_id = {candidate.audioset_id: index_of[candidate.name] for candidate in self._by_id.values()}
        above: defaultdict[str, set[int]] = defaultdict(set)
        for audioset_id, candidate in self._by_id.items():
            ancestors = self._ontology.ancestors(audioset_id)
            above[candidate.name] = {index_of_id[ancestor] for ancestor in ancestors & index_of_id.keys()}
        rows = []
        for candidate in ordered:
            ids = [self._by_name[sound.casefold()].audioset_id for sound in candidate.sounds]
            if candidate.sounds == [candidate.name]:
                ids = self._ontology.parents_of.get(candidate.audioset_id, [])
            rows.append(
                {
                    "index": index_of[candidate.name],
                    "name": candidate.name,
                    "audioset_id": candidate.audioset_id,
                    "silent": candidate.silent,
                    "stands_for": join(index_of[sound] for sound in candidate.sounds),
                    "ancestors": join(sorted(set().union(*(above[sound] for sound in candidate.sounds)))),
                    "parents": join(dict.fromkeys(filter(None, ids))),
                }
            )
        return pd.DataFrame(rows)


def split(joined: str) -> list[str]:
    """Parts of a text that are joined by commas."""
    return joined.split(",") if joined else []


def join(parts: Iterable[object]) -> str:
    """Parts joined by commas."""
    return ",".join(map(str, parts))


def _rows(table: DataFrame) -> list[dict[Hashable, Any]]:
    rows: list[dict[Hashable, Any]] = table.to_dict("records")
    return rows
