"""Metadata of a file's streams, and whether it can be used. Runs in the decoder process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from av.container import InputContainer
from av.video.stream import VideoStream

from xmodal_kedro.media.container import decode, open_media, packets, prepared_audio, prepared_video
from xmodal_kedro.media.frames import Turn
from xmodal_kedro.media.lengths import length_of
from xmodal_kedro.media.programmes import programme_of
from xmodal_kedro.media.sound_plan import SoundPlan, plan_sound
from xmodal_kedro.media.video_stream import choose_video
from xmodal_kedro.params import IngestParams
from xmodal_kedro.reasons import MediaError

SOUND_ALONE: dict[str, Any] = {
    "fps": 0.0,
    "width": 0,
    "height": 0,
    "rotation_deg": 0,
    "video_codec": "",
    "video_track": -1,
}
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
        if not container.streams.audio:
            raise MediaError("no_audio", "there is no audio stream")
        video = picture_stream(path, container, params)
        row = describe_pictures(path, video, params) if video else SOUND_ALONE
        plan = plan_sound(path, programme_of(container, video), params.audio_track)
        row = {**describe_sound(container, plan), **row}
        length = length_of(path, plan.tracks[0], row["video_track"], params.max_duration_s)
        row |= {"duration_s": checked_duration_s(length.duration_s, params), "clock_jumps": length.clock_jumps}
        if video:
            row["rotation_deg"] = rotation_deg(container, video)
    yield row


def picture_stream(path: str, container: InputContainer, params: IngestParams) -> VideoStream | None:
    """The video stream to use; None if only the audio of the file is used.

    Raises:
        MediaError: `no_picture` or `unknown_codec`, if `ingest.without_video` is `reject`, or if the file has video but
            not the stream that `ingest.video_track` names.
    """
    asked_for = params.video_track is not None and bool(container.streams.video)
    try:
        video = choose_video(path, container, params.video_track)
    except MediaError:
        if params.without_video == "reject" or asked_for:
            raise
        return None
    if video is None and params.without_video == "reject":
        raise MediaError("no_picture", "there is no video stream, and ingest.without_video is `reject`")
    return video and prepared_video(container, video.index)


def describe_sound(container: InputContainer, plan: SoundPlan) -> dict[str, Any]:
    """Codec, rate and channels of the audio, and how it is used.

    Raises:
        MediaError: `corrupt`, if the sample rate or the channels are unknown.
    """
    context = prepared_audio(container, plan.tracks[0]).codec_context
    rate_hz, channels = plan.sample_rate_hz or context.sample_rate, plan.channels or context.channels
    if not rate_hz or not channels:
        raise MediaError("corrupt", "its sound has no sample rate or no channels")
    return {
        "audio_codec": context.name,
        "sample_rate_hz": rate_hz,
        "channels": channels,
        "audio_track": plan.audio_track,
        "channel_use": plan.channel_use,
        "level_change_db": plan.level_change_db,
        "bad_samples": plan.bad_samples,
    }


def describe_pictures(path: str, video: VideoStream, params: IngestParams) -> dict[str, Any]:
    """Codec, frame size and frame rate from the headers.

    Raises:
        MediaError: `too_many_pixels`; `corrupt`, if the frame size is missing.
    """
    width, height = video.codec_context.width, video.codec_context.height
    if not width or not height:  # also if there are more pixels than FFmpeg may decode
        with open_media(path, glance=True) as container:
            context = prepared_video(container, video.index).codec_context
            width, height = context.width, context.height
    if not width or not height:
        raise MediaError("corrupt", "its pictures have no size")
    if width * height > params.max_pixels:
        raise MediaError("too_many_pixels", f"{width} x {height} pixels, ingest.max_pixels is {params.max_pixels:,}")
    fps = float(video.average_rate or video.guessed_rate or 0)
    return {
        "video_codec": video.codec_context.name,
        "video_track": video.index,
        "width": width,
        "height": height,
        "fps": fps,
    }


def checked_duration_s(seconds: float, params: IngestParams) -> float:
    """A duration that may be used, seconds.

    Raises:
        MediaError: `too_long`; `corrupt`, if it is zero, as no packet has a time.
    """
    if not seconds:
        raise MediaError("corrupt", "it holds no packet with a time")
    if seconds > params.max_duration_s:
        raise MediaError("too_long", f"it lasts over ingest.max_duration_s, {params.max_duration_s:g} s")
    return seconds


def rotation_deg(container: InputContainer, video: VideoStream) -> int:
    """Counter-clockwise rotation, 0, 90, 180 or 270 degrees, that turns frames upright, from the first keyframe.

    PyAV has the display matrix only on decoded frames.
    """
    for packet in packets(container, video):
        if packet.is_keyframe:
            frames = decode(video, packet) + decode(video, None)
            return Turn.of(frames[0]).rotation_deg if frames else 0
    return 0
