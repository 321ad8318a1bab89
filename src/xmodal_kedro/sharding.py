"""Distribution of items over shards of bounded weight, such that added items change few shards.

Shards are the leaves of a binary tree over the bits of the items' hashes (extendible hashing). A leaf splits when it
exceeds its bound; no other leaf changes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping

WHOLE = "all"
MAX_BITS = 64


def spread(weights: Mapping[str, float], bound: float) -> dict[str, list[str]]:
    """Divide items into shards of at most `bound`. A heavier item has a shard of its own.

    Args:
        weights: weight by item. Items are hex digests of at least 16 digits, uniformly distributed.
        bound: max weight of a shard.

    Returns:
        Sorted items by shard key, keys sorted. A key is `shard-` and the leading bits that the hashes of its items
        share, or `shard-all` if there is one shard.
    """
    shards: dict[str, list[str]] = {}
    waiting = [("", sorted(weights))] if weights else []
    while waiting:
        prefix, items = waiting.pop()
        if len(items) == 1 or len(prefix) == MAX_BITS or sum(weights[item] for item in items) <= bound:
            shards[f"shard-{prefix or WHOLE}"] = items
            continue
        halves: dict[str, list[str]] = {"0": [], "1": []}
        for item in items:
            halves[_bits(item)[len(prefix)]].append(item)
        waiting += [(prefix + bit, half) for bit, half in halves.items() if half]
    return dict(sorted(shards.items()))


def members(items: Iterable[str], keys: Iterable[str]) -> dict[str, list[str]]:
    """Sorted items of each of the shards `keys`, by key."""
    ordered = sorted(items)
    bits = [_bits(item) for item in ordered]
    prefixes = {key: key.removeprefix("shard-").removeprefix(WHOLE) for key in keys}
    return {
        key: ordered[bisect_left(bits, prefix) : bisect_left(bits, prefix + "2")] for key, prefix in prefixes.items()
    }


def _bits(item: str) -> str:
    return f"{int(item[:16], 16):064b}"
