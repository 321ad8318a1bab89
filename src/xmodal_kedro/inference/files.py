"""The sound of one file of any kind, for a network in use."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.errors import MachineError, UserError, fault_of_machine
from xmodal_kedro.inference.waveforms import from_int16
from xmodal_kedro.media.sandbox.isolation import isolated
from xmodal_kedro.media.sandbox.tasks import sound_file
from xmodal_kedro.params import EmbedParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.reasons import MediaError, describe
from xmodal_kedro.storage import FileRef

MAX_FILE_S = 600.0
"""Longest file that counts as one sound, seconds: a network needs some gigabyte of memory for ten minutes."""


def file_ref(address: str | Path) -> FileRef:
    """A file by its path or URL, without looking whether it is there."""
    return FileRef(str(address), str(address), 0, 0)


def read_sound(address: str | Path) -> NDArray[np.float32]:
    """The whole sound of a media file at 16 kHz, mixed down to mono as clips are: float32 [samples] in [-1, 1].

    The file is decoded in a process of its own, which may crash without harm.

    Args:
        address: a path or an fsspec URL.

    Raises:
        UserError: naming the file, if it has no sound that can be decoded to its end, or more than `MAX_FILE_S`.
    """
    parts: list[NDArray[np.int16]] = []
    samples = 0
    try:
        with closing(decoded(file_ref(address), EmbedParams())) as pieces:
            for piece in pieces:
                parts.append(piece)
                samples += len(piece)
                if samples > MAX_FILE_S * CLIP_SAMPLE_RATE_HZ:
                    raise UserError(
                        f"{address} is longer than {MAX_FILE_S:g} s, too long for one sound: tag it in windows with "
                        "`python -m xmodal_kedro tag`, or embed it with the pipeline embed"
                    )
    except MediaError as error:
        raise UserError(f"cannot read sound from {address}: {error.detail} ({error.reason})") from error
    if not samples:
        raise UserError(f"cannot read sound from {address}: nothing in it could be decoded")
    return from_int16(np.concatenate(parts))


def decoded(file: FileRef, params: EmbedParams) -> Generator[NDArray[np.int16]]:
    """The sound of a file at 16 kHz, mono, in pieces: int16 [samples].

    Args:
        params: the timeout of decoding.

    Raises:
        MediaError: if it cannot be fetched, or decoded to its end.
    """
    with ExitStack() as stack:
        try:
            path = stack.enter_context(file.fetched())
        except MachineError:  # says nothing of the file
            raise
        except Exception as error:  # storage drivers have errors of their own
            if fault_of_machine(error):
                raise
            raise MediaError("unreadable", describe(error)) from error
        yield from isolated(sound_file, path, timeout_s=params.limit_s(Path(path).stat().st_size))
