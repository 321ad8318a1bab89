"""Clips of a shard of recordings: each is fetched, cut in the decoder process, and accounted for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from xmodal_kedro.errors import MachineError, fault_of_machine
from xmodal_kedro.media.accounting import ClippingReport, Row
from xmodal_kedro.media.clip_rows import Account, ClipRow, StreamUse
from xmodal_kedro.media.sandbox.isolation import isolated
from xmodal_kedro.media.sandbox.tasks import clip_file
from xmodal_kedro.params import ClipParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.reasons import MediaError, describe
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import CLIPS_ARROW
from xmodal_kedro.storage import FileRef

logger = logging.getLogger(__name__)

CLIPS_AT_A_TIME = 16
"""Max clips of one table: two or three megabytes, independent of the length of a recording."""

JPEG_BYTES = 20_000
"""Approximate size of a JPEG of 256 x 456 pixels at quality 90."""


@dataclass(frozen=True)
class VideoSource:
    """A usable recording.

    Attributes:
        video_id: hash of its content.
        uri: its name among the sources.
        file: the file; None if it is no longer among the sources.
        size_bytes: its size when it was probed.
        use: the streams of it that are used.
    """

    video_id: str
    uri: str
    file: FileRef | None
    size_bytes: int
    use: StreamUse

    @property
    def fingerprint(self) -> str:
        """Content, name and use. The location of the file does not change its clips."""
        return f"{self.video_id}:{self.uri}:{' '.join(map(str, self.use))}"


def estimated_bytes(duration_s: float, sound_only: bool, params: ClipParams) -> float:
    """Estimated size of a recording's clips, bytes."""
    frames_per_s = 0.0 if sound_only else params.frames_per_clip / params.target_s
    return duration_s * (2 * CLIP_SAMPLE_RATE_HZ + frames_per_s * JPEG_BYTES)


@recipe("clip", version=4, libraries=("av", "opencv-python"))
def clip_shard(sources: tuple[VideoSource, ...], params: ClipParams) -> Iterator[pa.Table]:
    """Cut several recordings into clips, one recording at a time, in memory that does not grow with their length.

    If a file crashes its decoder, only the rest of that file is lost.

    Yields:
        `Clips` tables as they fill. The last one, which may be empty, has the shard's `ClippingReport` as metadata.

    Raises:
        MachineError: if the decoder process cannot be started, or there is no room for a copy.
        OSError: if the machine is at fault.
    """
    report = ClippingReport()
    waiting: list[ClipRow] = []
    for source in sources:
        for clip in _clips_of(source, params, report):
            waiting.append(clip)
            if len(waiting) == CLIPS_AT_A_TIME:
                yield _taken(waiting)
    yield _taken(waiting).replace_schema_metadata(report.metadata())


def _clips_of(source: VideoSource, params: ClipParams, report: ClippingReport) -> Iterator[ClipRow]:
    """The clips of one recording. What became of the rest is added to the report."""
    clip_count = 0
    failure: Row | None = None
    try:
        for item in _cut(source, params):
            if isinstance(item, Account):
                report.silent_spans += item.silent_spans
                report.unseen_spans += item.unseen_spans
                failure = _row(source, *item.cut_short) if item.cut_short else None
            else:
                clip_count += 1
                yield item
    except MediaError as error:
        failure = _row(source, error.reason, error.detail)
    except MachineError:  # not the file's fault: the shard fails, and a new run tries it again
        raise
    except Exception as error:  # a decoder may fail in any way, and must cost only its file
        if fault_of_machine(error):
            raise
        logger.warning("%s: %s", source.uri, describe(error), exc_info=True)
        failure = _row(source, "corrupt", describe(error))
    if failure:
        (report.cut_short if clip_count else report.unclipped).append(failure)


def _cut(source: VideoSource, params: ClipParams) -> Iterator[ClipRow | Account]:
    """Fetch a recording and cut it.

    Raises:
        MediaError: `unreadable`, if it cannot be fetched; and what `clip_file` and `isolated` raise.
    """
    if source.file is None:
        raise MediaError("unreadable", "it is no longer among the sources: run ingest again")
    with ExitStack() as stack:
        try:
            path = stack.enter_context(source.file.fetched())
        except MachineError:
            raise
        except Exception as error:  # storage drivers raise errors of their own types
            if fault_of_machine(error):
                raise
            raise MediaError("unreadable", describe(error)) from error
        if Path(path).stat().st_size != source.size_bytes:
            raise MediaError("unreadable", "it is not the file that was probed: run ingest again")
        limit_s = params.limit_s(source.size_bytes)
        yield from isolated(clip_file, path, source.video_id, params, source.use, timeout_s=limit_s)


def _row(source: VideoSource, reason: str, detail: str) -> Row:
    return {"video_id": source.video_id, "uri": source.uri, "reason": reason, "detail": detail}


def _taken(clips: list[ClipRow]) -> pa.Table:
    """A table of the clips, which are taken out of the list, so that they are not held twice while it is stored."""
    table = pa.Table.from_pylist([clip._asdict() for clip in clips], schema=CLIPS_ARROW)
    clips.clear()
    return table
