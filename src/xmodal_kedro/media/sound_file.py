"""Reading the audio of any media file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xmodal_kedro.errors import UserError
from xmodal_kedro.media.container import open_media
from xmodal_kedro.media.programmes import programme_of
from xmodal_kedro.media.recording import RecordingReader
from xmodal_kedro.media.sound_plan import plan_sound
from xmodal_kedro.media.video_stream import choose_video
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.reasons import MediaError


def read_audio(path: str, sample_rate_hz: int = CLIP_SAMPLE_RATE_HZ) -> np.ndarray:
    """The whole audio of any media file, mixed down to mono and resampled, from its first sample.

    Args:
        path: a local path or an fsspec URL.

    Returns:
        int16 [samples]

    Raises:
        UserError: naming the file, if no audio can be decoded from it.
    """
    try:
        parts = list(sound_of_file(path, sample_rate_hz, with_lead=False))
    except MediaError as error:
        raise UserError(f"cannot read sound from {path}: {error.detail} ({error.reason})") from error
    if not parts:
        raise UserError(f"cannot read sound from {path}: nothing in it could be decoded")
    return np.concatenate(parts)


def sound_of_file(path: str, sample_rate_hz: int = CLIP_SAMPLE_RATE_HZ, with_lead: bool = True) -> Iterator[np.ndarray]:
    """The audio of any media file while it is decoded, mixed down to mono and resampled, in pieces: int16 [samples].

    Args:
        path: a local path or an fsspec URL.
        sample_rate_hz: of the result.
        with_lead: start with silence where the video starts before the audio, so that times are those of the clips.

    Raises:
        MediaError: if the file cannot be opened, has no audio that is used, or its audio cannot be mixed down.
    """
    with open_media(path, glance=True) as container:
        try:
            video = choose_video(path, container) if with_lead else None
        except MediaError:  # no decoder for it
            video = None
        plan = plan_sound(path, programme_of(container, video))
        reader = RecordingReader(path, container, plan, video, sample_rate_hz)
        for _ in reader.steps():
            yield from reader.take()
