"""Cutting videos into clips of sound and pictures."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from av.container import InputContainer
from av.video.stream import VideoStream

from xmodal_kedro.media.container import MediaError, describe, find_stream, open_media, packets
from xmodal_kedro.media.decode import LONGEST_GAP_S, SoundTrack
from xmodal_kedro.media.frames import KeyframePictures, Picture, ReferencePictures
from xmodal_kedro.media.spans import Span, pick_spread, plan_spans, rms_dbfs
from xmodal_kedro.params import ClipParams
from xmodal_kedro.schemas import CLIP_SAMPLE_RATE_HZ, CLIPS_ARROW

logger = logging.getLogger(__name__)

SAMPLES_PER_MS = CLIP_SAMPLE_RATE_HZ // 1000


@dataclass(frozen=True)
class VideoSource:
    """A usable video and where it lies."""

    video_id: str
    uri: str
    path: str

    @property
    def fingerprint(self) -> str:
        """Content and name: where the file lies does not change its clips."""
        return f"{self.video_id}:{self.uri}"


@dataclass(frozen=True)
class Recording:
    """What one pass over a video gave.

    Attributes:
        audio: int16 [samples], 16 kHz mono, from the start of the presentation.
        pictures: keyframes, in order of time.
        origin_s: start of the presentation in the file's own clock; the times of `pictures` count from it.
        keyframe_times_s: all keyframes, in the file's own clock.
    """

    audio: np.ndarray
    pictures: list[Picture]
    origin_s: float
    keyframe_times_s: list[float]


@dataclass(frozen=True)
class VideoClips:
    """The clips of one video, as rows of `clips`, and the number of spans dropped."""

    rows: list[dict[str, Any]]
    silent_spans: int
    unseen_spans: int


def clip_shard(sources: tuple[VideoSource, ...], params: ClipParams) -> pa.Table:
    """Clips of several videos, one video at a time.

    Returns:
        A `Clips` table. Its schema's metadata holds `unclipped` (JSON list of `UnclippedVideos` rows: the videos that
        gave no clip), `silent_spans` and `unseen_spans` (spans dropped for want of sound or of a picture).
    """
    cv2.setNumThreads(1)  # shards run in parallel, one process each
    rows: list[dict[str, Any]] = []
    unclipped: list[dict[str, str]] = []
    silent_spans = unseen_spans = 0
    for source in sources:
        try:
            clips = clip_video(source.path, source.video_id, params)
        except MediaError as error:
            unclipped.append(_unclipped(source, error.reason, error.detail))
        except Exception as error:  # a decoder may fail in any way, and must cost only its file
            logger.warning("%s: %s", source.uri, describe(error), exc_info=True)
            unclipped.append(_unclipped(source, "corrupt", describe(error)))
        else:
            rows.extend(clips.rows)
            silent_spans += clips.silent_spans
            unseen_spans += clips.unseen_spans
    counts = {"silent_spans": str(silent_spans), "unseen_spans": str(unseen_spans)}
    table = pa.Table.from_pylist(rows, schema=CLIPS_ARROW)
    return table.replace_schema_metadata({"unclipped": json.dumps(unclipped), **counts})


def _unclipped(source: VideoSource, reason: str, detail: str) -> dict[str, str]:
    return {"video_id": source.video_id, "uri": source.uri, "reason": reason, "detail": detail}


def clip_video(path: str, video_id: str, params: ClipParams) -> VideoClips:
    """Cut one video into clips.

    Raises:
        MediaError: with the reason, if it gives no clip.
    """
    deadline = time.monotonic() + params.timeout_s
    recording = read_recording(path, params, deadline)
    spans = plan_spans(recording.audio.size / CLIP_SAMPLE_RATE_HZ, params)
    if not spans:
        seconds = recording.audio.size / CLIP_SAMPLE_RATE_HZ
        raise MediaError("too_short", f"its sound lasts {seconds:.3f} s, clip.min_s is {params.min_s:g} s")
    levels = {span: rms_dbfs(cut(recording.audio, span)) for span in spans}
    heard = [span for span in spans if levels[span] >= params.silence_dbfs]
    if not heard:
        raise MediaError("silent", f"its loudest span has {max(levels.values()):.1f} dBFS")
    pictures = pictures_of_spans(path, heard, recording, params, deadline)
    if not any(pictures.values()):
        raise MediaError("corrupt", "no picture could be decoded")
    rows = [
        {
            "clip_id": f"{video_id}-{span.start_ms:08d}",
            "video_id": video_id,
            "start_s": span.start_s,
            "end_s": span.end_s,
            "audio": cut(recording.audio, span).data,
            "audio_rms_dbfs": levels[span],
            "frames": [picture.jpeg for picture in shown],
            "frame_times_s": [picture.time_s for picture in shown],
        }
        for span, shown in pictures.items()
        if shown
    ]
    return VideoClips(rows, len(spans) - len(heard), len(heard) - len(rows))


def cut(audio: np.ndarray, span: Span) -> np.ndarray:
    """The samples of a span: int16 [samples]."""
    return audio[span.start_ms * SAMPLES_PER_MS : span.end_ms * SAMPLES_PER_MS]


def read_recording(path: str, params: ClipParams, deadline: float) -> Recording:
    """Demux a video once: all of its sound, and its keyframes.

    Raises:
        MediaError: if a stream is missing, no sound can be decoded, or the deadline (`time.monotonic()`) has passed.
    """
    with open_media(path) as container:
        video = find_picture_stream(container)
        audio = find_stream(container.streams.audio)
        if audio is None:
            raise MediaError("no_audio", "there is no audio stream")
        sound, keyframes = SoundTrack(audio, CLIP_SAMPLE_RATE_HZ), KeyframePictures(video, params)
        for packet in packets(container, video, audio, deadline=deadline):
            if packet.stream_index == audio.index:
                sound.look_at(packet)
            else:
                keyframes.look_at(packet)
        sound.finish()
        seen_from_s = stream_start_s(video, keyframes.keyframe_times_s)
    if sound.start_s is None:
        raise MediaError("corrupt", "no sound could be decoded")
    lead_s, origin_s = align(sound.start_s, seen_from_s)
    lead = round(lead_s * CLIP_SAMPLE_RATE_HZ)
    samples = np.concatenate([np.zeros(lead, np.int16), sound.samples]) if lead else sound.samples
    pictures = [Picture(picture.time_s - origin_s, picture.jpeg) for picture in keyframes.pictures]
    pictures.sort(key=lambda picture: picture.time_s)
    return Recording(samples, pictures, origin_s, keyframes.keyframe_times_s)


def find_picture_stream(container: InputContainer) -> VideoStream:
    """The video stream to use.

    Raises:
        MediaError: `no_picture`, if there is none.
    """
    video = find_stream(container.streams.video)
    if video is None:
        raise MediaError("no_picture", "there is no video stream")
    return video


def stream_start_s(stream: VideoStream, keyframe_times_s: list[float]) -> float | None:
    """When a stream begins in the file's own clock, from its header, else from its first keyframe; None if unknown."""
    if stream.start_time is not None and stream.time_base is not None:
        return float(stream.start_time * stream.time_base)
    return min(keyframe_times_s, default=None)


