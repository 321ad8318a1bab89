"""Programmes of a file: streams that belong together, as broadcasts have several."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

from av import logging
from av.container import InputContainer
from av.stream import Stream

FORMATS = ("mpegts", "wtv")
"""Containers that may hold several programmes."""


def programmes_of(container: InputContainer) -> list[tuple[int, ...]]:
    """Indices of the streams of each programme; empty if there are none.

    PyAV has programmes only in FFmpeg's description of a file, which is a message of its log.
    """
    if container.format.name not in FORMATS:
        return []
    level = logging.get_level()
    logging.set_level(logging.INFO)
    try:
        description = str(cast(Any, container).dumps_format())
    finally:
        logging.set_level(level)
    parts = re.split(r"^ *Program \d+", description.split("No Program")[0], flags=re.MULTILINE)[1:]
    return [tuple(int(index) for index in re.findall(r"^ *Stream #\d+:(\d+)", part, re.MULTILINE)) for part in parts]


def programme_of(container: InputContainer, stream: Stream | None) -> tuple[int, ...]:
    """Indices of the streams that belong to a stream; empty if all do.

    They are those of the first programme that holds it, and those of no programme. Without a stream, they are those of
    the first programme with pictures and sound, else with sound, so that no two are mixed.
    """
    programmes = [programme for programme in programmes_of(container) if programme]
    if stream is None:
        with_sound = holding(programmes, container.streams.audio)
        ordered = [*holding(with_sound, container.streams.video), *with_sound]
    else:
        ordered = [programme for programme in programmes if stream.index in programme]
    if not ordered:
        return ()
    in_any = {index for programme in programmes for index in programme}
    return (*ordered[0], *(other.index for other in container.streams if other.index not in in_any))


def holding(programmes: Iterable[tuple[int, ...]], streams: Iterable[Stream]) -> list[tuple[int, ...]]:
    """The programmes that hold one of some streams."""
    indices = {stream.index for stream in streams}
    return [programme for programme in programmes if indices.intersection(programme)]
