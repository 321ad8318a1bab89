"""The matched classes of two teachers, in the form that the jobs over shards use."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.labels.match import split

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Ragged:
    """Lists of integers of different lengths: list number i is `values[starts[i]:starts[i + 1]]`."""

    starts: Indices
    values: Indices

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> Ragged:
        """From Python lists."""
        lengths = [len(part) for part in lists]
        values = [value for part in lists for value in part]
        return cls(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), np.array(values, np.int64))

    def chosen(self, lists: Indices) -> Ragged:
        """The lists with these numbers."""
        lengths = self.starts[lists + 1] - self.starts[lists]
        return Ragged(np.concatenate([[0], np.cumsum(lengths)]), self.take(lists)[0])

    def take(self, lists: Indices) -> tuple[Indices, Indices]:
        """All values of the lists with these numbers, and for each value its position in `lists`."""
        lengths = self.starts[lists + 1] - self.starts[lists]
        owner = np.repeat(np.arange(len(lists)), lengths)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self.values[self.starts[lists][owner] + within], owner


@dataclass(frozen=True)
class ClassMap:
    """Candidates, and the candidates that each label becomes.

    Attributes:
        candidates: `CandidateClasses`.
        label_classes: `LabelClasses`.
        fingerprint: of both.
    """

    candidates: pd.DataFrame
    label_classes: pd.DataFrame
    fingerprint: str

    @classmethod
    def of(cls, candidates: pd.DataFrame, label_classes: pd.DataFrame) -> ClassMap:
        """From the two tables, in any order of their rows."""
        candidates = candidates.sort_values("index", ignore_index=True)
        label_classes = label_classes.sort_values(["modality", "label", "index"], ignore_index=True)
        text = candidates.to_json(orient="values") + label_classes.to_json(orient="values")
        return cls(candidates, label_classes, hashlib.sha256(text.encode()).hexdigest())

    def __len__(self) -> int:
        return len(self.candidates)

    @cached_property
    def names(self) -> list[str]:
        """Names of the candidates."""
        return list(self.candidates["name"])

    @cached_property
    def silent(self) -> NDArray[np.bool_]:
        """Whether each candidate makes no sound [candidates]."""
        return self.candidates["silent"].to_numpy(bool)

    @cached_property
    def stands_for(self) -> list[frozenset[int]]:
        """The sounds of each candidate."""
        return [frozenset(map(int, split(joined))) for joined in self.candidates["stands_for"]]

    @cached_property
    def above(self) -> list[frozenset[int]]:
        """The ancestors of each candidate."""
        return [frozenset(map(int, split(joined))) for joined in self.candidates["ancestors"]]

    @cached_property
    def ancestors(self) -> Ragged:
        """The ancestors of each candidate as arrays."""
        return Ragged.of([sorted(above) for above in self.above])

    @cached_property
    def _of_labels(self) -> dict[str, tuple[pa.Array, Ragged]]:
        """By modality, the labels of the teacher, and the candidates of each."""
        by_modality: dict[str, tuple[pa.Array, Ragged]] = {}
        for modality in ("visual", "audio"):
            rows = self.label_classes[self.label_classes["modality"] == modality]
            lists = rows.groupby("label", sort=False)["index"].agg(list)
            by_modality[modality] = pa.array(lists.index.to_list(), pa.string()), Ragged.of(lists.to_list())
        return by_modality

    def of_labels(self, modality: str, labels: pa.Array) -> Ragged:
        """Candidates of each label of a teacher.

        Raises:
            UserError: naming a label that is not a class of the teacher.
        """
        known, candidates = self._of_labels[modality]
        row = pc.index_in(labels, value_set=known)
        if row.null_count:
            unknown = labels.filter(row.is_null())[0].as_py()
            raise UserError(
                f"{modality}_labels hold {unknown!r}, which is not in {modality}_classes: run the pipeline "
                f"{modality}_label again"
            )
        return candidates.chosen(row.to_numpy().astype(np.int64))
