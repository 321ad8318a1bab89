"""What the readers of all benchmarks share: tables of text, the sounds they list, and splits that measure something."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark, Size, Split
from xmodal_kedro.storage import FileRef, Folder

logger = logging.getLogger(__name__)

AUDIO_SUFFIXES = (".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav", ".wma")
"""By which a file that no metadata lists is taken for a sound that was forgotten."""

_NAMED = 3


@dataclass(frozen=True)
class BenchmarkFolder:
    """The folder that a benchmark is read from.

    Attributes:
        folder: its files.
        title: the benchmark's name.
        page: the official page, or the one that describes the layout.
        remedy: what to do about wrong metadata.
    """

    folder: Folder
    title: str
    page: str
    remedy: str = "take the file from the benchmark's archive"

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
            UserError: if it is empty, or not UTF-8.
        """
        if name not in self.folder:
            raise FileNotFoundError(
                f"{self.place(name)} is missing: name the folder of {self.title} that has it ({self.page})"
            )
        try:
            text = self.folder[name].read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise self.wrong(name, f"is not UTF-8 text (byte {error.start})") from error
        if not text.strip():
            raise self.wrong(name, "is empty")
        return text

    def table(
        self,
        name: str,
        columns: Sequence[str],
        optional: Sequence[str] = (),
        separator: str = ",",
        header: bool = True,
    ) -> pd.DataFrame:
        """Rows of a table, as strings of which none is blank in the required columns.

        Args:
            columns: those that must be there; without a header, what the first ones are called.
            optional: those that may be there.
            header: whether the first line names the columns.

        Raises:
            FileNotFoundError, UserError: as `text`; also if it is no table, lacks a column or a value, or has no row.
        """
        text = self.text(name)
        try:
            table = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                header=0 if header else None,
                dtype=str,
                keep_default_na=False,
                index_col=False,
                skipinitialspace=True,
            ).fillna("")
        except pd.errors.ParserError as error:
            raise self.wrong(name, f"is no table ({error})") from error
        if not header:
            table.columns = pd.Index([*columns[: table.shape[1]], *range(len(columns), table.shape[1])], dtype=object)
        if lacking := [column for column in columns if column not in table]:
            raise self.wrong(name, f"has no column {', '.join(lacking)}")
        if table.empty:
            raise self.wrong(name, "lists no clip")
        self._require_filled(name, table, [*columns, *(column for column in optional if column in table)])
        return table

    def _require_filled(self, name: str, table: pd.DataFrame, columns: Sequence[str]) -> None:
        for column in columns:
            if (blank := np.flatnonzero(table[column].str.strip() == "")).size:
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
        if len(wrong := values[~values.str.fullmatch("0*[1-9][0-9]{0,8}")]):
            raise self.wrong(name, f"has the fold {wrong.iloc[0]!r}, which is no whole number from 1 on")
        folds = values.to_numpy(np.int64)
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
            raise self.wrong(name, f"lists {len(twice)} files twice, such as {', '.join(twice[:_NAMED])}")

    def sounds(self, name: str, files: Sequence[str], others: Sequence[str] = ()) -> tuple[FileRef, ...]:
        """The files of a benchmark. Sounds in the folder that are not listed are reported in a warning, and not used.

        Args:
            name: the file that lists them.
            files: their names in the folder.
            others: names that it lists besides.

        Raises:
            FileNotFoundError: if some are not there.
        """
        if missing := [file for file in files if file not in self.folder]:
            raise FileNotFoundError(
                f"{self.folder.root} lacks {len(missing)} of the {len(files)} sounds that {name} lists, such as "
                f"{', '.join(missing[:_NAMED])}: complete the folder from the benchmark's archive ({self.page})"
            )
        known = {*files, *others}
        extra = [file for file in self.folder if file.lower().endswith(AUDIO_SUFFIXES) and file not in known]
        if extra:
            logger.warning(
                "%s: %d sounds are not used, since %s does not list them, such as %s",
                *(self.folder.root, len(extra), name, ", ".join(extra[:_NAMED])),
            )
        return tuple(self.folder[file] for file in files)

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
        for split in splits:
            self._check_split(divided_by or name, split, clips)
        complete = size is None or (len(clips), clips["category"].nunique()) == size
        return Benchmark(clips.reset_index(drop=True), audio, splits, complete)

    def _check_split(self, name: str, split: Split, clips: pd.DataFrame) -> None:
        both = clips["file"].iloc[np.intersect1d(split.train, split.test)].to_list()
        if both:
            raise self.wrong(
                name, f"has clips both trained and tested on in split {split.fold}, such as {', '.join(both[:_NAMED])}"
            )
        categories = clips["category"]
        if unknown := sorted({*categories.iloc[split.test]} - {*categories.iloc[split.train]}):
            raise self.wrong(
                name,
                f"has no clip of {', '.join(unknown[:_NAMED])} to train on where fold {split.fold} is tested, so that "
                "nothing can learn it",
            )