def align(sound_start_s: float, seen_from_s: float | None) -> tuple[float, float]:
    """Put sound and pictures on one clock that starts with whichever comes first.

    Two streams that begin hours apart have unrelated clocks: then each starts at zero.

    Returns:
        Silence before the first sample, and what to subtract from picture times, both seconds.
    """
    if seen_from_s is None:
        return 0.0, sound_start_s
    if abs(sound_start_s - seen_from_s) > LONGEST_GAP_S:
        return 0.0, seen_from_s
    origin_s = min(sound_start_s, seen_from_s)
    return sound_start_s - origin_s, origin_s


def pictures_of_spans(
    path: str, spans: list[Span], recording: Recording, params: ClipParams, deadline: float
) -> dict[Span, list[Picture]]:
    """The pictures of each span: its keyframes, or one reference frame found in a second pass over the file."""
    times_s = [picture.time_s for picture in recording.pictures]
    shown = {
        span: [recording.pictures[index] for index in pick_spread(times_s, span, params.frames_per_clip)]
        for span in spans
    }
    origin_s = recording.origin_s
    stretches_s = {(span.start_s + origin_s, span.end_s + origin_s): span for span in spans if not shown[span]}
    if stretches_s:
        with open_media(path) as container:
            video = find_picture_stream(container)
            search = ReferencePictures(video, list(stretches_s), recording.keyframe_times_s, params)
            for packet in packets(container, video, deadline=deadline):
                search.look_at(packet)
                if search.done:
                    break
            search.finish()
        for stretch_s, picture in search.pictures.items():
            shown[stretches_s[stretch_s]] = [Picture(picture.time_s - origin_s, picture.jpeg)]
    return shown
