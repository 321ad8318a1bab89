"""Fetches ESC-50's own archive, and checks what it holds: its host makes the archive anew, with other bytes."""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

import pandas as pd

from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.benchmarks.esc50 import COMPLETE, FOLDS, METADATA, PAGE
from xmodal_kedro.progress import ProgressBar, watched
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)

ARCHIVE_URL = "https://github.com/karolpiczak/ESC-50/archive/master.zip"
URL_VARIABLE = "XMODAL_ESC50_URL"
"""The environment variable that names another address of the archive, such as a mirror's."""
FETCHABLE = ("esc50", "esc10")
"""Benchmarks that the archive holds."""
TIMEOUT_S = 30.0
CLIPS_PER_CLASS = 40
NAME = re.compile(r"(?P<fold>[1-5])-\d+-[A-Z]-(?P<target>\d+)\.wav")
"""Fold, recording, take and class of a clip."""
WANTED = re.compile(r"meta/esc50\.csv|audio/[^/]+\.wav|LICENSE|README\.md")
PARTIAL_PREFIX = ".partial-"


def fetch_esc50(folder: str) -> None:
    """Fetch ESC-50 into a folder, unless it is there already. A folder appears only once it is whole.

    Args:
        folder: local path; its parent is made.

    Raises:
        UserError: the archive cannot be fetched, or is not ESC-50; names its address and the remedy.
    """
    place = Path(folder)
    if (place / METADATA).is_file():
        return
    url = os.environ.get(URL_VARIABLE) or ARCHIVE_URL
    place.parent.mkdir(parents=True, exist_ok=True)
    for left in place.parent.glob(f"{PARTIAL_PREFIX}{place.name}-*"):  # by runs that were killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{PARTIAL_PREFIX}{place.name}-", dir=place.parent) as partial:
        try:
            archive = _download(url, Path(partial))
            unpacked = _unpack(archive, Path(partial, "unpacked"))
            require_esc50(unpacked)
            unpacked.replace(place)
        except Exception as error:  # of the transport, of the archive, and of storage
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise UserError(
                f"ESC-50 cannot be fetched from {url} ({reason}): run again, or unpack it yourself ({PAGE}) and name "
                f"its folder with --params {place.name}=FOLDER"
            ) from error
    logger.info("ESC-50 is in %s; its sounds are licensed CC BY-NC 3.0, those of ESC-10 CC BY 3.0", place)


def require_esc50(folder: Path) -> None:
    """Check names and counts of clips.

    Raises:
        UserError: saying what is not as in ESC-50.
    """
    try:
        table = pd.read_csv(folder / METADATA, dtype=str).fillna("")
        names, folds = table["filename"], table["fold"]
        categories = table["category"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"it has no {METADATA} with filename, fold and category") from error
    size = COMPLETE["esc50"]
    counts = categories.value_counts()
    if len(table) != size.clips or names.nunique() != size.clips:
        raise UserError(f"it lists {counted(names.nunique(), 'clip')}, not {size.clips}")
    if len(counts) != size.classes or (counts != CLIPS_PER_CLASS).any():
        raise UserError(f"it does not have {size.classes} classes of {CLIPS_PER_CLASS} clips")
    if (folds.value_counts().reindex(list(map(str, FOLDS))) != size.clips / len(FOLDS)).any():
        raise UserError(f"its folds are not {len(FOLDS)} of {size.clips // len(FOLDS)} clips")
    targets = table["target"] if "target" in table else [""] * len(table)
    for name, fold, target in zip(names, folds, targets, strict=True):
        parts = NAME.fullmatch(name)
        if not parts or parts["fold"] != fold or target not in ("", parts["target"]):
            raise UserError(f"the clip {name!r} is not named after its fold and class")
        if not (folder / "audio" / name).is_file():
            raise UserError(f"the clip audio/{name} is missing")


def _download(url: str, folder: Path) -> Path:
    import pooch

    pooch.get_logger().setLevel("WARNING")  # it logs a hash, which nobody can compare
    logger.info("fetching ESC-50 from %s, some 600 MB", url)
    with ProgressBar(desc="ESC-50", total=None, unit="B", unit_scale=True) as bar:
        downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=TIMEOUT_S)
        return Path(pooch.retrieve(url, known_hash=None, fname="esc50.zip", path=folder, downloader=downloader))


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack metadata, sounds and licence, whatever the archive's outermost folder is called."""
    with zipfile.ZipFile(archive) as packed:
        members = {}
        for member in packed.infolist():
            name = "/".join(PurePosixPath(member.filename).parts[1:])
            if WANTED.fullmatch(name) and not member.is_dir():
                members[name] = member
        for name, member in watched(members.items(), "unpacking ESC-50", total=len(members), unit="files"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with packed.open(member) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target)
    folder.mkdir(exist_ok=True)
    archive.unlink()
    return folder
