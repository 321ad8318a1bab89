"""The classes that people are asked about."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import pandas as pd

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import ReviewParams

MAX_NAMED = 5


def choose_classes(vocabulary: pd.DataFrame, candidates: Sequence[str], params: ReviewParams) -> list[str]:
    """`params.classes`, or those of the vocabulary with the most clips.

    Args:
        vocabulary: `LabelVocabulary`.
        candidates: names of `CandidateClasses`; a class may be asked about that is not in the vocabulary.

    Raises:
        UserError: naming what is no class, and names that are spelt like it.
    """
    if not params.classes:
        ordered = vocabulary.sort_values(["clip_count", "name"], ascending=[False, True])
        return ordered["name"].head(params.max_classes).tolist()
    name_of = {name.casefold(): name for name in candidates}
    unknown = [name for name in params.classes if name.casefold() not in name_of]
    if unknown:
        near = get_close_matches(unknown[0].casefold(), name_of, n=2, cutoff=0.5)
        like = " or ".join(repr(name_of[match]) for match in near)
        others = ", ".join(map(repr, unknown[1 : 1 + MAX_NAMED]))
        raise UserError(
            f"review.classes has {unknown[0]!r}, which is no class of the teachers"
            f"{f', nor are {others}' if others else ''}: write {like or 'names of label_vocabulary'}"
        )
    return list(dict.fromkeys(name_of[name.casefold()] for name in params.classes))
