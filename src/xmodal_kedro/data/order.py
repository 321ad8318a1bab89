"""The order in which the clips of an epoch come: known from counts alone, before a sound is read.

The row groups of all shards are put in random order and laid end to end. That line of clips is cut into a fixed number
of streams, and each stream is cut into pools of whole row groups, a pool at a time being shuffled in memory. Every
batch takes an equal part of each stream. So the clips of a batch do not depend on how many processes share the streams,
and the place of any step is found by arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RowGroups:
    """The row groups that hold clips of one split, in stored order.

    Attributes:
        keys: of the shards.
        shard_G: index of each row group's shard in `keys` [row groups].
        group_G: its number in that shard.
        count_G: its clips of the split, at least one.
    """

    keys: tuple[str, ...]
    shard_G: NDArray[np.int64]
    group_G: NDArray[np.int64]
    count_G: NDArray[np.int64]

    @property
    def clips(self) -> int:
        """Clips of the split."""
        return int(self.count_G.sum())

    def thinned(self, most_clips: int, seed: int) -> RowGroups:
        """At most about `most_clips` clips, of row groups drawn by `seed`; never more than one row group too many."""
        if self.clips <= most_clips:
            return self
        drawn = np.random.default_rng(seed).permutation(len(self.count_G))
        enough = int(np.searchsorted(np.cumsum(self.count_G[drawn]), most_clips)) + 1
        kept = np.sort(drawn[:enough])
        return RowGroups(self.keys, self.shard_G[kept], self.group_G[kept], self.count_G[kept])


@dataclass(frozen=True)
class Piece:
    """Clips `first` to `last` (exclusive), among those of the split, of one row group."""

    key: str
    group: int
    first: int
    last: int


@dataclass(frozen=True)
class Pool:
    """Pieces that are in memory together; `number` counts the pools of a stream."""

    number: int
    pieces: tuple[Piece, ...]

    @property
    def clips(self) -> int:
        """Clips in it."""
        return sum(piece.last - piece.first for piece in self.pieces)


class EpochOrder:
    """One epoch's order.

    Args:
        groups: what to order; the order of its row groups is the stored one.
        batch_size: max clips of a batch.
        streams: how many streams the epoch is read as.
        pool_clips: a pool takes row groups until it has so many clips.
        shuffle: source of the row groups' order; None keeps the stored one.
    """

    def __init__(
        self, groups: RowGroups, batch_size: int, streams: int, pool_clips: int, shuffle: np.random.Generator | None
    ) -> None:
        self._groups, self._streams, self._pool_clips = groups, streams, pool_clips
        count = len(groups.count_G)
        self._line_G = np.arange(count) if shuffle is None else shuffle.permutation(count)
        self._ends_G = np.cumsum(groups.count_G[self._line_G])
        self.sizes = even_sizes(groups.clips, batch_size)
        bounds = np.cumsum([0, *(self.taken(stream, len(self.sizes)) for stream in range(streams))])
        self._bounds = [(int(first), int(last)) for first, last in pairwise(bounds)]

    @property
    def steps(self) -> int:
        """Batches of the epoch."""
        return len(self.sizes)

    def quota(self, stream: int, step: int) -> int:
        """Clips that the batch of `step` takes of `stream`."""
        return _share(self.sizes[step], self._streams, stream)

    def taken(self, stream: int, step: int) -> int:
        """Clips that the batches before `step` take of `stream`."""
        largest = self.sizes[0]
        full = min(step, self.sizes.count(largest))  # sizes fall once, by one
        rest = _share(largest - 1, self._streams, stream) * (step - full)
        return _share(largest, self._streams, stream) * full + rest

    def pools(self, stream: int) -> Iterator[Pool]:
        """The pools of a stream, in order."""
        pieces: list[Piece] = []
        number = clips = 0
        for piece in self._pieces(*self._bounds[stream]):
            pieces.append(piece)
            clips += piece.last - piece.first
            if clips >= self._pool_clips:
                yield Pool(number, tuple(pieces))
                pieces, number, clips = [], number + 1, 0
        if pieces:
            yield Pool(number, tuple(pieces))

    def _pieces(self, first: int, last: int) -> Iterator[Piece]:
        """What clips `first` to `last` of the line lie in."""
        place = int(np.searchsorted(self._ends_G, first, side="right"))
        while first < last:
            group = self._line_G[place]
            end = int(self._ends_G[place])
            start = end - int(self._groups.count_G[group])
            yield Piece(
                self._groups.keys[self._groups.shard_G[group]],
                int(self._groups.group_G[group]),
                first - start,
                min(last, end) - start,
            )
            first, place = end, place + 1


def even_sizes(total: int, largest: int) -> list[int]:
    """Split `total` into the fewest parts of at most `largest`, none of them odd and small: they differ by one."""
    parts = math.ceil(total / largest)
    return [total // parts + (part < total % parts) for part in range(parts)]


def _share(clips: int, streams: int, stream: int) -> int:
    return clips // streams + (stream < clips % streams)
