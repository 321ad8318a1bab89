"""Which of a file's video streams is its picture: neither a cover nor a track of thumbnails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import cast

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from xmodal_kedro.media.container import MAX_PIXELS, open_media, packets
from xmodal_kedro.media.programmes import holding, programmes_of
from xmodal_kedro.reasons import MediaError

BESIDE_THE_PICTURE = Disposition.timed_thumbnails | Disposition.still_image | Disposition.dependent
"""Flags of streams that are used only if there is no other."""

IMAGE_CODECS = {"mjpeg", "png", "bmp", "gif", "tiff", "webp", "jpeg2000"}
"""Codecs that thumbnails are stored in, but some cameras' pictures too."""

FEW = 0.1
"""A stream in such a codec with less than this fraction of the frames of another holds thumbnails."""

COUNTED_PACKETS = 500
"""Where the header states no number of frames, those of the first packets are counted."""


def choose_video(path: str, container: InputContainer, index: int | None = None) -> VideoStream | None:
    """The video stream to use: of those whose pictures move, the one flagged default, else the first.

    Its decoder uses one thread, as files are decoded in parallel.

    Args:
        path: of the file that `container` reads. If its header does not state which streams move, it is opened again.
        index: number of the stream to use among all of the file's, if it is known or asked for.

    Returns:
        None if there is none but attached covers.

    Raises:
        MediaError: `no_picture`, if `index` is not of a video stream; `unknown_codec`, if there are streams, but no
            decoder for any of them.
    """
    streams = list(container.streams.video)
    if index is not None:
        chosen = next((stream for stream in streams if stream.index == index), None)
        if chosen is None:
            others = ", ".join(str(stream.index) for stream in streams) or "none"
            raise MediaError("no_picture", f"its stream {index} is no video stream, these are: {others}")
        streams = [chosen]
    else:
        streams = [stream for stream in streams if not stream.disposition & Disposition.attached_pic]
    if not streams:
        return None
    decodable = [stream for stream in streams if cast(object, stream.codec_context) is not None]
    if not decodable:
        raise MediaError("unknown_codec", f"no decoder for its {streams[0].type} stream")
    heard = _with_sound(container, decodable) if len(decodable) > 1 else decodable
    pictures = _moving(path, heard) if len(heard) > 1 else heard
    chosen = next((stream for stream in pictures if stream.disposition & Disposition.default), pictures[0])
    context = chosen.codec_context
    context.thread_count = 1
    context.options = {"max_pixels": str(max(MAX_PIXELS, chosen.width * chosen.height))}
    return chosen


def _with_sound(container: InputContainer, streams: Sequence[VideoStream]) -> Sequence[VideoStream]:
    """Those that are in a programme with sound; all if none is."""
    indices = {index for each in holding(programmes_of(container), container.streams.audio) for index in each}
    return [stream for stream in streams if stream.index in indices] or streams


def _moving(path: str, streams: Sequence[VideoStream]) -> Sequence[VideoStream]:
    """Those that are neither flagged as something else than the picture nor single frames nor thumbnails."""
    pictures = [stream for stream in streams if not stream.disposition & BESIDE_THE_PICTURE] or streams
    if len(pictures) == 1:
        return pictures
    counts = _frame_counts(path, pictures)
    most = max(counts.values())
    moving = [
        stream
        for stream in pictures
        if counts[stream.index] > 1
        and (stream.codec_context.name not in IMAGE_CODECS or counts[stream.index] >= FEW * most)
    ]
    return moving or pictures


def _frame_counts(path: str, streams: Sequence[VideoStream]) -> dict[int, int]:
    """Frames of each stream by its index: by the header, else among the first packets."""
    if all(stream.frames for stream in streams):
        return {stream.index: stream.frames for stream in streams}
    with open_media(path, glance=True) as container:
        same = [container.streams[stream.index] for stream in streams]
        counts = Counter(packet.stream_index for packet in islice(packets(container, *same), COUNTED_PACKETS))
    return {stream.index: counts[stream.index] for stream in streams}
