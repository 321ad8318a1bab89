"""Sharding bounds shards, and growth changes few of them."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from xmodal_kedro.sharding import members, spread


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


CORPORA = st.dictionaries(st.integers(0, 10_000).map(digest), st.floats(0.1, 20), max_size=120)


@given(CORPORA, st.floats(1, 50))
def test_every_item_is_in_one_shard_and_no_shard_is_over_its_bound_but_for_a_single_item(weights, bound):
    shards = spread(weights, bound)
    assert sorted(item for items in shards.values() for item in items) == sorted(weights)
    for items in shards.values():
        assert len(items) == 1 or sum(weights[item] for item in items) <= bound


@given(CORPORA, st.floats(1, 50), st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(weights, bound, random):
    shuffled = list(weights.items())
    random.shuffle(shuffled)
    assert spread(dict(shuffled), bound) == spread(weights, bound)


@given(CORPORA)
def test_a_key_determines_which_items_belong_to_its_shard(weights):
    shards = spread(weights, 10)
    assert members(weights, shards) == shards


@settings(max_examples=50)
@given(st.integers(0, 1000), st.integers(0, 999))
def test_one_item_more_among_a_thousand_touches_one_shard_or_splits_it(seed, other):
    weights = {digest(1000 * seed + number): 1.0 for number in range(1000)}
    before = spread(weights, 10)
    after = spread(weights | {digest(-1 - other): 1.0}, 10)
    changed = {key for key, items in after.items() if before.get(key) != items}
    assert 1 <= len(changed) <= 4


def test_nothing_has_no_shard_and_one_shard_holds_all():
    assert spread({}, 1) == {}
    assert list(spread({digest(1): 0.4, digest(2): 0.5}, 1)) == ["shard-all"]
