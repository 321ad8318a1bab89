"""What the readers of all benchmarks share: tables of text, the sounds they list, and splits that measure something."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark, Size, Split
from xmodal_kedro.storage import FileRef, Folder
from xmodal_kedro.storage.file_names import FileNames, escaped
from xmodal_kedro.storage.text_tables import FALLBACK, decode, find_column, read_table
from xmodal_kedro.wording import counted, warn_once

logger = logging.getLogger(__name__)

AUDIO_SUFFIXES = (".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav", ".wma")
"""By which a file that no metadata lists is taken for a sound that was forgotten."""

_NAMED = 3
_NAMED_DIVIDED = 20
_NO_FRACTION = re.compile(r"[.,]0+$")
"""What spreadsheets write after whole numbers."""


@dataclass(frozen=True)
class BenchmarkFolder:
    """The folder that a benchmark is read from.

    Attributes:
        folder: its files.
        title: the benchmark's name.
        page: the official page, or the one that describes the layout.
        remedy: what to do about wrong metadata.
        completion: what to do about files that are missing.
    """

    folder: Folder
    title: str
    page: str
    remedy: str = "take the file from the benchmark's archive"
    completion: str = "complete the folder from the benchmark's archive"

    def place(self, name: str) -> str:
        """Where the file `name` is, to name it by."""
        return f"{self.folder.root}/{name}"

    def wrong(self, name: str, what: str) -> UserError:
        """The error that the file `name` is wrong, with what can be done."""
        return UserError(f"{self.place(name)} {what}: {self.remedy} ({self.page})")

    def text(self, name: str) -> str:
        """Content of a text file.

        Raises:
            FileNotFoundError: if it is not there.
            UserError: if it is empty, or neither UTF-8, UTF-16 nor Windows-1252.
        """
        if name not in self.folder:
            raise FileNotFoundError(
                f"{self.place(name)} is missing: name the folder of {self.title} that has it ({self.page})"
            )
        try:
            text, encoding = decode(self.folder[name].read_bytes())
        except ValueError as error:
            raise self.wrong(name, str(error)) from error
        if encoding == FALLBACK:
            warn_once(logger, f"{self.place(name)} is not UTF-8 and is read as Windows-1252: store it as UTF-8")
        if not text.strip():
            raise self.wrong(name, "is empty")
        return text

    def table(
        self,
        name: str,
        columns: Sequence[str],
        optional: Sequence[str] = (),
        separator: str | None = None,
        header: bool = True,
    ) -> pd.DataFrame:
        """Rows of a table, as strings without spaces at their ends, of which none is blank in the required columns.

        Args:
            columns: those that must be there; without a header, what the first ones are called.
            optional: those that may be there.
            separator: between cells, if the layout says; else comma, semicolon or tab.
            header: whether the first line names the columns, in whatever case.

        Raises:
            FileNotFoundError, UserError: as `text`; also if it is no table, lacks a column or a value, or has no row.
        """
        try:
            names, rows = read_table(self.text(name), columns, separator, header)
            places = {column: find_column(names, column) for column in [*columns, *optional]}
        except UserError:
            raise
        except ValueError as error:
            raise self.wrong(name, str(error)) from error
        if not header:
            width = max(map(len, rows), default=0)
            names, rows = [*columns, *map(str, range(width))][:width], [row + [""] * (width - len(row)) for row in rows]
            places = {column: place for place, column in enumerate(names) if column in columns}
        if lacking := [column for column in columns if places.get(column) is None]:
            raise self.wrong(name, f"has no column {', '.join(lacking)}")
        named = {place: column for column, place in places.items() if place is not None}
        table = pd.DataFrame(rows, columns=[named.get(place, column) for place, column in enumerate(names)], dtype=str)
        if table.empty:
            raise self.wrong(name, "lists no clip")
        self._require_filled(name, table, [*columns, *(column for column in optional if column in table)])
        return table

    def _require_filled(self, name: str, table: pd.DataFrame, columns: Sequence[str]) -> None:
        for column in columns:
            if (blank := np.flatnonzero(table[column] == "")).size:
                raise self.wrong(name, f"has no {column} in row {blank[0] + 1}")

    def folds(self, name: str, values: pd.Series, official: Sequence[int] | None = None) -> NDArray[np.int64]:
        """Folds of the clips, numbers from 1 on.

        Args:
            name: the file that has them.
            values: as they are written there.
            official: all that there are, where the protocol says.

        Raises:
            UserError: naming a fold that is no such number, or the folds that are not the official ones.
        """
        whole = values.str.replace(_NO_FRACTION, "", regex=True)
        if len(wrong := values[~whole.str.fullmatch("0*[1-9][0-9]{0,8}")]):
            raise self.wrong(name, f"has the fold {wrong.iloc[0]!r}, which is no whole number from 1 on")
        folds = whole.to_numpy(np.int64)
        found = tuple(np.unique(folds).tolist())
        if official is not None and found != tuple(official):
            raise self.wrong(name, f"has the folds {found} where the official ones are {tuple(official)}")
        return folds

    def require_once(self, name: str, values: Sequence[str]) -> None:
        """Refuse what is listed twice.

        Raises:
            UserError: naming some of it.
        """
        listed = pd.Series(values)
        if twice := listed[listed.duplicated()].unique().tolist():
            raise self.wrong(name, f"lists {counted(len(twice), 'file')} twice, such as {', '.join(twice[:_NAMED])}")

    def sounds(self, name: str, files: Sequence[str], others: Sequence[str] = ()) -> tuple[FileRef, ...]:
        """The files of a benchmark. Sounds in the folder that are not listed are reported in a warning, and not used.

        Args:
            name: the file that lists them.
            files: their names as they are written there; see `FileNames` for what may differ.
            others: names that it lists besides.

        Raises:
            FileNotFoundError: if some are not there.
            UserError: if a name may mean several files.
        """
        names = FileNames(self.folder, self.folder.root)
        found = {file: names.find(file) for file in [*files, *others]}
        if unclear := [file for file in files if len(found[file]) > 1]:
            meant = ", ".join(map(escaped, found[unclear[0]]))
            raise self.wrong(name, f"names {escaped(unclear[0])}, which may be any of {meant}")
        known = {match for matches in found.values() for match in matches}
        if missing := [file for file in files if not found[file]]:
            raise FileNotFoundError(
                f"{self.folder.root} lacks {len(missing)} of the {len(files)} sounds that {name} lists, such as "
                f"{', '.join(_with_twin(file, names, known) for file in missing[:_NAMED])}: {self.completion}, or "
                f"correct the names ({self.page})"
            )
        extra = [file for file in self.folder if file.lower().endswith(AUDIO_SUFFIXES) and file not in known]
        if extra:
            what, them = counted(len(extra), "sound is", "sounds are"), "it" if len(extra) == 1 else "them"
            some = ", ".join(extra[:_NAMED])
            warn_once(logger, f"{self.folder.root}: {what} not used, since {name} does not list {them}, such as {some}")
        return tuple(self.folder[found[file][0]] for file in files)

    def divided(self, noun: str, sources: Sequence[str] | pd.Series, splits: Sequence[Split]) -> tuple[str, ...]:
        """Recordings or places of which some clips are trained on and others tested on in a split; also in a warning.

        Args:
            noun: what the sources are, in the singular.
            sources: where each clip comes from.
            splits: the official divisions, which are used as they are.
        """
        of_clip = np.asarray(sources, dtype=object)
        found = sorted({name for split in splits for name in {*of_clip[split.train]} & {*of_clip[split.test]}})
        if found:
            what = counted(len(found), f"{noun} is", f"{noun}s are")
            names = ", ".join(found[:_NAMED_DIVIDED]) + (", ..." if len(found) > _NAMED_DIVIDED else "")
            warn_once(
                logger, f"{self.folder.root}: by its official division {what} both trained and tested on: {names}"
            )
        return tuple(found)

    def benchmark(
        self,
        name: str,
        clips: pd.DataFrame,
        splits: tuple[Split, ...],
        size: Size | None,
        divided_by: str = "",
        others: Sequence[str] = (),
    ) -> Benchmark:
        """The benchmark of these clips, once its files are there and its splits measure something.

        Args:
            name: the file that lists the clips.
            clips: as `Benchmark.clips`.
            splits: its divisions.
            size: as published, to find out whether it is complete; None of what is not published.
            divided_by: the file that has the splits, where that is another.
            others: files that are listed besides, and no part of it.

        Raises:
            FileNotFoundError: as `sounds`.
            UserError: if a file is listed twice, a clip is both trained and tested on, or a class is tested in a split
                that does not train on it.
        """
        self.require_once(name, [*clips["file"], *others])
        audio = self.sounds(name, clips["file"].to_list(), others)
        categories = clips["category"].map(lambda label: unicodedata.normalize("NFC", label))
        clips = clips.assign(file=[file.name for file in audio], category=categories)
        self.require_once(name, clips["file"].to_list())
        self._warn_of_alike(name, categories.unique().tolist())
        for split in splits:
            self._check_split(divided_by or name, split, clips)
        complete = size is None or (len(clips), clips["category"].nunique()) == size
        return Benchmark(clips.reset_index(drop=True), audio, splits, complete)

    def _warn_of_alike(self, name: str, categories: Sequence[str]) -> None:
        """Warn of classes whose names differ in nothing but capitals or spaces: one may be a slip of the other."""
        alike = pd.Series(categories).groupby([_plain(category) for category in categories], sort=False).agg(list)
        for names in alike[alike.map(len) > 1]:
            shown = " and ".join(map(escaped, names))
            warn_once(logger, f"{self.place(name)}: {shown} are taken for different classes")

    def _check_split(self, name: str, split: Split, clips: pd.DataFrame) -> None:
        both = clips["file"].iloc[np.intersect1d(split.train, split.test)].to_list()
        if both:
            raise self.wrong(
                name, f"has clips both trained and tested on in split {split.fold}, such as {', '.join(both[:_NAMED])}"
            )
        trained, tested = (clips["category"].iloc[part].value_counts(sort=False) for part in (split.train, split.test))
        if unknown := sorted({*tested.index} - {*trained.index}):
            raise self.wrong(
                name,
                f"has no clip of {', '.join(unknown[:_NAMED])} to train on where fold {split.fold} is tested, so that "
                f"nothing can learn it: all {tested[unknown[0]]} of {unknown[0]} are in that fold, and at least 1 must "
                "be in another",
            )
        if len(trained) == 1:
            raise self.wrong(
                name,
                f"has clips of {trained.index[0]} alone ({trained.iloc[0]}) to train on where fold {split.fold} is "
                "tested: at least 2 classes with 1 clip each are needed",
            )


def _with_twin(file: str, names: FileNames, known: Collection[str]) -> str:
    """A file that is missing; where another looks the same, both with their code points."""
    twin = names.look_alike(file, known)
    shown = file if file.isascii() and twin is None else escaped(file)
    return shown if twin is None else f"{shown} (there is {escaped(twin)})"


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
