"""What is known to be heard and seen in some recordings, and so in some clips."""

from __future__ import annotations

import logging
import math
from collections import Counter, defaultdict
from collections.abc import Iterable

import pandas as pd

from xmodal_kedro.errors import UserError
from xmodal_kedro.labels.check.meaning import Meaning
from xmodal_kedro.sharding import members
from xmodal_kedro.storage import Shards

logger = logging.getLogger(__name__)

ASPECTS = ("heard", "seen")
SEPARATOR = "|"
"""Between several classes of a row: AudioSet's own names hold commas and semicolons do not stand out from these."""
HEARD_FROM_S = 0.5
"""How much of a row must lie in a clip to count there, seconds, or half of a shorter row: about half of a patch
of 0.96 s, the shortest input of an audio teacher."""
MAX_NAMED = 5


def read_truth(truth: pd.DataFrame) -> pd.DataFrame:
    """Check a truth as its file has it: columns `uri`, `heard` and/or `seen`, and `start_s` and `end_s`, or neither.

    A row says all that is heard, and all that is seen, from `start_s` to `end_s` of a recording; without them, in the
    whole of it. An empty cell says that there is nothing of any class. Other columns are ignored.

    Args:
        truth: cells as text, or as numbers in the columns of times.

    Returns:
        The table `Truth`.

    Raises:
        UserError: naming the column or the row that is wrong, and the remedy.
    """
    present = [name for name in ASPECTS if name in truth.columns]
    if "uri" not in truth.columns or not present:
        raise UserError(
            f"truth has the columns {', '.join(map(str, truth.columns)) or '-'}: call the one of the recordings uri, "
            "and the one of their classes heard or seen"
        )
    if not isinstance(truth.index, pd.RangeIndex):
        raise UserError("truth has rows of more cells than its header: put quotes around names that hold commas")
    checked = pd.DataFrame({"uri": truth["uri"].astype(str).str.strip()})
    checked["start_s"] = _seconds(truth, "start_s", 0.0)
    checked["end_s"] = _seconds(truth, "end_s", math.inf)
    for name in ASPECTS:
        checked[name] = truth[name].fillna("").astype(str).str.strip() if name in present else None
    _require(checked["uri"] != "", "has no uri: name its recording, or take the row out")
    _require(checked["start_s"] >= 0, "starts before 0 s: times count from the start of the recording, in seconds")
    _require(checked["end_s"] > checked["start_s"], "does not end after it starts: set start_s < end_s, in seconds")
    return checked


def classes_in(cell: str | None) -> list[str]:
    """The classes of a cell."""
    return [name for part in (cell or "").split(SEPARATOR) if (name := part.strip())]


def require_known_classes(truth: pd.DataFrame, meaning: Meaning) -> None:
    """Check every name.

    Args:
        truth: `Truth`.

    Raises:
        UserError: naming the unknown names, the row of the first, and names like it.
    """
    unknown: dict[str, str] = {}
    for aspect in ASPECTS:
        resolve = meaning.heard if aspect == "heard" else meaning.seen
        for row, cell in enumerate(truth[aspect], start=1):
            wrong = (name for name in classes_in(cell) if name not in unknown and not resolve(name))
            unknown.update((name, f"truth: row {row}: {aspect} holds {name!r}") for name in wrong)
    if unknown:
        first = next(iter(unknown))
        like = " or ".join(map(repr, meaning.nearest(first)))
        more = f"; {len(unknown) - 1} other name(s) too: {_some(list(unknown)[1:])}" if len(unknown) > 1 else ""
        raise UserError(
            f"{unknown[first]}, which is no sound of the ontology and no class of the teachers{more}: write a class "
            f"of theirs{f', such as {like},' if like else ''} or its AudioSet id, several joined by {SEPARATOR}, or "
            "take the row out"
        )


