"""Metadata of a file's streams, and whether it can be used. Runs in the decoder process."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from xmodal_kedro.media.container import declared_duration_s, decode, find_stream, open_media, packets
from xmodal_kedro.media.frames import Turn
from xmodal_kedro.media.video_stream import choose_video
from xmodal_kedro.params import IngestParams
from xmodal_kedro.reasons import MediaError

SOUND_ALONE: dict[str, Any] = {"fps": 0.0, "width": 0, "height": 0, "rotation_deg": 0, "video_codec": ""}
"""Video columns of `videos` for a recording without video."""


def probe_file(path: str, params: IngestParams) -> Iterator[dict[str, Any]]:
    """Check and describe a file's streams, cheapest checks first.

    Args:
        path: of a local file.

    Yields:
        One row: the columns of `Videos` that come from the streams.

    Raises:
        MediaError: if the file cannot be used.
    """
    with open_media(path) as container:
        count = len(container.streams)
        if count > params.max_streams:
            raise MediaError("too_many_streams", f"it has {count}, ingest.max_streams is {params.max_streams}")
        if not count:
            raise MediaError("corrupt", "it holds no stream")
        audio = find_stream(container.streams.audio)
        if audio is None:
            raise MediaError("no_audio", "there is no audio stream")
        video = picture_stream(path, container, params)
        row = {**describe_sound(audio), **(describe_pictures(path, video, params) if video else SOUND_ALONE)}
        row["duration_s"] = duration_s(path, container, params)
        if video:
            row["rotation_deg"] = rotation_deg(container, video)
    yield row


def picture_stream(path: str, container: InputContainer, params: IngestParams) -> VideoStream | None:
    """The video stream to use; None if only the audio of the file is used.

    Raises:
        MediaError: `no_picture` or `unknown_codec`, unless `ingest.audio_only` is set.
    """
    try:
        video = choose_video(path, container, params.video_track)
    except MediaError:
        if params.audio_only:
            return None
        raise
    if video is None and not params.audio_only:
        raise MediaError("no_picture", "there is no video stream: set ingest.audio_only to use its sound")
    return video


def describe_sound(audio: AudioStream) -> dict[str, Any]:
    """Codec, rate and channels from the headers.

    Raises:
        MediaError: `corrupt`, if the sample rate or the channels are missing.
    """
    context = audio.codec_context
    if not context.sample_rate or not context.channels:
        raise MediaError("corrupt", "its sound has no sample rate or no channels")
    return {"audio_codec": context.name, "sample_rate_hz": context.sample_rate, "channels": context.channels}


def describe_pictures(path: str, video: VideoStream, params: IngestParams) -> dict[str, Any]:
    """Codec, frame size and frame rate from the headers.

    Raises:
        MediaError: `too_many_pixels`; `corrupt`, if the frame size is missing.
    """
    width, height = video.codec_context.width, video.codec_context.height
    if not width or not height:  # also if there are more pixels than FFmpeg may decode
        with open_media(path, glance=True) as container:
            context = container.streams[video.index].codec_context
            width, height = context.width, context.height
    if not width or not height:
        raise MediaError("corrupt", "its pictures have no size")
    if width * height > params.max_pixels:
        raise MediaError("too_many_pixels", f"{width} x {height} pixels, ingest.max_pixels is {params.max_pixels:,}")
    fps = float(video.average_rate or video.guessed_rate or 0)
    return {"video_codec": video.codec_context.name, "width": width, "height": height, "fps": fps}


def duration_s(path: str, container: InputContainer, params: IngestParams) -> float:
    """Duration, seconds. If the header has none, or one that is too long, it is measured from the packets.

    Raises:
        MediaError: `too_long`; `corrupt`, if no packet has a time.
    """
    seconds = declared_duration_s(container)
    if not 0 < seconds <= params.max_duration_s:
        seconds = measured_duration_s(path, params.max_duration_s)
    if not seconds:
        raise MediaError("corrupt", "it holds no packet with a time")
    if seconds > params.max_duration_s:
        raise MediaError("too_long", f"it lasts over ingest.max_duration_s, {params.max_duration_s:g} s")
    return seconds


def measured_duration_s(path: str, enough_s: float = math.inf) -> float:
    """Time from the first packet's start to the last one's end, seconds, without decoding; 0 if none has a time.

    Args:
        enough_s: reading stops once the duration exceeds this.
    """
    first_s, last_s = math.inf, -math.inf
    with open_media(path) as container:
        for packet in packets(container, *container.streams.video, *container.streams.audio):
            if packet.pts is not None:
                first_s = min(first_s, float(packet.pts * packet.time_base))
                last_s = max(last_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if last_s - first_s > enough_s:
                    break
    return max(last_s - first_s, 0.0)


def rotation_deg(container: InputContainer, video: VideoStream) -> int:
    """Counter-clockwise rotation, 0, 90, 180 or 270 degrees, that turns frames upright, from the first keyframe.

    PyAV has the display matrix only on decoded frames.
    """
    for packet in packets(container, video):
        if packet.is_keyframe:
            frames = decode(video, packet) + decode(video, None)
            return Turn.of(frames[0]).rotation_deg if frames else 0
    return 0
