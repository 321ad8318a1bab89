"""Arguments common to all jobs over shards: pickled once, and unpickled once in each worker."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable
from dataclasses import fields
from functools import cached_property, lru_cache
from typing import Any

KEPT = 4
"""Number of objects that a worker caches: those of one stage."""


class Shared:
    """Mixin for a frozen dataclass: a worker that gets it repeatedly keeps one object, with its cached properties."""

    @cached_property
    def _packed(self) -> bytes:
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return zlib.compress(pickle.dumps((type(self), values)))

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return unpacked, (self._packed,)


@lru_cache(KEPT)
def unpacked(packed: bytes) -> Any:
    """Unpickle an object; equal bytes return the same object."""
    cls, values = pickle.loads(zlib.decompress(packed))
    return cls(**values)
