"""What the names in a truth, the teachers' labels and the training targets stand for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from difflib import get_close_matches

import pandas as pd

from xmodal_kedro.errors import UserError
from xmodal_kedro.labels.match import Ontology, split

SEEN_PREFIX = "seen:"
"""Of the key of a visual class as it looks, which is no sound."""


class Meaning:
    """What two teachers' classes stand for, as keys: two names of one key mean the same.

    The key of a sound is its AudioSet id, or its name without case where it has none. A class that stands for no sound
    has a key of its own, so that it never matches what is heard.

    Args:
        candidate_classes: `CandidateClasses`.
        label_classes: `LabelClasses`.
        sound_ontology: `SoundOntology`; without rows, no class is above another.
    """

    def __init__(
        self, candidate_classes: pd.DataFrame, label_classes: pd.DataFrame, sound_ontology: pd.DataFrame
    ) -> None:
        self._ontology = Ontology(sound_ontology)
        ordered = candidate_classes.sort_values("index")
        self._own = [
            audioset_id or name.casefold()
            for name, audioset_id in zip(ordered["name"], ordered["audioset_id"], strict=True)
        ]
        self._names = {**self._ontology.name_of, **dict(zip(self._own, ordered["name"], strict=True))}
        self._sounds = [frozenset(self._own[int(at)] for at in split(joined)) for joined in ordered["stands_for"]]
        self._target = dict(zip(ordered["name"], range(len(ordered)), strict=True))
        self._indices: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for modality, label, index in zip(*(label_classes[c] for c in ("modality", "label", "index")), strict=True):
            self._indices[modality, label].append(int(index))
        self._labels = {label.casefold(): label for modality, label in self._indices if modality == "visual"}
        self._known = {name.casefold(): key for key, name in self._ontology.name_of.items()} | {
            name.casefold(): key for name, key in zip(ordered["name"], self._own, strict=True)
        }
        self._sounds_of_own = dict(zip(self._own, self._sounds, strict=True))

    def heard(self, name: str) -> frozenset[str]:
        """Keys of the sounds that a name or an AudioSet id stands for; empty where it is not known as a sound."""
        key = name if name in self._names else self._known.get(name.casefold())
        if key is None:
            return frozenset()
        return self._sounds_of_own.get(key, frozenset([key]))

    def seen(self, name: str) -> frozenset[str]:
        """Key of the visual class of that name, else of the sounds that it stands for; empty where it is not known."""
        if name.casefold() in self._labels:
            return frozenset([SEEN_PREFIX + self._labels[name.casefold()]])
        return self.heard(name)

    def nearest(self, name: str) -> list[str]:
        """Known names that are spelt like an unknown one, the nearest first."""
        known = {key: self._names[at] for key, at in self._known.items()} | self._labels
        return [known[match] for match in get_close_matches(name.casefold(), known, n=2, cutoff=0.5)]

    def heard_in(self, modality: str, label: str) -> frozenset[str]:
        """What a teacher's label says is heard.

        Raises:
            UserError: naming a label that is no class of the teacher.
        """
        if (modality, label) not in self._indices:
            raise UserError(
                f"{modality}_labels hold {label!r}, which label_classes does not: run the pipelines {modality}_label "
                "and merge_labels again"
            )
        return frozenset[str]().union(*(self._sounds[at] or {self._own[at]} for at in self._indices[modality, label]))

    def seen_in(self, label: str, keys_seen: Collection[str]) -> frozenset[str]:
        """What a visual label says is seen, in the terms of the truth.

        Args:
            keys_seen: keys that occur in the truth: breeds, where it distinguishes them, or dogs.
        """
        sounds = self.heard_in("visual", label)
        named = {SEEN_PREFIX + label, *sounds}
        return frozenset(named.intersection(keys_seen) or sounds)

    def heard_as(self, target: str) -> frozenset[str]:
        """What a class of the training target says is heard."""
        at = self._target[target]
        return self._sounds[at] or frozenset([self._own[at]])

    def name(self, key: str) -> str:
        """The name to show for a key."""
        return key.removeprefix(SEEN_PREFIX) if key.startswith(SEEN_PREFIX) else self._names[key]

    def audioset_id(self, key: str) -> str:
        """Of a key in the ontology; empty where not known."""
        return key if key.startswith("/") else ""

    def in_branch(self, said: str, true: str) -> bool:
        """Whether what is said is what is true, stands above it without merely grouping others, or below it."""
        above = self._ontology.ancestors(true) - self._ontology.abstract
        return said == true or said in above or true in self._ontology.ancestors(said)
