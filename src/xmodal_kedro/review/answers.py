"""Answers of reviewers, as the page of `review` saves them: CSV with `clip_id, class, answer, reviewer, seconds`."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath

import pandas as pd

from xmodal_kedro.errors import UserError
from xmodal_kedro.review.clips import find_clips
from xmodal_kedro.schemas import ANSWERS
from xmodal_kedro.storage import FileRef, Folder, Shards
from xmodal_kedro.storage.text_tables import decode, find_column, read_table
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)

REQUIRED = ("clip_id", "class", "answer")
COLUMNS = (*REQUIRED, "reviewer", "seconds")
SUFFIX = ".csv"
HEARD = {"right": "right", "also": "right", "wrong": "wrong"}
"""Whether the class is heard, by an answer that says so."""
_GUARD = re.compile(r"'(?='*[=+\-@\t\r])")
"""What the page puts before a cell that a spreadsheet would take for a formula."""


def read_answers(files: Folder) -> pd.DataFrame:
    """All answers of a folder of CSV files.

    Of two answers of one reviewer to one question the later counts: that of the later row, and of files in the order
    of their names, so that a page that is saved twice gives its answers once. Files of other kinds are ignored. A file
    without `reviewer` is of the reviewer of its name; without `seconds`, they are 0.

    Returns:
        Columns `clip_id`, `name`, `answer`, `reviewer`, `seconds`, one row for each reviewer and question.

    Raises:
        UserError: naming the file, and the column or the row that is wrong.
    """
    rows = [
        row for name, file in files.items() if PurePosixPath(name).suffix.lower() == SUFFIX for row in _rows(name, file)
    ]
    table = pd.DataFrame(rows, columns=["clip_id", "name", "answer", "reviewer", "seconds"])
    table = table.astype({"seconds": "float64"})
    return table.drop_duplicates(["clip_id", "name", "reviewer"], keep="last", ignore_index=True)


def combine_answers(answers: pd.DataFrame) -> pd.DataFrame:
    """The answers of all reviewers to each question taken together: `schemas.ReviewedClips`.

    `unsure` counts if nobody says more. A class that was added as heard too, and that nobody was asked about, is not
    `asked`. Where some say right and others wrong, it is a `conflict`, and neither counts.

    Args:
        answers: as `read_answers` returns them.
    """
    rows = []
    for (clip_id, name), asked in answers.groupby(["clip_id", "name"], sort=True):
        said = {HEARD[answer] for answer in asked["answer"] if answer in HEARD}
        answer = said.pop() if len(said) == 1 else "conflict" if said else "unsure"
        was_asked = bool((asked["answer"] != "also").any())
        rows.append((clip_id, name, answer, was_asked, asked["reviewer"].nunique(), float(asked["seconds"].sum())))
    table = pd.DataFrame(rows, columns=["clip_id", "name", "answer", "asked", "reviewers", "seconds"])
    texts = dict.fromkeys(("clip_id", "name", "answer"), "str")
    return table.astype({**texts, "asked": "bool", "reviewers": "int64", "seconds": "float64"})


def _rows(name: str, file: FileRef) -> Iterator[tuple[str, str, str, str, float]]:
    try:
        header, rows = read_table(decode(file.read_bytes()).text, COLUMNS)
        places = {column: find_column(header, column) for column in COLUMNS}
    except ValueError as error:
        raise UserError(f"answers {name} {error}: save it from the review page again, as CSV in UTF-8") from error
    if missing := [column for column in REQUIRED if places[column] is None]:
        raise UserError(
            f"answers {name} has no column {' and no column '.join(missing)}: its columns are {', '.join(COLUMNS)}, as "
            "the review page saves them"
        )
    for number, row in enumerate(rows, start=1):
        clip_id, label, answer, reviewer, seconds = (
            "" if (place := places[column]) is None else _unguarded(row[place]) for column in COLUMNS
        )
        if answer.casefold() not in ANSWERS:
            raise UserError(
                f"answers {name}: row {number} has the answer {answer!r}: it is one of {', '.join(ANSWERS)}"
            )
        if not clip_id or not label:
            raise UserError(
                f"answers {name}: row {number} has no {'class' if clip_id else 'clip_id'}: take the row out"
            )
        yield (
            clip_id,
            unicodedata.normalize("NFC", label),
            answer.casefold(),
            reviewer or PurePosixPath(name).stem,
            _seconds(name, number, seconds),
        )


def _unguarded(cell: str) -> str:
    return cell[1:] if _GUARD.match(cell) else cell


def _seconds(name: str, number: int, cell: str) -> float:
    try:
        seconds = float(cell or 0)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UserError(f"answers {name}: row {number} has {cell!r} seconds: write a number, or leave the cell empty")
    return seconds


def known_answers(answers: pd.DataFrame, clips: Shards, folder: str) -> pd.DataFrame:
    """The answers about clips that are there, see `warn_of_lost`. Without any, a warning says where they are expected.

    Args:
        answers: as `read_answers` returns them.
        folder: where they are.
    """
    if answers.empty:
        logger.warning("there are no answers in %s yet: save them there from the page of the pipeline review", folder)
    return warn_of_lost(answers, set(find_clips(clips, answers["clip_id"].unique())["clip_id"]))


def warn_of_lost(answers: pd.DataFrame, known: set[str]) -> pd.DataFrame:
    """The answers about clips that are there; those about others stay in their files, and are counted in a warning.

    Args:
        answers: with a column `clip_id`.
        known: ids of clips.
    """
    is_known = answers["clip_id"].isin(known)
    if not is_known.all():
        lost = answers.loc[~is_known, "clip_id"].unique()
        logger.warning(
            "%s of clips that are no longer there, such as %s: they are kept in their files and not used",
            counted(int((~is_known).sum()), "answer is", "answers are"),
            lost[0],
        )
    return answers[is_known].reset_index(drop=True)
