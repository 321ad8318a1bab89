from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.data.order import EpochOrder, Pool, RowGroups, even_sizes

COUNTS = st.lists(st.integers(1, 20), min_size=1, max_size=30)


def row_groups(counts: list[int]) -> RowGroups:
    """Row groups of so many clips, three to a shard."""
    numbers = np.arange(len(counts))
    keys = tuple(f"shard-{shard}" for shard in range(len(counts)))
    return RowGroups(keys, numbers // 3, numbers % 3, np.array(counts))


def epoch_order(counts: list[int], seed: int | None = 0, **changes: int) -> EpochOrder:
    settings = {"batch_size": 8, "streams": 4, "pool_clips": 10} | changes
    return EpochOrder(row_groups(counts), **settings, shuffle=None if seed is None else np.random.default_rng(seed))


def clips_of(pools: list[Pool]) -> list[tuple[str, int, int]]:
    return [
        (piece.key, piece.group, clip)
        for pool in pools
        for piece in pool.pieces
        for clip in range(piece.first, piece.last)
    ]


def every_clip(counts: list[int]) -> list[tuple[str, int, int]]:
    return [(f"shard-{at // 3}", at % 3, clip) for at, count in enumerate(counts) for clip in range(count)]


@given(
    counts=COUNTS,
    seed=st.none() | st.integers(0, 5),
    batch_size=st.integers(2, 40),
    streams=st.integers(1, 9),
    pool_clips=st.integers(1, 40),
)
def test_the_streams_hold_every_clip_once_and_as_many_as_the_batches_take(
    counts: list[int], seed: int | None, batch_size: int, streams: int, pool_clips: int
) -> None:
    order = epoch_order(counts, seed, batch_size=batch_size, streams=streams, pool_clips=pool_clips)
    held = [clips_of(list(order.pools(stream))) for stream in range(streams)]
    assert sorted(clip for clips in held for clip in clips) == sorted(every_clip(counts))
    for stream, clips in enumerate(held):
        quotas = [order.quota(stream, step) for step in range(order.steps)]
        assert len(clips) == sum(quotas)
        assert [order.taken(stream, step) for step in range(order.steps + 1)] == [0, *np.cumsum(quotas)]
    for step, size in enumerate(order.sizes):
        assert sum(order.quota(stream, step) for stream in range(streams)) == size


@given(counts=COUNTS, pool_clips=st.integers(1, 40))
def test_a_pool_is_no_larger_than_asked_for_and_one_row_group(counts: list[int], pool_clips: int) -> None:
    order = epoch_order(counts, pool_clips=pool_clips)
    for stream in range(4):
        *full, last = [*order.pools(stream)] or [Pool(0, ())]
        assert all(pool.clips >= pool_clips for pool in full)
        assert all(pool.clips < pool_clips + max(counts) for pool in [*full, last])
        assert [pool.number for pool in full] == list(range(len(full)))


def test_row_groups_come_in_another_order_by_another_seed_and_in_the_stored_one_without() -> None:
    counts = [5] * 20
    stored = clips_of(list(epoch_order(counts, None, streams=1).pools(0)))
    shuffled = [clips_of(list(epoch_order(counts, seed, streams=1).pools(0))) for seed in (0, 0, 1)]
    assert stored == every_clip(counts)
    assert shuffled[0] == shuffled[1] != shuffled[2]
    assert shuffled[0] != stored


@given(total=st.integers(1, 500), largest=st.integers(1, 64))
def test_batches_are_as_few_and_as_even_as_can_be(total: int, largest: int) -> None:
    sizes = even_sizes(total, largest)
    assert sum(sizes) == total and max(sizes) <= largest
    assert sizes == sorted(sizes, reverse=True) and sizes[0] - sizes[-1] <= 1
    assert (len(sizes) - 1) * largest < total


@given(counts=COUNTS, most=st.integers(1, 100), seed=st.integers(0, 5))
def test_thinning_keeps_whole_row_groups_and_about_as_many_clips_as_asked_for(
    counts: list[int], most: int, seed: int
) -> None:
    groups = row_groups(counts)
    thinned = groups.thinned(most, seed)
    assert min(most, groups.clips) <= thinned.clips < most + max(counts) or thinned.clips == groups.clips
    kept = set(zip(thinned.shard_G.tolist(), thinned.group_G.tolist(), thinned.count_G.tolist(), strict=True))
    assert kept <= set(zip(groups.shard_G.tolist(), groups.group_G.tolist(), groups.count_G.tolist(), strict=True))


@pytest.mark.parametrize("most", [1, 13, 50])
def test_thinning_always_keeps_the_same(most: int) -> None:
    groups = row_groups([7] * 12)
    assert groups.thinned(most, 3).group_G.tolist() == groups.thinned(most, 3).group_G.tolist()
