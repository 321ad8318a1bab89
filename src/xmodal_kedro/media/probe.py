"""Probing sources: what streams a file holds, and whether it can be used."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

import av
import pyarrow as pa
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from xmodal_kedro.handles import FileRef
from xmodal_kedro.media.container import MediaError, describe, find_stream, open_media, packets
from xmodal_kedro.media.frames import decode_alone, quarter_turns
from xmodal_kedro.params import IngestParams
from xmodal_kedro.schemas import PROBES_ARROW

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
}


@dataclass(frozen=True)
class Source:
    """A file to be probed."""

    file: FileRef

    @property
    def fingerprint(self) -> str:
        """Name, size and time of modification: a corpus is not read through to see whether it has changed."""
        return f"{self.file.name}:{self.file.size_bytes}:{self.file.modified_ns}"


def probe_shard(sources: tuple[Source, ...], params: IngestParams) -> pa.Table:
    """Probe several sources.

    Returns:
        A `Probes` table with one row a source, also for those that cannot be used.
    """
    return pa.Table.from_pylist([probe_row(source.file, params) for source in sources], schema=PROBES_ARROW)


def probe_row(file: FileRef, params: IngestParams) -> dict[str, Any]:
    """One row of `Probes`; a source that cannot be used has a reason, and never raises."""
    row = {"uri": file.name, "size_bytes": file.size_bytes, "reason": "", "detail": "", **NOTHING_KNOWN}
    try:
        return {**row, **probe(file.path, params), "video_id": file.sha256[:VIDEO_ID_DIGITS]}
    except MediaError as error:
        return {**row, "reason": error.reason, "detail": error.detail}
    except OSError as error:
        return {**row, "reason": "unreadable", "detail": describe(error)}
    except Exception as error:  # a decoder may fail in any way, and must cost only its file
        logger.warning("%s: %s", file.name, describe(error), exc_info=True)
        return {**row, "reason": "corrupt", "detail": describe(error)}


def probe(path: str, params: IngestParams) -> dict[str, Any]:
    """The columns of `Videos` that a file's streams tell.

    Raises:
        MediaError: if the file cannot be used.
    """
    with open_media(path) as container:
        if not container.streams.video and not container.streams.audio:
            raise MediaError("corrupt", "it has neither an audio nor a video stream")
        audio = find_stream(container.streams.audio)
        if audio is None:
            raise MediaError("no_audio", "there is no audio stream")
        video = find_stream(container.streams.video)
        if video is None:
            raise MediaError("no_picture", "there is no video stream")
        known = describe_streams(video, audio)
        duration_s = declared_duration_s(container) or measured_duration_s(path)
        known["rotation_deg"] = rotation_deg(container, video)
    if not duration_s:
        raise MediaError("corrupt", "it holds no packet with a time")
    if duration_s > params.max_duration_s:
        raise MediaError(
            "too_long", f"it lasts {duration_s:.0f} s, ingest.max_duration_s is {params.max_duration_s:g} s"
        )
    return {**known, "duration_s": duration_s}


def describe_streams(video: VideoStream, audio: AudioStream) -> dict[str, Any]:
    """Codecs, sizes and rates from the headers.

    Raises:
        MediaError: `corrupt`, if they lack what decoding needs.
    """
    known = {
        "fps": float(video.average_rate or video.guessed_rate or 0),
        "width": video.codec_context.width,
        "height": video.codec_context.height,
        "video_codec": video.codec_context.name,
        "audio_codec": audio.codec_context.name,
        "sample_rate_hz": audio.codec_context.sample_rate or 0,
        "channels": audio.codec_context.channels,
    }
    missing = [name for name in ("width", "height", "sample_rate_hz", "channels") if not known[name]]
    if missing:
        raise MediaError("corrupt", f"its streams do not tell their {', '.join(missing)}")
    return known


def declared_duration_s(container: InputContainer) -> float:
    """Duration from the container's header, else the longest of its streams', seconds; 0 if neither tells."""
    if container.duration and container.duration > 0:
        return container.duration / av.time_base
    return max(
        (
            float(stream.duration * stream.time_base)
            for stream in container.streams
            if stream.duration and stream.time_base
        ),
        default=0.0,
    )


def measured_duration_s(path: str) -> float:
    """Time from the first packet's start to the last one's end, seconds, without decoding; 0 if none has a time."""
    first_s, last_s = math.inf, -math.inf
    with open_media(path) as container:
        for packet in packets(container, *container.streams.video, *container.streams.audio):
            if packet.pts is not None:
                first_s = min(first_s, float(packet.pts * packet.time_base))
                last_s = max(last_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    return max(last_s - first_s, 0.0)


def rotation_deg(container: InputContainer, video: VideoStream) -> int:
    """Counter-clockwise turn, 0, 90, 180 or 270 degrees, that puts pictures upright, from the first keyframe.

    The display matrix reaches Python on decoded frames alone.
    """
    for packet in packets(container, video):
        if packet.is_keyframe:
            return next((90 * quarter_turns(frame.rotation) for frame in decode_alone(packet, video)), 0)
    return 0
