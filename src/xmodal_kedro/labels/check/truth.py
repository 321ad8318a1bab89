"""What is known to be heard and seen in some recordings, and so in some clips."""

from __future__ import annotations

import logging
import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from xmodal_kedro.errors import UserError
from xmodal_kedro.labels.check.meaning import Meaning
from xmodal_kedro.sharding import members
from xmodal_kedro.storage import Shards
from xmodal_kedro.storage.file_names import WAYS, escaped, looks_alike
from xmodal_kedro.storage.text_tables import find_column, stripped
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)

ASPECTS = ("heard", "seen")
COLUMNS = ("uri", "start_s", "end_s", *ASPECTS)
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
    truth = _with_plain_columns(truth)
    present = [name for name in ASPECTS if name in truth.columns]
    if "uri" not in truth.columns or not present:
        raise UserError(
            f"truth has the columns {', '.join(map(str, truth.columns)) or '-'}: call the one of the recordings uri, "
            "and the one of their classes heard or seen"
        )
    if not isinstance(truth.index, pd.RangeIndex):
        raise UserError("truth has rows of more cells than its header: put quotes around names that hold commas")
    checked = pd.DataFrame({"uri": truth["uri"].astype(str).map(stripped)})
    checked["start_s"] = _seconds(truth, "start_s", 0.0)
    checked["end_s"] = _seconds(truth, "end_s", math.inf)
    for name in ASPECTS:
        checked[name] = _text(truth[name].fillna("")) if name in present else None
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
        others = list(unknown)[1:]
        more = f"; {counted(len(others), 'other name')} too: {_some(others)}" if others else ""
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
            f"truth is about no clip: its uris, such as {_some(truth['uri'], escaped)}, must be those of the videos, "
            f"such as {_some(videos['uri'], escaped)}, and its times lie within their clips"
        )
    numbers = counted(len(found), "clip"), counted(len({row[2] for row in found}), "video")
    logger.info("label_check: truth is known of %s of %s", *numbers)
    return pd.DataFrame(found, columns=["shard", "clip_id", "video_id", *ASPECTS])


def _with_plain_columns(truth: pd.DataFrame) -> pd.DataFrame:
    """The columns under the names that they are known by, in whatever case they are written."""
    header = list(map(str, truth.columns))
    try:
        places = {name: find_column(header, name) for name in COLUMNS}
    except ValueError as error:
        raise UserError(f"truth {error}: keep one of them") from error
    known = {header[place]: name for name, place in places.items() if place is not None}
    return truth.rename(columns={column: known.get(str(column), column) for column in truth.columns})


def _text(cells: pd.Series) -> pd.Series:
    return cells.astype(str).map(lambda cell: unicodedata.normalize("NFC", stripped(cell)))


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
    """Positions of a video's rows. A uri may be written in another way than the file is called, see `FileNames`, and
    with more or fewer folders, where it is clear which video is meant."""
    uri_of: dict[str, str] = {}
    for way in WAYS:
        remaining = [given for given in truth["uri"].unique() if given not in uri_of]
        uri_of |= _matches(remaining, videos["uri"], way) if remaining else {}
    video_of = dict(zip(videos["uri"], videos["video_id"], strict=True))
    rows_of: defaultdict[str, list[int]] = defaultdict(list)
    for row, given in enumerate(truth["uri"]):
        if given in uri_of:
            rows_of[video_of[uri_of[given]]].append(row)
    if missing := sorted(set(truth["uri"]) - uri_of.keys()):
        named = [_with_twin(given, videos["uri"]) for given in missing[:MAX_NAMED]]
        logger.info(
            "label_check: %s no video: %s",
            counted(len(missing), "recording of the truth is", "recordings of the truth are"),
            ", ".join(named) + (", ..." if len(missing) > MAX_NAMED else ""),
        )
    return dict(rows_of)


def _matches(given: Sequence[str], uris: Iterable[str], way: Callable[[str], str]) -> dict[str, str]:
    """The video that each name of the truth means, where exactly one is meant.

    A name and a uri match if they are equal, or end alike so that no other video does: either may have more folders.

    Args:
        given: names of the truth.
        uris: of the videos.
        way: is applied to both before they are compared, such as to ignore capitals.

    Returns:
        Uris by name; names that mean none or several are left out.
    """
    paths = {name: way(name) for name in given}
    named = {_file_name(path) for path in paths.values()}
    candidates: defaultdict[str, list[str]] = defaultdict(list)
    for uri in uris:
        if _file_name(path := way(uri)) in named:
            candidates[path].append(uri)
    tails = Counter(tail for path in candidates for tail in _tails(path))
    of_tail = {tail: path for path in candidates for tail in _tails(path) if tail == path or tails[tail] == 1}
    found = {}
    for name, path in paths.items():
        meant = of_tail.get(path) or next((tail for tail in _tails(path) if tail in candidates), None)
        if meant is not None and len(candidates[meant]) == 1:
            found[name] = candidates[meant][0]
    return found


def _with_twin(given: str, uris: Iterable[str]) -> str:
    """A name; where a video looks the same, both with their code points."""
    twin = next((uri for uri in uris if looks_alike(_file_name(given), _file_name(uri))), None)
    return repr(given) if twin is None else f"{escaped(given)} (there is {escaped(twin)})"


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


def _some(names: Iterable[str], show: Callable[[str], str] = repr) -> str:
    shown = list(dict.fromkeys(names))
    return ", ".join(map(show, shown[:MAX_NAMED])) + (", ..." if len(shown) > MAX_NAMED else "")
