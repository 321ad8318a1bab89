"""A frame near each of some times: roughly placed, at the cost of one keyframe each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from xmodal_kedro.media.container import decode, open_media, packets
from xmodal_kedro.media.frames import PictureEncoder
from xmodal_kedro.media.video_stream import choose_video

MAX_PACKETS = 600
"""Packets of video after a seek in which a frame is looked for."""
STEPS_BACK_S = (0.0, 10.0, 60.0)
"""How far before the time a frame is looked for: without an index, as in MPEG-TS, a seek may arrive after its aim."""
JPEG_QUALITY = 85


def glimpses(path: str, times_s: Sequence[float], short_side_px: int) -> Iterator[bytes]:
    """A JPEG for each time: the keyframe at which a seek to it arrives. Empty bytes where there is none.

    For a person to see what a recording is about, not to learn from: `clipper` places frames exactly.

    Args:
        path: a local path.
        times_s: seconds from the start of the recording.
        short_side_px: of the images; smaller frames are not scaled up.

    Raises:
        MediaError: if the file cannot be opened, or has no video that can be decoded.
    """
    with open_media(path) as container:
        video = choose_video(path, container)
        if video is None:
            yield from (b"" for _ in times_s)
            return
        encoder = PictureEncoder(video, short_side_px, JPEG_QUALITY)
        for time_s in times_s:
            frame = _frame_near(container, video, time_s)
            yield encoder.jpeg(frame) if frame else b""


def _frame_near(container: InputContainer, video: VideoStream, time_s: float) -> VideoFrame | None:
    """The first frame that can be decoded after a seek; None if there is none soon."""
    start_s = (container.start_time or 0) / 1e6
    frames = (_frame_from(container, video, start_s + max(time_s - back_s, 0.0)) for back_s in STEPS_BACK_S)
    return next((frame for frame in frames if frame), None)


def _frame_from(container: InputContainer, video: VideoStream, time_s: float) -> VideoFrame | None:
    with suppress(FFmpegError):  # of a format that cannot seek, what comes next is taken
        container.seek(int(1e6 * time_s), backward=True)
    video.codec_context.flush_buffers()
    with suppress(FFmpegError):  # the file breaks off
        for packet in islice(packets(container, video), MAX_PACKETS):
            if frames := decode(video, packet):
                return frames[0]
    return next(iter(decode(video, None)), None)