def find_clips(truth: pd.DataFrame, videos: pd.DataFrame, clips: Shards) -> pd.DataFrame:
    """The clips whose truth is known. Only shards that hold one are read.

    Args:
        truth: `Truth`.
        videos: `Videos`.
        clips: shards of `Clips`.

    Returns:
        The table `ClipTruth`.

    Raises:
        UserError: if no row is about a clip.
    """
    rows_of = _rows_by_video(truth, videos)
    columns = ["clip_id", "video_id", "start_s", "end_s"]
    found = []
    for key, video_ids in members(rows_of, clips).items():
        if not video_ids:
            continue
        spans = clips[key](columns=columns).to_pandas()
        spans = spans[spans["video_id"].isin(video_ids)]
        for clip_id, video_id, start_s, end_s in spans[columns].itertuples(index=False):
            rows = truth.iloc[rows_of[video_id]]
            rows = rows[_counts(rows, start_s, end_s)]
            if len(rows):
                found.append((key, clip_id, video_id, *(_joined(rows[name]) for name in ASPECTS)))
    if not found:
        raise UserError(
            f"truth is about no clip: its uris, such as {_some(truth['uri'])}, must be those of the videos, "
            f"such as {_some(videos['uri'])}, and its times lie within their clips"
        )
    logger.info("label_check: truth is known of %d clips of %d videos", len(found), len({row[2] for row in found}))
    return pd.DataFrame(found, columns=["shard", "clip_id", "video_id", *ASPECTS])


def _seconds(truth: pd.DataFrame, column: str, default: float) -> pd.Series:
    if column not in truth.columns:
        return pd.Series(default, index=truth.index, dtype="float64")
    cells = truth[column].where(truth[column].notna(), "").astype(str).str.strip()
    seconds = pd.to_numeric(cells.where(cells != "", str(default)), errors="coerce")
    _require(seconds.notna(), f"has a {column} that is no number: write seconds, or leave it empty", cells)
    return seconds.astype("float64")


def _require(holds: pd.Series, otherwise: str, cells: pd.Series | None = None) -> None:
    if not holds.all():
        row = int(holds.to_numpy().argmin())
        shown = f" ({cells.iloc[row]!r})" if cells is not None else ""
        raise UserError(f"truth: row {row + 1} {otherwise}{shown}")


def _rows_by_video(truth: pd.DataFrame, videos: pd.DataFrame) -> dict[str, list[int]]:
    """Positions of a video's rows. A uri may be given with more or fewer folders, where that is no ambiguity."""
    named = {_file_name(given) for given in truth["uri"]}
    video_of = {
        uri: video_id
        for uri, video_id in zip(videos["uri"], videos["video_id"], strict=True)
        if _file_name(uri) in named
    }
    tails = Counter(tail for uri in video_of for tail in _tails(uri))
    of_tail = {tail: uri for uri in video_of for tail in _tails(uri) if tail == uri or tails[tail] == 1}
    rows_of: defaultdict[str, list[int]] = defaultdict(list)
    missing = []
    for row, given in enumerate(truth["uri"]):
        uri = of_tail.get(given) or next((tail for tail in _tails(given) if tail in video_of), None)
        if uri is None:
            missing.append(given)
        else:
            rows_of[video_of[uri]].append(row)
    if missing:
        names = sorted(set(missing))
        logger.info("label_check: %d recordings of the truth are no video: %s", len(names), _some(names))
    return dict(rows_of)


def _file_name(uri: str) -> str:
    return uri.rpartition("/")[2]


def _tails(uri: str) -> list[str]:
    """A path and what is left of it without its first folder, its first two, and so on to the file's name."""
    parts = uri.split("/")
    return ["/".join(parts[at:]) for at in range(len(parts))]


def _counts(rows: pd.DataFrame, start_s: float, end_s: float) -> pd.Series:
    overlap_s = rows["end_s"].clip(upper=end_s) - rows["start_s"].clip(lower=start_s)
    return overlap_s >= ((rows["end_s"] - rows["start_s"]) / 2).clip(upper=HEARD_FROM_S)


def _joined(cells: Iterable[str | None]) -> str | None:
    known = [cell for cell in cells if isinstance(cell, str)]
    return SEPARATOR.join(dict.fromkeys(name for cell in known for name in classes_in(cell))) if known else None


def _some(names: Iterable[str]) -> str:
    shown = list(dict.fromkeys(names))
    return ", ".join(map(repr, shown[:MAX_NAMED])) + (", ..." if len(shown) > MAX_NAMED else "")
