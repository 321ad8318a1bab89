"""Probing sources: each is fetched, inspected in the decoder process, and becomes a row, usable or with a reason."""

from __future__ import annotations

import errno
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from xmodal_kedro.errors import MachineError, fault_of_machine
from xmodal_kedro.media.sandbox.isolation import isolated
from xmodal_kedro.media.sandbox.tasks import probe_file
from xmodal_kedro.params import IngestParams
from xmodal_kedro.reasons import PASSING, MediaError, describe
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import PROBES_ARROW
from xmodal_kedro.storage import PROVISIONAL_KEY, SAFE_PROTOCOLS, FileRef, protocol_of, sha256_of

logger = logging.getLogger(__name__)

VIDEO_ID_DIGITS = 32

NOTHING_KNOWN: dict[str, Any] = {
    "video_id": "",
    "duration_s": 0.0,
    "fps": 0.0,
    "width": 0,
    "height": 0,
    "rotation_deg": 0,
    "video_codec": "",
    "audio_codec": "",
    "sample_rate_hz": 0,
    "channels": 0,
    "video_track": -1,
    "audio_track": "",
    "channel_use": "",
    "level_change_db": 0.0,
    "bad_samples": 0,
    "clock_jumps": 0,
}


@dataclass(frozen=True)
class SourceFile:
    """A file to be probed."""

    file: FileRef

    @property
    def fingerprint(self) -> str:
        """What the listing reports of the file: a corpus is not read to find out whether it has changed."""
        return self.file.listing_mark


@recipe("probe", version=4, libraries=("av",))
def probe_shard(sources: tuple[SourceFile, ...], params: IngestParams) -> pa.Table:
    """Probe several sources.

    Returns:
        A `Probes` table with one row per source, including those that cannot be used. It is marked provisional if one
        of them failed for a temporary reason, so that it is probed again the next time.
    """
    rows = [probe_row(source.file, params) for source in sources]
    passing = sum(row["reason"] in PASSING for row in rows)
    table = pa.Table.from_pylist(rows, schema=PROBES_ARROW)
    return table.replace_schema_metadata({PROVISIONAL_KEY: f"{passing} to be tried again"} if passing else None)


def probe_row(file: FileRef, params: IngestParams) -> dict[str, Any]:
    """One row of `Probes`. A source that cannot be used has a reason.

    Raises:
        MachineError: if the decoder process cannot be used, or there is no room for a copy.
        OSError: if the machine is at fault.
    """
    row = {"uri": file.name, "size_bytes": file.size_bytes, "reason": "", "detail": "", **NOTHING_KNOWN}
    try:
        return {**row, **probe(file, params)}
    except MediaError as error:
        return {**row, "reason": error.reason, "detail": error.detail}
    except OSError as error:
        if fault_of_machine(error):
            raise
        reason = "too_many_bytes" if error.errno == errno.EFBIG else "unreadable"
        return {**row, "reason": reason, "detail": describe(error)}
    except MachineError:
        raise
    except Exception as error:  # a decoder may fail in any way, and must cost only its file
        logger.warning("%s: %s", file.name, describe(error), exc_info=True)
        return {**row, "reason": "corrupt", "detail": describe(error)}


def probe(file: FileRef, params: IngestParams) -> dict[str, Any]:
    """The columns of `Videos`. A remote file is fetched once, and only if its protocol and size are allowed.

    Raises:
        MediaError: if the file cannot be used.
        OSError: if it cannot be fetched; with `errno.EFBIG`, if it turns out to be too large.
    """
    if (protocol := protocol_of(file.path)) not in SAFE_PROTOCOLS:
        raise MediaError("forbidden_protocol", f"{protocol} is not on the list of safe ones")
    require_size(file.size_bytes, params)
    with file.fetched(1e9 * params.max_size_gb) as path:
        size_bytes = Path(path).stat().st_size
        require_size(size_bytes, params)
        (known,) = isolated(probe_file, path, params, timeout_s=params.limit_s(size_bytes))
        return {**known, "size_bytes": size_bytes, "video_id": sha256_of(path)[:VIDEO_ID_DIGITS]}


def require_size(size_bytes: int, params: IngestParams) -> None:
    """Check that a file is not too large.

    Raises:
        MediaError: `too_many_bytes`, if it is.
    """
    if size_bytes > 1e9 * params.max_size_gb:
        raise MediaError(
            "too_many_bytes", f"it has {size_bytes / 1e9:.2f} GB, ingest.max_size_gb is {params.max_size_gb:g}"
        )
