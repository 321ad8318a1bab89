"""Audio of many lengths in batches of one length each, since a network would hear the padding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.features.framing import PATCH_FRAMES, samples_for_frames


def at_least_a_patch(audio_T: NDArray[Any]) -> NDArray[Any]:
    """A sound [samples], with silence at its end where it is shorter than a patch of 96 frames."""
    return np.pad(audio_T, (0, max(0, samples_for_frames(PATCH_FRAMES) - len(audio_T))))


def equal_lengths(
    audios: Sequence[NDArray[Any]], batch_size: int | None = None
) -> Iterator[tuple[list[int], NDArray[Any]]]:
    """Positions and audio [batch, samples] of the sounds of each length, none shorter than a patch.

    Args:
        audios: [samples] each, of one type.
        batch_size: max sounds of a batch; None sets no limit.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    padded = [at_least_a_patch(audio_T) for audio_T in audios]
    for position, audio_T in enumerate(padded):
        groups[len(audio_T)].append(position)
    for group in groups.values():
        for start in range(0, len(group), batch_size or len(group)):
            positions = group[start : start + (batch_size or len(group))]
            yield positions, np.stack([padded[position] for position in positions])
